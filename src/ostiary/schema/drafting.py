"""Drafts a new revision from the difference between the migrations and tables.py, for developers of Ostiary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext

from ostiary.schema import dialects
from ostiary.schema.errors import SchemaError
from ostiary.schema.history import History
from ostiary.schema.tables import METADATA

if TYPE_CHECKING:
    from alembic.operations.ops import MigrationScript

_IN_CHECKOUT: Final = Path("src/ostiary/schema/migrations")
_TYPES: Final = ("UUID", "MOMENT", "DOCUMENT", "BYTES", "TEXT", "NUMBER", "BIG_NUMBER", "FLAG")


async def create(message: str, directory: Path) -> Path:
    """Draft the revision that leads from the newest one to tables.py, in the source checkout at `directory`.

    A draft is for reading and completing: the comparison does not see checks, index predicates and triggers;
    `check` does. `HEAD` is then raised by hand. Raises `SchemaError` outside a checkout, or when nothing differs.
    """
    migrations = directory / _IN_CHECKOUT
    if not migrations.is_dir():
        raise SchemaError("New revisions are written in a source checkout of Ostiary: run this at its root.")
    history = History(migrations)
    upgrades, downgrades = _difference(history)
    written = history.scripts.generate_revision(
        f"{len(history.revisions) + 1:04d}", message, upgrades=upgrades, downgrades=downgrades
    )
    if written is None:
        raise SchemaError(
            "The revision file could not be read back: look into the newest file of the folder."
        )
    return Path(written.path)


def _difference(history: History) -> tuple[str, str]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ATTACH ':memory:' AS {dialects.SCHEMA}")
        for revision in history.revisions:
            for statement in history.upgrade_as_written_for(revision, dialects.AttachedSqlite()):
                # Triggers take no part in the comparison, and ours are written for prefixed names.
                if "CREATE TRIGGER" not in statement:
                    # SQLite knows no schema there.
                    connection.exec_driver_sql(statement.replace(" REFERENCES ostiary.", " REFERENCES "))
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": _ours,
                "include_object": _drafted,
                "target_metadata": METADATA,
            },
        )
        script = produce_migrations(context, METADATA)
        answer = _rendered(script, context)
    engine.dispose()
    return answer


def _rendered(script: MigrationScript, context: MigrationContext) -> tuple[str, str]:
    if script.upgrade_ops is None or script.downgrade_ops is None or script.upgrade_ops.is_empty():
        raise SchemaError("The migrations lead to tables.py already: there is no new revision to write.")
    up, down = (
        render_python_code(operations, render_item=_short_type, migration_context=context)
        for operations in (script.upgrade_ops, script.downgrade_ops)
    )
    return up, down


def _ours(name: str | None, kind: str, _parents: Any) -> bool:
    return kind != "schema" or name == dialects.SCHEMA


def _drafted(_object: Any, _name: str | None, kind: str, _is_reflected: bool, _compared_to: Any) -> bool:  # noqa: FBT001 - Alembic's signature
    """Leave out foreign keys of tables that are there: SQLite wants them written by hand, and their names are not read."""
    return kind != "foreign_key_constraint"


def _short_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our column types by their names in dialects.py."""
    if kind == "type":
        for name in _TYPES:
            if _in_ddl(item) == _in_ddl(getattr(dialects, name)):
                return name
    return False


def _in_ddl(column_type: Any) -> list[str]:
    return [column_type.compile(dialect=dialects.ddl_dialect(name)) for name in ("postgresql", "sqlite")]
