"""What a host application needs for tables of its own beside ours: its Alembic, its engine, and columns that refer to ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from ostiary.foundation.ids import ENCODED_PATTERN, format_id, parse_id
from ostiary.foundation.storage import EPOCH, MICROSECOND
from ostiary.schema.dialects import BYTES, SCHEMA
from ostiary.schema.errors import SchemaError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Dialect
    from sqlalchemy.ext.asyncio import AsyncEngine

_POSTGRESQL: Final = ("postgresql://", "postgres://")
_SQLITE: Final = "sqlite:///"
_LOCK_WAIT: Final = 10.0


def include_object(
    item: Any,
    _name: str | None,
    kind: str,
    _reflected: bool,  # noqa: FBT001 - Alembic's own signature
    _compare_to: Any | None,
) -> bool:
    """Keep Ostiary's tables out of a host's autogenerate, which would otherwise drop them.

    In the host's `env.py`:

        from ostiary.schema import include_object

        context.configure(..., include_object=include_object)
    """
    table = item if kind == "table" else getattr(item, "table", None)
    if table is None:
        return True
    return not (table.schema == SCHEMA or (table.schema is None and table.name.startswith(f"{SCHEMA}_")))


def render_item(kind: str, item: Any, context: Any) -> str | Literal[False]:
    """Write columns of ours into a host's revisions so that they run as they are, with what they import.

    Beside `include_object`: `context.configure(..., render_item=render_item)`.
    """
    if kind == "type" and isinstance(item, TypedId | Moment):
        context.imports.add(f"from ostiary.schema import {type(item).__name__}")
        return repr(item)
    return False


def engine_at(url: str, **options: Any) -> AsyncEngine:
    """Return an SQLAlchemy engine on the database a URL of ours names, for tables of the host's own.

    On PostgreSQL the URL means what it means to us. On SQLite foreign keys hold, a transaction takes its turn when it
    begins, so that none fails half-way, and both libraries share one write-ahead log. `options` are those of
    `create_async_engine`. Raises `SchemaError` for a URL that is not understood.
    """
    if url.startswith(_POSTGRESQL):

        async def connect() -> Any:
            import asyncpg  # noqa: PLC0415 - whoever is on SQLite needs none

            return await asyncpg.connect(url, server_settings={"timezone": "UTC"})

        return create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)
    if not url.startswith(_SQLITE) or url == _SQLITE:
        raise SchemaError("The database URL is not understood: it begins with postgresql:// or sqlite:///.")
    engine = create_async_engine(
        url.replace("sqlite:", "sqlite+aiosqlite:", 1), connect_args={"timeout": _LOCK_WAIT}, **options
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # Transactions begin where we say so, not before the first statement that writes.
        connection.isolation_level = None
        for setting in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def identities(metadata: sa.MetaData, url: str) -> sa.Table:
    """Return the table of identities in `metadata` of the host's own, for its foreign keys to refer to and to be joined.

    `mapped_column(TypedId("idn"), ForeignKey(identities(Base.metadata, url).c.id, ondelete="CASCADE"))`: whatever is
    somebody's goes with them. Its columns are to be read; what changes them is ours. `include_object` keeps it out of the
    host's revisions.
    """
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("id", TypedId("idn"), primary_key=True),
        sa.Column("entity_type", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("email_verified_at", Moment),
        sa.Column("phone", sa.Text),
        sa.Column("phone_verified_at", Moment),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("last_login_at", Moment),
        sa.Column("created_at", Moment, nullable=False),
    )
    if url.startswith(_POSTGRESQL):
        return sa.Table("identities", metadata, *columns, schema=SCHEMA)
    return sa.Table(f"{SCHEMA}_identities", metadata, *columns)


class TypedId(sa.types.TypeDecorator[str]):
    """A key as it is shown outside, `idn_01h…`, kept as ours are: a UUID on PostgreSQL, 16 bytes on SQLite.

    What a `Principal` names fits as it is. `pattern` is what such a key looks like, for routes to refuse whatever is none:
    it is refused here with `InvalidId`, as an error of the statement.
    """

    impl = sa.Uuid
    cache_ok = True

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.prefix!r})"

    @property
    def pattern(self) -> str:
        """A regular expression that such keys match as a whole."""
        return f"^{self.prefix}_{ENCODED_PATTERN}$"

    def uuid(self, key: str) -> UUID:
        """Return a key as the parameter of a `Query` in a hook. Raises `InvalidId`."""
        return parse_id(self.prefix, key)

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return the type of each database."""
        return dialect.type_descriptor(BYTES if dialect.name == "sqlite" else sa.Uuid())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Return what is kept of a key. Raises `InvalidId`."""
        if value is None:
            return None
        key = self.uuid(value)
        return key.bytes if dialect.name == "sqlite" else key

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> str | None:
        """Return the key that was kept."""
        if value is None:
            return None
        return format_id(self.prefix, value if isinstance(value, UUID) else UUID(bytes=value))


class Moment(sa.types.TypeDecorator["datetime"]):
    """A moment in UTC, kept as ours are: with its zone on PostgreSQL, microseconds since 1970 on SQLite.

    So what a hook writes through its transaction is what the host's models read. Raises `ValueError` for a moment
    without a zone.
    """

    impl = sa.TIMESTAMP
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return the type of each database."""
        return dialect.type_descriptor(
            sa.INTEGER() if dialect.name == "sqlite" else sa.TIMESTAMP(timezone=True)
        )

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Return what is kept of a moment."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment without a zone is no moment: datetime.now(UTC) has one.")
        return (value - EPOCH) // MICROSECOND if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> datetime | None:
        """Return the moment that was kept."""
        return EPOCH + value * MICROSECOND if isinstance(value, int) else value
