"""Which roots of somebody else's PostgreSQL change: triggers, and a ledger in a schema of its own.

A change counts its root up in the transaction that makes it, so whoever sees the change sees the count. The ledger's
row is locked until then: of one root the counts are in the order of the commits.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.foreign.capture_postgresql_sql import (
    CLOSED,
    COUNT_NOTING,
    LEDGER,
    NOTING,
    REFUSE,
    TRIGGERS,
    closing,
    noting,
)
from ostiary.foundation.foreign.model import ForeignDataError
from ostiary.foundation.foreign.postgresql_connection import translating
from ostiary.foundation.foreign.postgresql_snapshot import root_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from ostiary.foundation.foreign.model import Capturing, Key
    from ostiary.foundation.foreign.postgresql_catalogue import Catalogue
    from ostiary.foundation.foreign.postgresql_connection import Connection, Connections

_IS_THERE: Final = "SELECT pg_catalog.to_regclass('ostiary_capture.changes') IS NOT NULL"
_ALONE: Final = "SELECT pg_catalog.pg_advisory_xact_lock(7810772140223947121)"
_OWNED: Final = """
    SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = $1::text::regclass
"""
_MAY_CREATE: Final = "SELECT pg_catalog.has_database_privilege(current_database(), 'CREATE')"
_PENDING: Final = "SELECT count(*) FROM ostiary_capture.changes WHERE applied < version"
_CHANGED: Final = """
    SELECT root, version FROM ostiary_capture.changes WHERE applied < version ORDER BY since, root LIMIT $1
"""
_SETTLE: Final = """
    UPDATE ostiary_capture.changes AS c SET applied = least(d.version, c.version)
    FROM (SELECT * FROM unnest($1::text[], $2::bigint[]) AS d (root, version) ORDER BY root) AS d
    WHERE c.root = d.root AND c.applied < d.version
"""

_TRIES: Final = 5
_PAUSE: Final = timedelta(milliseconds=100)


class PostgreSQLCapture:
    """The ledger `ostiary_capture.changes` and the triggers that write to it."""

    def __init__(self, connections: Connections, catalogue: Callable[[], Awaitable[Catalogue]]) -> None:
        self._connections = connections
        self._catalogue = catalogue

    async def is_installed(self) -> bool:
        """Say whether the ledger and its triggers are there."""
        async with self._connections.reading() as connection:
            with translating():
                if not await connection.fetchval(_IS_THERE):
                    return False
                wanted = await connection.fetchval("SELECT triggers FROM ostiary_capture.captured")
                return wanted is not None and await connection.fetchval(COUNT_NOTING) == wanted

    async def install(self, capturing: Capturing) -> int:
        """Make the ledger and the triggers, in one transaction, and return how many triggers; again changes nothing.

        Waits until whoever is writing to the tables is done, five seconds for each at the most. Raises `ForeignDataError` where
        the role does not own the tables, or something else is captured already.
        """
        for left in reversed(range(_TRIES)):
            try:
                return await self._install(capturing)
            except Unavailable:
                if not left:
                    raise
                await asyncio.sleep(_PAUSE.total_seconds())
        return 0

    async def _install(self, capturing: Capturing) -> int:
        catalogue = await self._catalogue()
        statements = noting(capturing, catalogue)
        wanted = json.dumps(asdict(capturing))
        async with self._connections.writing() as connection:
            await connection.execute(_ALONE)
            if await connection.fetchval(_IS_THERE):
                known = await connection.fetchval("SELECT capturing FROM ostiary_capture.captured")
                if known is not None and known != wanted:
                    raise ForeignDataError(
                        "Changes of other tables are captured there already: take that capture away first."
                    )
                if known is not None and await connection.fetchval(COUNT_NOTING) == len(statements):
                    return len(statements)
            await _check_rights(connection, (catalogue.relation(watch.table) for watch in capturing.watches))
            await connection.execute(LEDGER)
            await _drop(connection, NOTING)
            for statement in statements:
                await connection.execute(statement)
            await connection.execute("DELETE FROM ostiary_capture.captured")
            await connection.execute(
                "INSERT INTO ostiary_capture.captured (capturing, triggers) VALUES ($1, $2)",
                wanted,
                len(statements),
            )
        return len(statements)

    async def remove(self) -> None:
        """Take triggers and ledger away, so that nothing is left of them; again changes nothing."""
        async with self._connections.writing() as connection:
            await connection.execute(_ALONE)
            await _drop(connection, NOTING)
            await _drop(connection, CLOSED)
            await connection.execute("DROP SCHEMA IF EXISTS ostiary_capture CASCADE")

    async def pending(self) -> int:
        """Return how many roots have changes that were not settled."""
        async with self._connections.writing() as connection:
            return int(await connection.fetchval(_PENDING)) if await connection.fetchval(_IS_THERE) else 0

    async def changed(self, limit: int) -> list[tuple[Key, int]]:
        """Return roots with changes that were not settled, and the version of each, the longest waiting first."""
        async with self._connections.writing() as connection:
            if not await connection.fetchval(_IS_THERE):
                return []
            rows = await connection.fetch(_CHANGED, limit)
        return [(tuple(json.loads(root)), version) for root, version in rows]

    async def settle(self, done: Sequence[tuple[Key, int]]) -> None:
        """Note that these roots were taken over as of these versions; later changes stay unsettled."""
        async with self._connections.writing() as connection:
            if await connection.fetchval(_IS_THERE):
                roots = [root_text(key) for key, _ in done]
                await connection.execute(_SETTLE, roots, [version for _, version in done])

    async def close_tables(self, columns: Mapping[str, Sequence[str]], message: str) -> None:
        """Refuse, from now on, inserts, deletes and changes of these columns of these tables, with this message.

        Takes the place of the triggers that note changes; what Ostiary itself writes there is let through.
        """
        for left in reversed(range(_TRIES)):
            try:
                await self._close_tables(columns, message)
                break
            except Unavailable:
                # Whoever writes to several of the tables may wait for us while we wait for them; one of both is sent away.
                if not left:
                    raise
                await asyncio.sleep(_PAUSE.total_seconds())

    async def _close_tables(self, columns: Mapping[str, Sequence[str]], message: str) -> None:
        catalogue = await self._catalogue()
        async with self._connections.writing() as connection:
            await connection.execute(_ALONE)
            await _check_rights(connection, (catalogue.relation(table) for table in columns))
            await connection.execute(LEDGER)
            await connection.execute(REFUSE)
            await _drop(connection, CLOSED)
            for table, closed in columns.items():
                for statement in closing(catalogue, table, closed, message):
                    await connection.execute(statement)
            await _drop(connection, NOTING)

    async def open_tables(self) -> None:
        """Take the refusal away again; changes are noted from the next `install` on, so install first."""
        async with self._connections.writing() as connection:
            await connection.execute(_ALONE)
            await _drop(connection, CLOSED)


async def _drop(connection: Connection, pattern: str) -> None:
    for trigger, relation in await connection.fetch(TRIGGERS, pattern):
        await connection.execute(f"DROP TRIGGER {trigger} ON {relation}")


async def _check_rights(connection: Connection, relations: Iterable[str]) -> None:
    if not await connection.fetchval(_MAY_CREATE):
        raise _forbidden("may not CREATE in the database")
    for relation in relations:
        if not await connection.fetchval(_OWNED, relation):
            raise _forbidden(f"does not own {relation}")


def _forbidden(what: str) -> ForeignDataError:
    return ForeignDataError(
        f"The source's role {what}, so it cannot make triggers there and take them away again: grant it the right (be a "
        "member of the owner's role), or declare a write freeze instead of capturing changes."
    )
