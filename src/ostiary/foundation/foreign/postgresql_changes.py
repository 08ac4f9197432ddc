"""Writing to somebody else's PostgreSQL: rows put back or changed, columns emptied for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ostiary.foundation.foreign.model import ForeignDataError
from ostiary.foundation.foreign.names import listed, quoted
from ostiary.foundation.foreign.postgresql_snapshot import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ostiary.foundation.foreign.model import Change, Column, Row, Value
    from ostiary.foundation.foreign.postgresql_catalogue import Catalogue
    from ostiary.foundation.foreign.postgresql_connection import Connection, Connections

_AT_ONCE: Final = 500
_PORTION: Final = 5000


async def write(connection: Connection, catalogue: Catalogue, changes: Sequence[Change]) -> int:
    """Make the changes in their order, those of one shape by one statement; return how many rows were touched."""
    touched = 0
    for group in _groups(changes):
        first = group[0]
        names = [*first.key, *(first.values or ())]
        catalogue.relation(first.table, names)
        if first.values is None:
            touched += await _delete(connection, catalogue, group)
            continue
        found = await _update(connection, catalogue, group)
        touched += len(found)
        if first.insert:
            missing = [change for n, change in enumerate(group, 1) if n not in found]
            touched += await _insert(connection, catalogue, missing)
    return touched


def _groups(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Split into runs of one table and the same columns, no row twice in a run."""
    group: list[Change] = []
    shape: tuple[Any, ...] = ()
    keys: set[tuple[Value, ...]] = set()
    for change in changes:
        this = (change.table, tuple(change.key), change.insert, change.values and tuple(change.values))
        key = tuple(change.key.values())
        if group and (this != shape or key in keys or len(group) == _AT_ONCE):
            yield group
            group, keys = [], set()
        shape = this
        keys.add(key)
        group.append(change)
    if group:
        yield group


def _given(names: Sequence[str], rows: Sequence[Row]) -> tuple[str, list[list[str | None]]]:
    """Return the rows as a table `d` of texts, `c1` to `cn` and their number, and its parameters."""
    arrays = ", ".join(f"${n}::text[]" for n in range(1, len(names) + 1))
    labels = ", ".join(f"c{n}" for n in range(1, len(names) + 1))
    parameters = [[as_text(row[name]) for row in rows] for name in names]
    return f"unnest({arrays}) WITH ORDINALITY AS d ({labels}, n)", parameters


def _matching(catalogue: Catalogue, table: str, key: Sequence[str]) -> str:
    return " AND ".join(
        f"t.{quoted(name)} = {catalogue.parameter(table, name, f'd.c{n}')}" for n, name in enumerate(key, 1)
    )


async def _delete(connection: Connection, catalogue: Catalogue, group: Sequence[Change]) -> int:
    table, key = group[0].table, [*group[0].key]
    given, parameters = _given(key, [change.key for change in group])
    text = (
        f"DELETE FROM {catalogue.spelled[table]} AS t USING {given} WHERE {_matching(catalogue, table, key)}"
    )
    return _count(await connection.execute(text, *parameters))


async def _update(connection: Connection, catalogue: Catalogue, group: Sequence[Change]) -> set[int]:
    """Change the rows that are there, and return their numbers in the group."""
    table, key = group[0].table, [*group[0].key]
    names = [*key, *(name for name in group[0].values or () if _is_written(catalogue, table, name))]
    # A key that stays as it is stays out: an identity column may not be set to what it is.
    changed = [
        (n, name)
        for n, name in enumerate(names, 1)
        if n > len(key) and not all(name in c.key and c.key[name] == (c.values or {})[name] for c in group)
    ]
    rows = [[*change.key.values(), *_written(change, names[len(key) :])] for change in group]
    arrays = ", ".join(f"${n}::text[]" for n in range(1, len(names) + 1))
    labels = ", ".join(f"c{n}" for n in range(1, len(names) + 1))
    given = f"unnest({arrays}) WITH ORDINALITY AS d ({labels}, n)"
    parameters = [[as_text(row[n]) for row in rows] for n in range(len(names))]
    condition = _matching(catalogue, table, key)
    if changed:
        sets = ", ".join(
            f"{quoted(name)} = {catalogue.parameter(table, name, f'd.c{n}')}" for n, name in changed
        )
        text = (
            f"UPDATE {catalogue.spelled[table]} AS t SET {sets} FROM {given} WHERE {condition} RETURNING d.n"
        )
    else:
        text = f"SELECT d.n FROM {catalogue.spelled[table]} AS t JOIN {given} ON {condition}"
    return {n for (n,) in await connection.fetch(text, *parameters)}


async def _insert(connection: Connection, catalogue: Catalogue, group: Sequence[Change]) -> int:
    if not group:
        return 0
    table = group[0].table
    rows = [{**change.key, **(change.values or {})} for change in group]
    names = [name for name in rows[0] if _is_written(catalogue, table, name)]
    given, parameters = _given(names, rows)
    values = ", ".join(catalogue.parameter(table, name, f"d.c{n}") for n, name in enumerate(names, 1))
    text = (
        f"INSERT INTO {catalogue.spelled[table]} ({listed(names)}) OVERRIDING SYSTEM VALUE "
        f"SELECT {values} FROM {given} ORDER BY d.n"
    )
    return _count(await connection.execute(text, *parameters))


def _is_written(catalogue: Catalogue, table: str, name: str) -> bool:
    column = catalogue.tables[table].column(name)
    return column is not None and not column.is_generated


def _written(change: Change, names: Sequence[str]) -> list[Value]:
    values = change.values or {}
    return [values[name] for name in names]


async def erase(
    connections: Connections, catalogue: Catalogue, table: str, columns: Sequence[str], *, delete_rows: bool
) -> int:
    """Empty columns in portions, or delete every row, then have the table's file written anew."""
    relation = catalogue.relation(table, columns)
    if delete_rows:
        touched = await _delete_all(connections, relation)
    else:
        touched = await _empty(connections, catalogue, table, columns)
    await _rewrite(connections, relation, table)
    return touched


async def _delete_all(connections: Connections, relation: str) -> int:
    text = f"DELETE FROM {relation} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {relation} LIMIT {_PORTION}))"
    touched = 0
    while True:
        async with connections.writing() as connection:
            portion = _count(await connection.execute(text))
        if not portion:
            return touched
        touched += portion


async def _empty(connections: Connections, catalogue: Catalogue, table: str, columns: Sequence[str]) -> int:
    relation = catalogue.spelled[table]
    found = [column for column in catalogue.tables[table].columns if column.name in columns]
    nothing = {column.name: _nothing(column) for column in found}
    sets = ", ".join(f"{quoted(name)} = {empty}" for name, empty in nothing.items())
    filled = " OR ".join(
        f"t.{quoted(name)}::text IS DISTINCT FROM {empty}" for name, empty in nothing.items()
    )
    key = catalogue.tables[table].key
    if not key:
        async with connections.writing() as connection:
            return _count(await connection.execute(f"UPDATE {relation} AS t SET {sets} WHERE {filled}"))
    places = ", ".join(f"t.{quoted(name)}" for name in key)
    texts = ", ".join(catalogue.text(table, name) for name in key)
    last: Sequence[str] | None = None
    touched = 0
    while True:
        bound = _bound(catalogue, table, key, ">", 1) if last else "true"
        part = f"SELECT {texts} FROM {relation} AS t WHERE {bound} ORDER BY {places} LIMIT 1 OFFSET {_PORTION - 1}"
        async with connections.writing() as connection:
            end = await connection.fetchrow(part, *(last or ()))
            upper = _bound(catalogue, table, key, "<=", 1 + len(last or ())) if end else "true"
            touched += _count(
                await connection.execute(
                    f"UPDATE {relation} AS t SET {sets} WHERE {bound} AND {upper} AND ({filled})",
                    *(last or ()),
                    *(end or ()),
                )
            )
        if end is None:
            return touched
        last = [*end]


def _nothing(column: Column) -> str:
    if column.nullable:
        return "NULL"
    return "'{}'" if column.type.lower().startswith("json") else "''"


def _bound(catalogue: Catalogue, table: str, key: Sequence[str], comparison: str, first: int) -> str:
    places = ", ".join(f"t.{quoted(name)}" for name in key)
    values = ", ".join(catalogue.parameter(table, name, f"${n}") for n, name in enumerate(key, first))
    return f"({places}) {comparison} ({values})"


async def _rewrite(connections: Connections, relation: str, table: str) -> None:
    """Have the table's file written anew: what a row was before stays in the old one until then."""
    place = "SELECT pg_catalog.pg_relation_filenode($1::text::regclass)"
    async with connections.alone() as connection:
        before = await connection.fetchval(place, relation)
        # Outside a transaction a setting holds for the session, so it is put back.
        await connection.execute("SET statement_timeout = 0")
        await connection.execute(f"VACUUM (FULL, ANALYZE) {relation}")
        await connection.execute("RESET statement_timeout")
        after = await connection.fetchval(place, relation)
    # Without the right to it the server only warns.
    if before == after:
        raise ForeignDataError(
            f'The values of "{table}" are gone from its rows, not yet from its file: let its owner run '
            "VACUUM FULL on it."
        )


def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
