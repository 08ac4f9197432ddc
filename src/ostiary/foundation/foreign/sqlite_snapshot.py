"""One moment of somebody else's SQLite file, every value with its storage class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ostiary.foundation.foreign.capture_sqlite_sql import LEDGER_IS_THERE, VERSION, root_of
from ostiary.foundation.foreign.model import ForeignDataError
from ostiary.foundation.foreign.names import paged_by, portions, quoted, table_named
from ostiary.foundation.foreign.sqlite_connection import bound, placeholder

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from ostiary.foundation.foreign.model import Key, Row, Table, Value
    from ostiary.foundation.foreign.sqlite_connection import Connection

_STREAMED: Final = 1000
_PARAMETERS: Final = 30_000


class SQLiteSnapshot:
    """A transaction that sees one moment."""

    def __init__(self, connection: Connection, tables: Mapping[str, Table]) -> None:
        self._connection = connection
        self._tables = tables
        self._without_null: set[tuple[str, ...]] = set()

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""
        table_named(self._tables, table)
        rows = await self._fetch(f"SELECT count(*) FROM {quoted(table)}", [])
        return int(rows[0][0])

    async def after(
        self, table: str, key: Sequence[str], last: Key | None, limit: int, *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the next rows in the order of `key`, behind `last`. Raises `ForeignDataError` if a key is null."""
        select = self._select(table, columns, key)
        paged_by(self._tables[table], key)
        await self._refuse_null_keys(table, key)
        places = ", ".join(f"t.{quoted(name)}" for name in key)
        where = ""
        if last is not None:
            where = (
                f"WHERE ({places}) > ({', '.join(placeholder(value, n) for n, value in enumerate(last, 1))})"
            )
        text = f"{select} {where} ORDER BY {places} LIMIT {int(limit)}"
        return _rows(columns, await self._fetch(text, last or ()))

    async def where(
        self, table: str, column: str, values: Sequence[Value], *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the rows whose column has one of these values; null is none of them."""
        return await self.with_keys(table, [column], [(value,) for value in values], columns=columns)

    async def with_keys(
        self, table: str, key: Sequence[str], keys: Sequence[Key], *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the rows with these keys, in the order of the primary key as far as one statement goes."""
        select = self._select(table, columns, key)
        found: list[Row] = []
        # Whoever asks for a key twice has its row once.
        asked = list({tuple((type(value), value) for value in one): tuple(one) for one in keys}.values())
        for part in portions(asked, _PARAMETERS // max(len(key), 1)):
            given = [value for one in part for value in one]
            marks = [placeholder(value, n) for n, value in enumerate(given, 1)]
            if len(key) == 1:
                condition = f"t.{quoted(key[0])} IN ({', '.join(marks)})"
            else:
                places = ", ".join(f"t.{quoted(name)}" for name in key)
                sets = ", ".join(f"({', '.join(one)})" for one in portions(marks, len(key)))
                condition = f"({places}) IN (VALUES {sets})"
            found += _rows(
                columns, await self._fetch(f"{select} WHERE {condition} {self._in_order(table)}", given)
            )
        return found

    async def strays(
        self, table: str, column: str, parent: str, target: str, *, columns: Sequence[str]
    ) -> AsyncIterator[Row]:
        """Return the rows whose column is null, or names no row of `parent`."""
        table_named(self._tables, parent, [target])
        text = (
            f"{self._select(table, columns, [column])} LEFT JOIN {quoted(parent)} AS p "
            f"ON p.{quoted(target)} = t.{quoted(column)} WHERE p.{quoted(target)} IS NULL"
        )
        cursor = await self._connection.do(lambda raw: raw.execute(text))
        while found := await self._connection.do(lambda _: cursor.fetchmany(_STREAMED)):
            for row in _rows(columns, found):
                yield row

    async def versions(self, keys: Sequence[Key]) -> Mapping[Key, int]:
        """Return how often each root was changed since capture began; those that never were are left out."""
        wanted = [tuple(key) for key in keys]

        def look_up(raw: sqlite3.Connection) -> dict[Key, int]:
            if not raw.execute(LEDGER_IS_THERE).fetchone():
                return {}
            found: dict[Key, int] = {}
            for key in wanted:
                root = root_of([placeholder(value, n) for n, value in enumerate(key, 1)])
                row = raw.execute(VERSION.format(root=root), [bound(value) for value in key]).fetchone()
                if row is not None:
                    found[key] = row[0]
            return found

        return await self._connection.do(look_up)

    def _select(self, table: str, columns: Sequence[str], others: Iterable[str] = ()) -> str:
        table_named(self._tables, table, [*columns, *others])
        return f"SELECT {', '.join(f't.{quoted(column)}' for column in columns) or '1'} FROM {quoted(table)} AS t"

    def _in_order(self, table: str) -> str:
        key = self._tables[table].key
        return f"ORDER BY {', '.join(f't.{quoted(name)}' for name in key)}" if key else ""

    async def _refuse_null_keys(self, table: str, key: Sequence[str]) -> None:
        # SQLite lets most primary keys be null. A comparison with null is never true, so such rows would be stepped over.
        loose = [
            column.name for column in self._tables[table].columns if column.name in key and column.nullable
        ]
        if not loose or (table, *loose) in self._without_null:
            return
        condition = " OR ".join(f"{quoted(name)} IS NULL" for name in loose)
        if await self._fetch(f"SELECT 1 FROM {quoted(table)} WHERE {condition} LIMIT 1", []):
            raise ForeignDataError(
                f'The table "{table}" has rows without a value in "{loose[0]}", which names its rows: give them one, '
                "or name another key."
            )
        self._without_null.add((table, *loose))

    async def _fetch(self, text: str, values: Sequence[Value]) -> list[Any]:
        parameters = [bound(value) for value in values]
        return await self._connection.do(lambda raw: raw.execute(text, parameters).fetchall())


def _rows(columns: Sequence[str], found: Sequence[Any]) -> list[Row]:
    return [dict(zip(columns, row, strict=False)) for row in found]
