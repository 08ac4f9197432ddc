"""Somebody else's SQLite file, which may be the very one Ostiary keeps its own tables in."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ostiary.foundation.foreign.capture_sqlite import SQLiteCapture
from ostiary.foundation.foreign.capture_sqlite_sql import LEDGER_IS_THERE
from ostiary.foundation.foreign.model import ForeignDataError
from ostiary.foundation.foreign.names import listed, quoted, table_named
from ostiary.foundation.foreign.sqlite_catalogue import read_catalogue
from ostiary.foundation.foreign.sqlite_connection import Connection, bound, placeholder, transaction
from ostiary.foundation.foreign.sqlite_snapshot import SQLiteSnapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from ostiary.foundation.foreign.model import Capture, Change, Row, Snapshot, Table, Value

_PORTION: Final = 5000


class SQLiteSource:
    """The SQLite database in the file at `path`."""

    dialect = "sqlite"

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self.description = f"SQLite, file {self._path.name}"
        self._writer = Connection(self._path, reads_only=False)
        # Held open: a connection is told of every commit but its own, as long as it lasts.
        self._observer = Connection(self._path, reads_only=True)
        self._known: Mapping[str, Table] | None = None
        self.capture: Capture | None = SQLiteCapture(self._writer)

    async def open(self) -> None:
        """Open the file, which has to be there. Raises `Unavailable`, `ForeignDataError`."""
        await self._writer.open()
        await self._observer.open()
        self.description = f"SQLite {sqlite3.sqlite_version}, file {self._path.name}"

    async def close(self) -> None:
        """Let go. May be called twice."""
        await self._observer.close()
        await self._writer.close()

    async def tables(self) -> Mapping[str, Table]:
        """Return every table, by name; Ostiary's own and SQLite's are left out."""
        self._known = await self._observer.do(read_catalogue)
        return self._known

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Read one moment of it. Without a write-ahead log nobody can write until it is over, so keep it short."""
        tables = await self._tables()
        connection = Connection(self._path, reads_only=True)
        await connection.open()
        try:
            await connection.do(_begin)
            yield SQLiteSnapshot(connection, tables)
        finally:
            await connection.close()

    async def write(self, changes: Sequence[Change], *, as_they_were: bool = False) -> int:
        """Make all changes in one transaction, or none, and return how many rows were touched.

        With `as_they_were` foreign keys are not looked at; triggers run.
        """
        tables = await self._tables()

        def make(raw: sqlite3.Connection) -> int:
            raw.execute(f"PRAGMA foreign_keys = {'OFF' if as_they_were else 'ON'}")
            try:
                with transaction(raw), _let_in(raw):
                    raw.execute("PRAGMA defer_foreign_keys = ON")
                    return sum(_make(raw, tables, change) for change in changes)
            finally:
                raw.execute("PRAGMA foreign_keys = ON")

        return await self._writer.do(make)

    async def erase(self, table: str, columns: Sequence[str], *, delete_rows: bool) -> int:
        """Empty columns for good, or delete every row; the file is written anew (VACUUM), its log emptied."""
        found = table_named(await self._tables(), table, columns)
        await self._writer.do(lambda raw: raw.execute("PRAGMA secure_delete = ON").fetchall())
        touched = 0
        for text in _erasing(found, columns, delete_rows=delete_rows):
            while portion := await self._writer.do(partial(_erase, text)):
                touched += portion
        await self._writer.do(_rewrite)
        return touched

    async def state(self) -> str:
        """Return a text that is another one when anything was written; it can be compared while the source is open."""
        return await self._observer.do(
            lambda raw: ".".join(
                str(raw.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("schema_version", "data_version")
            )
        )

    async def _tables(self) -> Mapping[str, Table]:
        return await self.tables() if self._known is None else self._known


def _begin(raw: sqlite3.Connection) -> None:
    raw.execute("BEGIN")
    # The moment is that of the first look, not that of BEGIN.
    raw.execute("SELECT count(*) FROM sqlite_master").fetchone()


class _let_in:  # noqa: N801 - reads as what it does, like `suppress`
    """Let our own changes through closed tables, until the end of the block."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._is_needed = False

    def __enter__(self) -> None:
        self._is_needed = self._raw.execute(LEDGER_IS_THERE).fetchone() is not None
        if self._is_needed:
            self._raw.execute("INSERT INTO ostiary_capture_writing VALUES (1)")

    def __exit__(self, *_: object) -> None:
        if self._is_needed and self._raw.in_transaction:
            self._raw.execute("DELETE FROM ostiary_capture_writing")


def _make(raw: sqlite3.Connection, tables: Mapping[str, Table], change: Change) -> int:
    table = table_named(tables, change.table, [*change.key, *(change.values or ())])
    if change.values is None:
        condition, given = _equal(change.key, " AND ", 1)
        return raw.execute(f"DELETE FROM {quoted(table.name)} WHERE {condition}", given).rowcount
    computed = {column.name for column in table.columns if column.is_generated}
    values = {name: value for name, value in change.values.items() if name not in computed}
    touched = _update(raw, table, change.key, values)
    if touched or not change.insert:
        return touched
    row = {**change.key, **values}
    marks = ", ".join(placeholder(value, n) for n, value in enumerate(row.values(), 1))
    text = f"INSERT INTO {quoted(table.name)} ({listed(row)}) VALUES ({marks})"
    return raw.execute(text, [bound(value) for value in row.values()]).rowcount


def _update(raw: sqlite3.Connection, table: Table, key: Row, values: Row) -> int:
    if not values:
        condition, given = _equal(key, " AND ", 1)
        return int(
            raw.execute(f"SELECT count(*) FROM {quoted(table.name)} WHERE {condition}", given).fetchone()[0]
        )
    sets, new = _equal(values, ", ", 1)
    condition, old = _equal(key, " AND ", 1 + len(values))
    text = f"UPDATE {quoted(table.name)} SET {sets} WHERE {condition}"
    return raw.execute(text, [*new, *old]).rowcount


def _equal(row: Row, between: str, first: int) -> tuple[str, list[Value]]:
    parts = (
        f"{quoted(name)} = {placeholder(value, n)}" for n, (name, value) in enumerate(row.items(), first)
    )
    return between.join(parts), [bound(value) for value in row.values()]


def _erasing(table: Table, columns: Sequence[str], *, delete_rows: bool) -> Iterator[str]:
    """Yield statements to be run until they touch nothing: some rows at a time, then those that no key names."""
    name = quoted(table.name)
    found = [column for column in table.columns if column.name in columns]
    empty = {quoted(column.name): "NULL" if column.nullable else "''" for column in found}
    sets = ", ".join(f"{column} = {nothing}" for column, nothing in empty.items())
    filled = " OR ".join(f"{column} IS NOT {nothing}" for column, nothing in empty.items())
    change, condition = (
        (f"DELETE FROM {name}", "true") if delete_rows else (f"UPDATE {name} SET {sets}", filled)
    )
    if table.key:
        key = listed(table.key)
        yield f"{change} WHERE ({key}) IN (SELECT {key} FROM {name} WHERE {condition} LIMIT {_PORTION})"
    yield f"{change} WHERE {condition}"


def _erase(text: str, raw: sqlite3.Connection) -> int:
    with transaction(raw), _let_in(raw):
        return raw.execute(text).rowcount


def _rewrite(raw: sqlite3.Connection) -> None:
    """Have the whole file written anew: what was erased before, by anybody, may still stand between its rows."""
    raw.execute("VACUUM")
    (is_busy, *_) = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise ForeignDataError(
            "The values are gone from the file's rows, not yet from its log: somebody is reading. Erase again when nobody does."
        )
