"""The statements that make SQLite note changes, or refuse them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ostiary.foundation.foreign.names import literal, quoted, table_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ostiary.foundation.foreign.model import Capturing, Key, Table, Value, Watch

NOTING: Final = "ostiary_capture_note_"
CLOSED: Final = "ostiary_capture_closed_"
LEDGER: Final = (
    (
        "CREATE TABLE IF NOT EXISTS ostiary_capture_changes (root TEXT PRIMARY KEY, version INTEGER NOT NULL, "
        "applied INTEGER NOT NULL DEFAULT 0, since INTEGER NOT NULL) WITHOUT ROWID"
    ),
    (
        "CREATE INDEX IF NOT EXISTS ostiary_capture_changes_waiting ON ostiary_capture_changes (since, root) "
        "WHERE applied < version"
    ),
    "CREATE TABLE IF NOT EXISTS ostiary_capture_captured (capturing TEXT NOT NULL, triggers INTEGER NOT NULL)",
    # Holds a row while Ostiary itself writes, which nobody else ever sees: it is gone again before the commit.
    "CREATE TABLE IF NOT EXISTS ostiary_capture_writing (is_ours INTEGER NOT NULL)",
)
LEDGER_IS_THERE: Final = (
    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'ostiary_capture_changes'"
)
VERSION: Final = "SELECT version FROM ostiary_capture_changes WHERE root = {root}"
NOW: Final = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_IS_STRANGER: Final = "NOT EXISTS (SELECT 1 FROM ostiary_capture_writing)"


def root_of(values: Sequence[str]) -> str:
    """Return the expression for a root's key as the ledger names it: an array in JSON that keeps storage classes."""
    parts = (
        f"CASE typeof({value}) WHEN 'text' THEN 's' || {value} WHEN 'blob' THEN 'x' || hex({value}) ELSE {value} END"
        for value in values
    )
    return f"json_array({', '.join(parts)})"


def key_of(root: str) -> Key:
    """Return the key that a root's name in the ledger says."""
    return tuple(_value(part) for part in json.loads(root))


def _value(part: Value) -> Value:
    if not isinstance(part, str):
        return part
    return part[1:] if part[0] == "s" else bytes.fromhex(part[1:])


def noting(capturing: Capturing, tables: Mapping[str, Table]) -> list[str]:
    """Return the statements that make the triggers, one for each.

    Those that come before are for REPLACE, which takes rows away and tells no trigger of it.
    """
    statements = []
    for number, watch in enumerate(capturing.watches, 1):
        table = table_named(tables, watch.table)
        old, new = (_roots(capturing, watch, tables, row) for row in ("OLD", "NEW"))
        in_the_way = _roots_in_the_way(capturing, watch, tables)
        itself = " AND ".join(f"old_row.{quoted(name)} IS OLD.{quoted(name)}" for name in table.key) or "0"
        displaced = [f"{roots} AND NOT ({itself})" for roots in in_the_way]
        for name, moment, queries in (
            ("insert", "AFTER INSERT", [new]),
            ("update", "AFTER UPDATE", [old, new]),
            ("delete", "AFTER DELETE", [old]),
            ("replace", "BEFORE INSERT", in_the_way),
            ("displace", "BEFORE UPDATE", displaced),
        ):
            if queries:
                statements.append(
                    f"CREATE TRIGGER {NOTING}{name}_{number} {moment} ON {quoted(table.name)} "
                    f"FOR EACH ROW BEGIN {_count_up(' UNION '.join(queries))} END"
                )
    return statements


def closing(table: Table, columns: Sequence[str], message: str, number: int) -> Iterator[str]:
    """Return the statements that make the triggers which refuse changes of a table.

    What an application writes back as it was is no change.
    """
    is_changed = " OR ".join(f"OLD.{quoted(name)} IS NOT NEW.{quoted(name)}" for name in columns)
    has_value = " OR ".join(f"NEW.{quoted(name)} IS NOT NULL" for name in columns)
    conditions = (
        {"INSERT": has_value, "UPDATE": is_changed}
        if columns
        else dict.fromkeys(("INSERT", "DELETE", "UPDATE"), "TRUE")
    )
    for event, condition in conditions.items():
        yield (
            f"CREATE TRIGGER {CLOSED}{event.lower()}_{number} AFTER {event} ON {quoted(table.name)} "
            f"FOR EACH ROW WHEN {_IS_STRANGER} AND ({condition}) BEGIN SELECT RAISE(ABORT, {literal(message)}); END"
        )


def _count_up(roots: str) -> str:
    # In two steps, as ON CONFLICT inside a trigger obeys the statement outside: REPLACE would begin at one again.
    return (
        "INSERT INTO ostiary_capture_changes (root, version, since) "
        f"SELECT r.root, 0, 0 FROM ({roots}) AS r WHERE r.root NOT IN (SELECT root FROM ostiary_capture_changes); "
        f"UPDATE ostiary_capture_changes SET version = version + 1, "
        f"since = CASE WHEN applied = version THEN {NOW} ELSE since END WHERE root IN ({roots});"
    )


def _roots(capturing: Capturing, watch: Watch, tables: Mapping[str, Table], row: str) -> str:
    """Return the query for the roots of a trigger's row."""
    table, place = watch.table, row
    sources = []
    for number, (column, parent, target) in enumerate(watch.path):
        table_named(tables, table, [column])
        table_named(tables, parent, [target])
        alias = f"p{number}"
        sources.append(f"{quoted(parent)} AS {alias} ON {alias}.{quoted(target)} = {place}.{quoted(column)}")
        table, place = parent, alias
    table_named(tables, table, capturing.key)
    joined = "(SELECT 1) AS one_row" + "".join(f" JOIN {source}" for source in sources)
    key = [f"{place}.{quoted(name)}" for name in capturing.key]
    has_key = " AND ".join(f"{value} IS NOT NULL" for value in key)
    return f"SELECT {root_of(key)} AS root FROM {joined} WHERE {has_key}"


def _roots_in_the_way(capturing: Capturing, watch: Watch, tables: Mapping[str, Table]) -> list[str]:
    """Return queries for the roots of the rows that one like `NEW` would take the place of."""
    table = tables[watch.table]
    queries = []
    for names in (table.key, *table.unique):
        if names:
            same = " AND ".join(f"old_row.{quoted(name)} = NEW.{quoted(name)}" for name in names)
            roots = _roots(capturing, watch, tables, "old_row")
            queries.append(
                roots.replace("(SELECT 1) AS one_row", f"{quoted(table.name)} AS old_row", 1) + f" AND {same}"
            )
    return queries
