"""Which revision a database is at, and which releases it serves.

Read at every start, so neither SQLAlchemy nor Alembic is loaded for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.schema.connection import connect
from ostiary.schema.errors import SchemaError

if TYPE_CHECKING:
    from ostiary.schema.connection import Connection

VERSION_TABLE: Final = {
    "postgresql": "ostiary.ostiary_alembic_version",
    "sqlite": "ostiary_alembic_version",
}
SERVES_FROM: Final = "serves_from"
"""The column beside the revision that says which older releases may work here too."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a database says of its own schema."""

    revision: str | None
    """The revision it is at; None before the first deployment."""
    serves_from: str | None = None
    """The oldest revision whose release works on it beside this one's; None if no other does."""

    def serves(self, head: str | None) -> bool:
        """Say whether the release that needs `head` may work on it: made for it, or older and allowed to (F15).

        Revisions are numbered with four digits, so their order is that of their names.
        """
        if self.revision is None or head is None:
            return False
        return self.revision == head or (
            self.serves_from is not None and self.serves_from <= head < self.revision
        )


async def deployed(url: str) -> Deployed:
    """Return what a database says of its schema.

    A SQLite file that does not exist yet is made, readable by its owner alone. Raises `Unavailable`, `SchemaError`.
    """
    async with connect(url, create=True) as connection:
        return await stored(connection)


async def stored(connection: Connection) -> Deployed:
    """Return what is stored about the schema. Raises `SchemaError`."""
    if not await has_version_table(connection):
        return Deployed(None)
    # Releases up to revision 0004 made the table without that column.
    column = SERVES_FROM if await has_serves_from(connection) else "NULL"
    rows = await connection.fetch(f"SELECT version_num, {column} FROM {VERSION_TABLE[connection.dialect]}")
    if len(rows) > 1:
        raise SchemaError(
            "The table ostiary_alembic_version holds more than one revision, so somebody else wrote to it:"
            " restore the one row that `check` agrees with. Nothing was changed."
        )
    return Deployed(*rows[0]) if rows else Deployed(None)


async def has_version_table(connection: Connection) -> bool:
    """Say whether the database was ever deployed to."""
    found = await connection.fetch(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'ostiary_alembic_version'"
        if connection.dialect == "sqlite"
        else "SELECT 1 WHERE to_regclass('ostiary.ostiary_alembic_version') IS NOT NULL"
    )
    return bool(found)


async def has_serves_from(connection: Connection) -> bool:
    """Say whether the version table has room for which older releases may work here."""
    found = await connection.fetch(
        f"SELECT 1 FROM pragma_table_info('ostiary_alembic_version') WHERE name = '{SERVES_FROM}'"
        if connection.dialect == "sqlite"
        else "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('ostiary.ostiary_alembic_version')"
        f" AND attname = '{SERVES_FROM}' AND NOT attisdropped"
    )
    return bool(found)
