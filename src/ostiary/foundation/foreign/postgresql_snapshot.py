"""One moment of somebody else's PostgreSQL, every value as its text form."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from ostiary.foundation.foreign.model import ForeignDataError
from ostiary.foundation.foreign.names import paged_by, quoted
from ostiary.foundation.foreign.postgresql_connection import translating

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from ostiary.foundation.foreign.model import Key, Row, Value
    from ostiary.foundation.foreign.postgresql_catalogue import Catalogue
    from ostiary.foundation.foreign.postgresql_connection import Connection

_JSON: Final = json.JSONEncoder(ensure_ascii=False)
_STREAMED: Final = 1000
_LEDGER: Final = "SELECT pg_catalog.to_regclass('ostiary_capture.changes') IS NOT NULL"
_VERSIONS: Final = "SELECT root, version FROM ostiary_capture.changes WHERE root = ANY ($1::text[])"


def as_text(value: Value) -> str | None:
    """Return a value as PostgreSQL reads it."""
    match value:
        case None | str():
            return value
        case bytes():
            return f"\\x{value.hex()}"
        case bool():
            return "true" if value else "false"
    return repr(value)


def root_text(key: Key) -> str:
    """Return a root's key as the ledger names it: what PostgreSQL writes for an array of texts in JSON."""
    return _JSON.encode([as_text(value) for value in key])


class PostgreSQLSnapshot:
    """A transaction that sees one moment; whoever shares it takes turns."""

    def __init__(self, connection: Connection, catalogue: Catalogue) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._turn = asyncio.Lock()
        self._without_null: set[tuple[str, ...]] = set()

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""
        rows = await self._fetch(f"SELECT count(*) FROM {self._catalogue.relation(table)}", [])
        return int(rows[0][0])

    async def after(
        self, table: str, key: Sequence[str], last: Key | None, limit: int, *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the next rows in the order of `key`, behind `last`. Raises `ForeignDataError` if a key is null."""
        select = self._select(table, columns, key)
        places = ", ".join(f"t.{quoted(name)}" for name in key)
        paged_by(self._catalogue.tables[table], key)
        await self._refuse_null_keys(table, key)
        where = ""
        if last is not None:
            bounds = ", ".join(
                self._catalogue.parameter(table, name, f"${n}") for n, name in enumerate(key, 1)
            )
            # A row of one is no row: it would hide the index from the planner.
            where = f"WHERE ({places}) > ({bounds})" if len(key) > 1 else f"WHERE {places} > {bounds}"
        text = f"{select} {where} ORDER BY {places} LIMIT {int(limit)}"
        return _rows(columns, await self._fetch(text, [as_text(value) for value in last or ()]))

    async def where(
        self, table: str, column: str, values: Sequence[Value], *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the rows whose column has one of these values; null is none of them."""
        select = self._select(table, columns, [column])
        wanted = f"$1::text[]::{self._catalogue.types[table][column]}[]"
        text = f"{select} WHERE t.{quoted(column)} = ANY ({wanted}) {self._in_order(table)}"
        return _rows(columns, await self._fetch(text, [[as_text(value) for value in values]]))

    async def with_keys(
        self, table: str, key: Sequence[str], keys: Sequence[Key], *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the rows with these keys."""
        if len(key) == 1:
            return await self.where(table, key[0], [only for (only,) in keys], columns=columns)
        select = self._select(table, columns, key)
        names = [f"k{n}" for n in range(1, len(key) + 1)]
        arrays = ", ".join(f"${n}::text[]" for n in range(1, len(key) + 1))
        casts = ", ".join(
            self._catalogue.parameter(table, column, f"k.{name}")
            for column, name in zip(key, names, strict=True)
        )
        places = ", ".join(f"t.{quoted(name)}" for name in key)
        text = (
            f"{select} WHERE ({places}) IN (SELECT {casts} FROM unnest({arrays}) AS k ({', '.join(names)})) "
            f"{self._in_order(table)}"
        )
        parts = [[as_text(one[n]) for one in keys] for n in range(len(key))]
        return _rows(columns, await self._fetch(text, parts))

    async def strays(
        self, table: str, column: str, parent: str, target: str, *, columns: Sequence[str]
    ) -> AsyncIterator[Row]:
        """Return the rows whose column is null, or names no row of `parent`."""
        select = self._select(table, columns, [column])
        above = self._catalogue.relation(parent, [target])
        places = f"p.{quoted(target)}", f"t.{quoted(column)}"
        if self._catalogue.types[table][column] != self._catalogue.types[parent][target]:
            places = f"{places[0]}::text", f"{places[1]}::text"
        text = (
            f"{select} LEFT JOIN {above} AS p ON {places[0]} = {places[1]} WHERE p.{quoted(target)} IS NULL"
        )
        async with self._turn:
            with translating():
                cursor = await self._connection.cursor(text)
        while True:
            async with self._turn:
                with translating():
                    found = await cursor.fetch(_STREAMED)
            if not found:
                return
            for row in _rows(columns, found):
                yield row

    async def versions(self, keys: Sequence[Key]) -> Mapping[Key, int]:
        """Return how often each root was changed since capture began; those that never were are left out."""
        if not (await self._fetch(_LEDGER, []))[0][0]:
            return {}
        wanted = {root_text(key): tuple(key) for key in keys}
        found = await self._fetch(_VERSIONS, [list(wanted)])
        return {wanted[root]: version for root, version in found}

    def _select(self, table: str, columns: Sequence[str], others: Iterable[str] = ()) -> str:
        relation = self._catalogue.relation(table, [*columns, *others])
        texts = ", ".join(self._catalogue.text(table, column) for column in columns)
        return f"SELECT {texts} FROM {relation} AS t"

    def _in_order(self, table: str) -> str:
        key = self._catalogue.tables[table].key
        return f"ORDER BY {', '.join(f't.{quoted(name)}' for name in key)}" if key else ""

    async def _refuse_null_keys(self, table: str, key: Sequence[str]) -> None:
        # A comparison with null is never true, so such rows would be stepped over without a word.
        found = self._catalogue.tables[table]
        loose = [column.name for column in found.columns if column.name in key and column.nullable]
        if not loose or (table, *loose) in self._without_null:
            return
        condition = " OR ".join(f"{quoted(name)} IS NULL" for name in loose)
        if await self._fetch(
            f"SELECT 1 FROM {self._catalogue.relation(table)} WHERE {condition} LIMIT 1", []
        ):
            raise ForeignDataError(
                f'The table "{table}" has rows without a value in "{loose[0]}", which names its rows: give them one, '
                "or name another key."
            )
        self._without_null.add((table, *loose))

    async def _fetch(self, text: str, parameters: Sequence[Any]) -> list[Any]:
        async with self._turn:
            with translating():
                return await self._connection.fetch(text, *parameters)


def _rows(columns: Sequence[str], found: Sequence[Any]) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in found]
