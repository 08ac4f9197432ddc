"""Drift: what a database holds against what it should hold.

What it should hold is made from tables.py by the same kind of database (on PostgreSQL as temporary objects that
are rolled back, on SQLite in memory), so both sides are described by the same hand and every difference is
real: columns, types, defaults, keys, checks, cascades, index predicates, triggers, functions.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy.schema import CreateIndex, CreateSequence, CreateTable, Sequence

from ostiary.schema.connection import Sqlite
from ostiary.schema.dialects import SCHEMA, ddl_dialect, qualify
from ostiary.schema.tables import METADATA, SEQUENCES
from ostiary.schema.triggers import trigger_statements

if TYPE_CHECKING:
    from ostiary.schema.connection import Connection


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not as this release expects it."""

    kind: str
    """`table`, `column`, `constraint`, `index`, `trigger`, `function` or `sequence`."""
    name: str
    expected: str | None
    """Its definition in this release; None if it should not be there."""
    found: str | None
    """Its definition in the database; None if it is missing."""

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.kind} {self.name} is missing; expected: {self.expected}"
        if self.expected is None:
            return f"{self.kind} {self.name} is not part of this schema; found: {self.found}"
        return f"{self.kind} {self.name} differs; expected: {self.expected}; found: {self.found}"


class _Object(NamedTuple):
    kind: str
    table: str
    """The table it belongs to; for a table itself and for what belongs to none, empty."""
    name: str


async def differences(connection: Connection) -> list[Difference]:
    """Compare a database with tables.py and triggers.py of this release."""
    if connection.dialect == "sqlite":
        expected = await _expected_on_sqlite()
        found = await _sqlite_snapshot(connection)
    else:
        async with connection.transaction():
            expected = await _expected_on_postgresql(connection)
            found = await _postgresql_snapshot(connection, "to_regnamespace('ostiary')")
    return [
        Difference(
            item.kind,
            f"{item.table}.{item.name}" if item.table else item.name,
            expected.get(item),
            found.get(item),
        )
        for item in sorted(expected.keys() | found.keys())
        if expected.get(item) != found.get(item) and not _goes_with_its_table(item, expected, found)
    ]


def _goes_with_its_table(item: _Object, expected: dict[_Object, str], found: dict[_Object, str]) -> bool:
    """Say whether a whole table is missing or unexpected, so that its parts need no line of their own."""
    table = _Object("table", "", item.table)
    return bool(item.table) and (table in expected) != (table in found)


def _statements(dialect: str) -> list[str]:
    writer = ddl_dialect(dialect)
    elements = [
        CreateSequence(Sequence(name, schema=SCHEMA)) for name in SEQUENCES if dialect == "postgresql"
    ]
    ddl = [str(element.compile(dialect=writer)) for element in elements]
    for table in METADATA.sorted_tables:
        ddl.append(str(CreateTable(table).compile(dialect=writer)))
        ddl.extend(str(CreateIndex(index).compile(dialect=writer)) for index in table.indexes)
    return [*ddl, *trigger_statements(dialect)]


# PostgreSQL

_POSTGRESQL_OBJECTS: Final = """
WITH relation AS (
  SELECT oid, relname, relkind FROM pg_class
   WHERE relnamespace = {schema} AND relname NOT LIKE 'ostiary\\_alembic\\_version%' AND NOT relispartition
)
SELECT 'table', '', relname::text, 'table' || coalesce(' ' || pg_get_partkeydef(oid), '') FROM relation WHERE relkind IN ('r', 'p')
UNION ALL
SELECT 'sequence', '', relname, format_type(seqtypid, NULL)
  FROM relation JOIN pg_sequence ON seqrelid = oid
 WHERE NOT EXISTS (SELECT FROM pg_depend WHERE objid = relation.oid AND deptype = 'i')
UNION ALL
SELECT 'column', relname, attname,
       format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END
       || coalesce(' default ' || pg_get_expr(adbin, adrelid), '')
       || CASE attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity' ELSE '' END
  FROM relation
  JOIN pg_attribute ON attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE relkind IN ('r', 'p')
UNION ALL
SELECT 'constraint', relname, conname, pg_get_constraintdef(pg_constraint.oid)
  FROM relation JOIN pg_constraint ON conrelid = relation.oid AND contype IN ('p', 'u', 'f', 'c', 'x')
UNION ALL
SELECT 'index', relation.relname, own.relname,
       pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' invalid' END
  FROM relation JOIN pg_index ON indrelid = relation.oid JOIN pg_class AS own ON own.oid = indexrelid
 WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'trigger', relname, tgname,
       pg_get_triggerdef(pg_trigger.oid) || CASE tgenabled WHEN 'O' THEN '' ELSE ' not enabled' END
  FROM relation JOIN pg_trigger ON tgrelid = relation.oid AND NOT tgisinternal
UNION ALL
SELECT 'function', '', proname, pg_get_functiondef(oid)
  FROM pg_proc WHERE pronamespace = {schema} AND prokind = 'f'
"""


# Which schema an object stands in is the one thing that always differs between the two sides.
_OWN_SCHEMA: Final = re.compile(r"\b(ostiary|pg_temp(_\d+)?)\.")


async def _postgresql_snapshot(connection: Connection, schema: str) -> dict[_Object, str]:
    rows = await connection.fetch(_POSTGRESQL_OBJECTS.replace("{schema}", schema))
    return {
        _Object(kind, table, name): _one_line(_OWN_SCHEMA.sub("", definition))
        for kind, table, name, definition in rows
    }


async def _expected_on_postgresql(connection: Connection) -> dict[_Object, str]:
    await connection.execute("SAVEPOINT before_expected")
    for statement in _statements("postgresql"):
        await connection.execute(qualify(statement, "pg_temp."))
    expected = await _postgresql_snapshot(connection, "pg_my_temp_schema()")
    await connection.execute("ROLLBACK TO SAVEPOINT before_expected")
    return expected


# SQLite

_SQLITE_OBJECTS: Final = r"""
WITH relation AS (
  SELECT name, sql FROM sqlite_master
   WHERE type = 'table' AND name LIKE 'ostiary\_%' ESCAPE '\' AND name <> 'ostiary_alembic_version'
)
SELECT 'table', '', relation.name, CASE list.strict WHEN 1 THEN 'strict' ELSE 'not strict' END
       || CASE WHEN relation.sql LIKE '%AUTOINCREMENT%' THEN ' autoincrement' ELSE '' END
  FROM relation JOIN pragma_table_list AS list ON list.name = relation.name AND list.schema = 'main'
UNION ALL
SELECT 'column', relation.name, info.name, info.type || CASE info."notnull" WHEN 1 THEN ' not null' ELSE '' END
       || coalesce(' default ' || info.dflt_value, '') || CASE info.pk WHEN 0 THEN '' ELSE ' key ' || info.pk END
  FROM relation JOIN pragma_table_xinfo(relation.name) AS info
UNION ALL
SELECT 'constraint', relation.name, 'foreign key (' || group_concat("from") || ')',
       'references ' || "table" || ' (' || group_concat("to") || ') on delete ' || on_delete || ' on update ' || on_update
  FROM relation JOIN pragma_foreign_key_list(relation.name) GROUP BY relation.name, id
UNION ALL
SELECT 'constraint', relation.name,
       'unique (' || (SELECT group_concat(name) FROM pragma_index_info(list.name)) || ')', 'unique'
  FROM relation JOIN pragma_index_list(relation.name) AS list WHERE list.origin = 'u'
UNION ALL
SELECT item.type, item.tbl_name, item.name, item.sql
  FROM relation JOIN sqlite_master AS item
    ON item.tbl_name = relation.name AND item.type IN ('index', 'trigger') AND item.sql IS NOT NULL
"""
_CHECK: Final = re.compile(r"CHECK\s*\(", re.IGNORECASE)


async def _sqlite_snapshot(connection: Connection) -> dict[_Object, str]:
    snapshot = {
        _Object(kind, table, name): _one_line(definition)
        for kind, table, name, definition in await connection.fetch(_SQLITE_OBJECTS)
    }
    tables = await connection.fetch("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    for table, sql in tables:
        if _Object("table", "", table) in snapshot:
            snapshot |= {_Object("constraint", table, check): "check" for check in _checks(sql)}
    return snapshot


async def _expected_on_sqlite() -> dict[_Object, str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)) as memory:
        connection = Sqlite(memory)
        for statement in _statements("sqlite"):
            await connection.execute(qualify(statement, "ostiary_"))
        return await _sqlite_snapshot(connection)


def _checks(sql: str) -> list[str]:
    """Return the check constraints of a CREATE TABLE; SQLite lists everything else but these."""
    return [_one_line(sql[match.start() : _closing(sql, match.end())]) for match in _CHECK.finditer(sql)]


def _closing(sql: str, start: int) -> int:
    """Return the place behind the parenthesis that closes the one before `start`."""
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(sql[start], 0)
        start += 1
    return start


def _one_line(text: str) -> str:
    return " ".join(text.split())
