"""Which revision a database is at: read at every start, so neither SQLAlchemy nor Alembic is loaded for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.schema.connection import connect
from ostiary.schema.errors import SchemaError

if TYPE_CHECKING:
    from ostiary.schema.connection import Connection

VERSION_TABLE: Final = {
    "postgresql": "ostiary.ostiary_alembic_version",
    "sqlite": "ostiary_alembic_version",
}


async def current(url: str) -> str | None:
    """Return the revision a database is at, or None before the first deployment.

    A SQLite file that does not exist yet is made, readable by its owner alone. Raises `Unavailable`, `SchemaError`.
    """
    async with connect(url, create=True) as connection:
        return await stored_revision(connection)


async def stored_revision(connection: Connection) -> str | None:
    """Return the stored revision, or None before the first deployment. Raises `SchemaError`."""
    if not await has_version_table(connection):
        return None
    rows = await connection.fetch(f"SELECT version_num FROM {VERSION_TABLE[connection.dialect]}")
    if len(rows) > 1:
        raise SchemaError(
            "The table ostiary_alembic_version holds more than one revision, so somebody else wrote to it:"
            " restore the one row that `check` agrees with. Nothing was changed."
        )
    return rows[0][0] if rows else None


async def has_version_table(connection: Connection) -> bool:
    """Say whether the database was ever deployed to."""
    found = await connection.fetch(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'ostiary_alembic_version'"
        if connection.dialect == "sqlite"
        else "SELECT 1 WHERE to_regclass('ostiary.ostiary_alembic_version') IS NOT NULL"
    )
    return bool(found)
