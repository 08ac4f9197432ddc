"""Puts a system into an empty database, or its exports into a folder."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from pathlib import Path

    from tests.features.legacy.systems.making import File, Recipe, Row

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def dialect_of(url: str) -> str:
    """Return what kind of database an address is of."""
    return "sqlite" if url.startswith("sqlite:") else "postgresql"


async def write_database(recipe: Recipe, url: str, portions: Iterable[Mapping[str, list[Row]]]) -> None:
    """Make the tables and write the rows."""
    if dialect_of(url) == "sqlite":
        await asyncio.to_thread(_write_sqlite, recipe, url, portions)
    else:
        await _write_postgresql(recipe, url, portions)


async def damage_database(url: str, statements: Iterable[str]) -> None:
    """Change a database that was written."""
    if dialect_of(url) == "sqlite":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(";\n".join(statements))
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(";\n".join(statements))
    finally:
        await connection.close()


def _write_sqlite(recipe: Recipe, url: str, portions: Iterable[Mapping[str, list[Row]]]) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.executescript(recipe.ddl["sqlite"])
        with connection:
            for table, rows in _in_order(recipe, portions):
                columns = recipe.tables[table]
                names = ", ".join(f'"{column}"' for column in columns)
                connection.executemany(
                    f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})',
                    [[_sqlite(row.get(column), recipe) for column in columns] for row in rows],
                )


async def _write_postgresql(recipe: Recipe, url: str, portions: Iterable[Mapping[str, list[Row]]]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(recipe.ddl["postgresql"])
        # As in a database whose constraints were added late: rows may point at nothing.
        await connection.execute("SET session_replication_role = replica")
        async with connection.transaction():
            for table, rows in _in_order(recipe, portions):
                schema, _, name = table.rpartition(".")
                columns = recipe.tables[table]
                await connection.copy_to_table(
                    name, schema_name=schema or None, columns=columns, source=_copied(rows, columns)
                )
        await connection.execute("SET session_replication_role = origin")
        for table, columns in recipe.tables.items():
            if "id" in columns:
                await connection.execute(_FOLLOW, _quoted(table))
    finally:
        await connection.close()


# A key made by the database goes on after those that were written.
_FOLLOW: Final = """
SELECT setval(sequence, 2000000000) FROM (SELECT pg_get_serial_sequence($1, 'id') AS sequence) AS made
WHERE sequence IS NOT NULL
"""


def _quoted(table: str) -> str:
    return ".".join(f'"{part}"' for part in table.split("."))


def _in_order(recipe: Recipe, portions: Iterable[Mapping[str, list[Row]]]) -> Iterable[tuple[str, list[Row]]]:
    for portion in portions:
        for table in recipe.tables:
            if table in portion:
                yield table, portion[table]


async def _copied(rows: list[Row], columns: tuple[str, ...]) -> AsyncIterator[bytes]:
    for start in range(0, len(rows), 500):
        lines = (
            "\t".join([_copy(row.get(column)) for column in columns]) for row in rows[start : start + 500]
        )
        yield ("\n".join(lines) + "\n").encode()


def _copy(value: Any) -> str:
    """Write a value for COPY in its text form."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, list | dict):
        return json.dumps(value).translate(_ESCAPES)
    return str(value)


def _sqlite(value: Any, recipe: Recipe) -> Any:
    if isinstance(value, datetime):
        if recipe.counts_milliseconds:
            return (value - _EPOCH) // (datetime.resolution * 1000)
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    return json.dumps(value) if isinstance(value, list | dict) else value


def write_files(recipe: Recipe, folder: Path, portions: Iterable[Mapping[str, list[Row]]]) -> dict[str, Path]:
    """Write the files of an export and return where each one is, by the name the profile gives it."""
    paths = {name: folder / file.name for name, file in recipe.files.items()}
    for name, path in paths.items():
        path.write_text(recipe.files[name].head, encoding="utf-8")
    first = dict.fromkeys(paths, True)
    for portion in portions:
        for name, file in recipe.files.items():
            rows = portion.get(name, [])
            if rows:
                _append(file, paths[name], rows, first=first[name])
                first[name] = False
    for name, path in paths.items():
        with path.open("a", encoding="utf-8") as stream:
            stream.write(recipe.files[name].tail)
    return paths


def _append(file: File, path: Path, rows: list[Row], *, first: bool) -> None:
    with path.open("a", encoding="utf-8", newline="") as stream:
        match file.format:
            case "csv":
                csv.writer(stream).writerows([_cell(value) for value in row.values()] for row in rows)
            case "ndjson":
                stream.writelines(f"{_document(row)}\n" for row in rows)
            case _:
                stream.write(",\n".join(chain([] if first else [""], map(_document, rows))))


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _document(row: Row) -> str:
    """Write an object as exports do: without what there is none of."""
    return json.dumps({name: value for name, value in row.items() if value is not None}, ensure_ascii=False)
