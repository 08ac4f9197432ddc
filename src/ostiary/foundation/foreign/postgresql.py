"""Somebody else's PostgreSQL database."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from ostiary.foundation.foreign import postgresql_changes
from ostiary.foundation.foreign.capture_postgresql import PostgreSQLCapture
from ostiary.foundation.foreign.postgresql_catalogue import Catalogue, read_catalogue
from ostiary.foundation.foreign.postgresql_connection import Connections, translating
from ostiary.foundation.foreign.postgresql_snapshot import PostgreSQLSnapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from ostiary.foundation.foreign.model import Capture, Change, Snapshot, Table

# Every transaction that writes takes a number, and none that reads does; so do those of other databases of the cluster.
_STATE: Final = """
    SELECT concat_ws('.', (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()),
                     pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()))
"""
# What replication applies fires no triggers, and foreign keys are triggers.
_MAY_REPLICATE: Final = """
    SELECT CASE WHEN current_setting('server_version_num')::int >= 150000
                THEN pg_catalog.has_parameter_privilege('session_replication_role', 'SET')
                ELSE current_setting('is_superuser') = 'on' END
"""


class PostgreSQLSource:
    """The database a URL names, read through connections of its own."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self.description = "PostgreSQL"
        self._connections = Connections(url)
        self._known: Catalogue | None = None
        self.capture: Capture | None = PostgreSQLCapture(self._connections, self._catalogue)

    async def open(self) -> None:
        """Connect. Raises `Unavailable`, `ForeignDataError`."""
        await self._connections.open()
        async with self._connections.reading() as connection:
            with translating():
                name = await connection.fetchval("SELECT current_database()")
            version = connection.get_server_version()
        self.description = f"PostgreSQL {version.major}.{version.minor}, database {name}"

    async def close(self) -> None:
        """Let go. May be called twice."""
        await self._connections.close()

    async def tables(self) -> Mapping[str, Table]:
        """Return every table, by name; Ostiary's own and the database's are left out."""
        async with self._connections.reading() as connection:
            with translating():
                self._known = await read_catalogue(connection)
        return self._known.tables

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Read one moment of it: REPEATABLE READ, READ ONLY."""
        catalogue = await self._catalogue()
        async with self._connections.reading() as connection:
            yield PostgreSQLSnapshot(connection, catalogue)

    async def write(self, changes: Sequence[Change], *, as_they_were: bool = False) -> int:
        """Make all changes in one transaction, or none, and return how many rows were touched.

        With `as_they_were` neither foreign keys nor triggers are looked at, where the role may say so.
        """
        catalogue = await self._catalogue()
        async with self._connections.writing() as connection:
            if as_they_were and await connection.fetchval(_MAY_REPLICATE):
                await connection.execute("SET LOCAL session_replication_role = replica")
            return await postgresql_changes.write(connection, catalogue, changes)

    async def erase(self, table: str, columns: Sequence[str], *, delete_rows: bool) -> int:
        """Empty columns for good, or delete every row; the table's file is written anew (VACUUM FULL).

        The write-ahead log and backups keep what they have for as long as they are kept.
        """
        catalogue = await self._catalogue()
        return await postgresql_changes.erase(
            self._connections, catalogue, table, columns, delete_rows=delete_rows
        )

    async def state(self) -> str:
        """Return a text that is another one when anything was written, in this database or its cluster."""
        async with self._connections.reading() as connection:
            with translating():
                return str(await connection.fetchval(_STATE))

    async def _catalogue(self) -> Catalogue:
        if self._known is None:
            await self.tables()
        if self._known is None:
            raise AssertionError("Reading the tables leaves them known.")
        return self._known
