"""Which roots of somebody else's SQLite file change: triggers, and a ledger in tables of its own.

Whoever writes is alone, so the counts of a root are in the order of the commits.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from ostiary.foundation.foreign.capture_sqlite_sql import (
    CLOSED,
    LEDGER,
    LEDGER_IS_THERE,
    NOTING,
    closing,
    key_of,
    noting,
    root_of,
)
from ostiary.foundation.foreign.model import ForeignDataError
from ostiary.foundation.foreign.names import quoted, table_named
from ostiary.foundation.foreign.sqlite_catalogue import read_catalogue
from ostiary.foundation.foreign.sqlite_connection import bound, placeholder, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from ostiary.foundation.foreign.model import Capturing, Key
    from ostiary.foundation.foreign.sqlite_connection import Connection

_OURS: Final = (
    "SELECT type, name FROM sqlite_master WHERE substr(name, 1, ?2) = ?1 AND type IN ('table', 'trigger')"
)
_PENDING: Final = "SELECT count(*) FROM ostiary_capture_changes WHERE applied < version"
_CHANGED: Final = (
    "SELECT root, version FROM ostiary_capture_changes WHERE applied < version ORDER BY since, root LIMIT ?1"
)
_SETTLE: Final = (
    "UPDATE ostiary_capture_changes SET applied = min(version, ?{n}) WHERE root = {root} AND applied < ?{n}"
)


class SQLiteCapture:
    """The ledger `ostiary_capture_changes` and the triggers that write to it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def is_installed(self) -> bool:
        """Say whether the ledger and its triggers are there."""
        return await self._connection.do(_is_installed)

    async def install(self, capturing: Capturing) -> int:
        """Make the ledger and the triggers, in one transaction, and return how many triggers; again changes nothing.

        Raises `ForeignDataError` where something else is captured already.
        """
        wanted = json.dumps(asdict(capturing))

        def make(raw: sqlite3.Connection) -> int:
            with transaction(raw):
                statements = noting(capturing, read_catalogue(raw))
                if _is_there(raw):
                    known = raw.execute("SELECT capturing FROM ostiary_capture_captured").fetchone()
                    if known is not None and known[0] != wanted:
                        raise ForeignDataError(
                            "Changes of other tables are captured there already: take that capture away first."
                        )
                    if known is not None and len(_named(raw, NOTING)) == len(statements):
                        return len(statements)
                _drop(raw, NOTING)
                for statement in (*LEDGER, *statements):
                    raw.execute(statement)
                raw.execute("DELETE FROM ostiary_capture_captured")
                raw.execute("INSERT INTO ostiary_capture_captured VALUES (?1, ?2)", (wanted, len(statements)))
            return len(statements)

        return await self._connection.do(make)

    async def remove(self) -> None:
        """Take triggers and ledger away, so that nothing is left of them; again changes nothing."""

        def take_away(raw: sqlite3.Connection) -> None:
            with transaction(raw):
                _drop(raw, "ostiary_capture_")

        await self._connection.do(take_away)

    async def pending(self) -> int:
        """Return how many roots have changes that were not settled."""
        return await self._connection.do(
            lambda raw: int(raw.execute(_PENDING).fetchone()[0]) if _is_there(raw) else 0
        )

    async def changed(self, limit: int) -> list[tuple[Key, int]]:
        """Return roots with changes that were not settled, and the version of each, the longest waiting first."""
        rows = await self._connection.do(
            lambda raw: raw.execute(_CHANGED, (limit,)).fetchall() if _is_there(raw) else []
        )
        return [(key_of(root), version) for root, version in rows]

    async def settle(self, done: Sequence[tuple[Key, int]]) -> None:
        """Note that these roots were taken over as of these versions; later changes stay unsettled."""

        def note(raw: sqlite3.Connection) -> None:
            with transaction(raw):
                for key, version in done if _is_there(raw) else ():
                    root = root_of([placeholder(value, n) for n, value in enumerate(key, 1)])
                    text = _SETTLE.format(root=root, n=len(key) + 1)
                    raw.execute(text, [*map(bound, key), version])

        await self._connection.do(note)

    async def close_tables(self, columns: Mapping[str, Sequence[str]], message: str) -> None:
        """Refuse, from now on, inserts, deletes and changes of these columns of these tables, with this message.

        Takes the place of the triggers that note changes; what Ostiary itself writes there is let through.
        """

        def close(raw: sqlite3.Connection) -> None:
            with transaction(raw):
                tables = read_catalogue(raw)
                _drop(raw, CLOSED)
                for statement in LEDGER:
                    raw.execute(statement)
                for number, (table, closed) in enumerate(columns.items(), 1):
                    for statement in closing(table_named(tables, table, closed), closed, message, number):
                        raw.execute(statement)
                _drop(raw, NOTING)

        await self._connection.do(close)

    async def open_tables(self) -> None:
        """Take the refusal away again; changes are noted from the next `install` on, so install first."""

        def reopen(raw: sqlite3.Connection) -> None:
            with transaction(raw):
                _drop(raw, CLOSED)

        await self._connection.do(reopen)


def _is_there(raw: sqlite3.Connection) -> bool:
    return raw.execute(LEDGER_IS_THERE).fetchone() is not None


def _is_installed(raw: sqlite3.Connection) -> bool:
    if not _is_there(raw):
        return False
    wanted = raw.execute("SELECT triggers FROM ostiary_capture_captured").fetchone()
    return wanted is not None and len(_named(raw, NOTING)) == wanted[0]


def _named(raw: sqlite3.Connection, prefix: str) -> list[tuple[str, str]]:
    return raw.execute(_OURS, (prefix, len(prefix))).fetchall()


def _drop(raw: sqlite3.Connection, prefix: str) -> None:
    # Triggers first: they name the tables.
    for kind, name in sorted(_named(raw, prefix), reverse=True):
        raw.execute(f"DROP {kind} {quoted(name)}")
