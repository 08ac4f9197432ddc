"""What PostgreSQL's catalogue says of somebody else's tables, and how each is spelled in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ostiary.foundation.foreign.model import Column, Reference, Table
from ostiary.foundation.foreign.names import quoted, table_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.foundation.foreign.postgresql_connection import Connection

# Partitions are read through their table.
_RELATIONS: Final = """
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    %s
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname <> ALL ('{pg_catalog,information_schema,pg_toast,ostiary,ostiary_capture}')
      AND NOT (n.nspname = 'public' AND c.relname LIKE 'ostiary\\_%%')
"""
# The type without its length: a cast with it would cut a value short where an assignment refuses it.
_COLUMNS: Final = f"""
    SELECT n.nspname::text, c.relname::text, a.attname::text,
           pg_catalog.format_type(a.atttypid, a.atttypmod), pg_catalog.format_type(a.atttypid, -1),
           NOT a.attnotnull, a.atthasdef, a.attidentity <> '', a.attgenerated <> ''
    {_RELATIONS % "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"}
    ORDER BY 1, 2, a.attnum
"""
_NAMES: Final = """
    ARRAY(SELECT a.attname::text FROM unnest(%s) WITH ORDINALITY AS k (attnum, place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = %s AND a.attnum = k.attnum ORDER BY k.place)
"""
_INDEXES: Final = f"""
    SELECT n.nspname::text, c.relname::text, i.indisprimary,
           {_NAMES % ("(i.indkey::int2[])[0:i.indnkeyatts - 1]", "c.oid")}
    {_RELATIONS % "JOIN pg_catalog.pg_index i ON i.indrelid = c.oid"}
      AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY 1, 2, i.indexrelid
"""
_REFERENCES: Final = f"""
    SELECT n.nspname::text, c.relname::text, {_NAMES % ("k.conkey", "c.oid")},
           parent_schema.nspname::text, parent.relname::text, {_NAMES % ("k.confkey", "parent.oid")}
    {
    _RELATIONS
    % '''
    JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f'
    JOIN pg_catalog.pg_class parent ON parent.oid = k.confrelid
    JOIN pg_catalog.pg_namespace parent_schema ON parent_schema.oid = parent.relnamespace'''
}
    ORDER BY 1, 2, k.conname
"""


@dataclass(frozen=True)
class Catalogue:
    """The tables, and for each its name in SQL and the types its values are cast to."""

    tables: Mapping[str, Table]
    spelled: Mapping[str, str]
    types: Mapping[str, Mapping[str, str]]

    def relation(self, table: str, columns: Sequence[str] = ()) -> str:
        """Return how a table that has these columns is spelled. Raises `ForeignDataError`."""
        table_named(self.tables, table, columns)
        return self.spelled[table]

    def parameter(self, table: str, column: str, value: str) -> str:
        """Return how a text becomes a value of a column: `value` is a placeholder or a column of texts."""
        return f"{value}::text::{self.types[table][column]}"

    def text(self, table: str, column: str, row: str = "t") -> str:
        """Return the expression for a column's text form."""
        place = f"{row}.{quoted(column)}"
        if self.types[table][column] == "bpchar" and "(" not in self._declared(table, column):
            # Of blank-padded text without a length the cast would cut the blanks off, and nothing would pad it again.
            return f"CASE WHEN {place} IS NOT NULL THEN pg_catalog.concat({place}) END"
        return f"{place}::text"

    def _declared(self, table: str, column: str) -> str:
        found = self.tables[table].column(column)
        return "" if found is None else found.type


async def read_catalogue(connection: Connection) -> Catalogue:
    """Read what tables there are, those of Ostiary and of PostgreSQL left out."""
    columns: defaultdict[tuple[str, str], list[Column]] = defaultdict(list)
    types: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in await connection.fetch(_COLUMNS):
        schema, name, column, declared, cast, nullable, has_default, is_identity, is_generated = row
        columns[schema, name].append(
            Column(
                column,
                declared,
                nullable=nullable,
                has_default=(has_default and not is_generated) or is_identity,
                is_generated=is_generated,
            )
        )
        types[schema, name][column] = cast
    indexes = _by_table(await connection.fetch(_INDEXES))
    references = _by_table(await connection.fetch(_REFERENCES))
    tables = {}
    for place, found in columns.items():
        tables[place] = Table(
            table_name(*place),
            tuple(found),
            key=next((tuple(names) for is_key, names in indexes[place] if is_key), ()),
            unique=tuple(tuple(names) for is_key, names in indexes[place] if not is_key),
            references=tuple(
                Reference(tuple(names), table_name(schema, parent), tuple(target))
                for names, schema, parent, target in references[place]
            ),
        )
    return Catalogue(
        {table.name: table for table in tables.values()},
        {table.name: f"{quoted(place[0])}.{quoted(place[1])}" for place, table in tables.items()},
        {table.name: types[place] for place, table in tables.items()},
    )


def table_name(schema: str, name: str) -> str:
    """Return what a table is called here: in the usual schema by its bare name."""
    return name if schema == "public" else f"{schema}.{name}"


def _by_table(rows: Sequence[Any]) -> defaultdict[tuple[str, str], list[tuple[Any, ...]]]:
    found: defaultdict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        schema, name, *rest = row
        found[schema, name].append(tuple(rest))
    return found
