"""What a SQLite file says of its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.foundation.foreign.model import Column, Reference, Table
from ostiary.foundation.foreign.names import quoted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

_OURS: Final = ("sqlite_", "ostiary_")
_HIDDEN: Final = 1
_GENERATED: Final = (2, 3)
# Virtual tables keep their rows in others that are theirs alone.
_TABLES: Final = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name"


def read_catalogue(raw: sqlite3.Connection) -> dict[str, Table]:
    """Read what tables there are, those of Ostiary and of SQLite left out."""
    names = [name for (name,) in raw.execute(_TABLES) if not name.lower().startswith(_OURS)]
    columns = {name: _columns(raw, name) for name in names}
    keys = {name: key for name, (_, key) in columns.items()}
    # Names are compared without regard to case: a reference may spell its table in another way.
    spelled = {name.lower(): name for name in names}
    return {
        name: Table(
            name,
            columns[name][0],
            key=keys[name],
            unique=_unique(raw, name, keys[name]),
            references=_references(raw, name, keys, spelled),
        )
        for name in names
    }


def _columns(raw: sqlite3.Connection, table: str) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    rows = raw.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
    key = [name for place, name in sorted((pk, name) for _, name, _, _, _, pk, _ in rows if pk)]
    columns = []
    for _, name, declared, is_required, default, _, hidden in rows:
        if hidden == _HIDDEN:
            continue
        numbers_itself = key == [name] and declared.upper() == "INTEGER"
        columns.append(
            Column(
                name,
                declared,
                nullable=not is_required and not numbers_itself,
                has_default=default is not None or numbers_itself,
                is_generated=hidden in _GENERATED,
            )
        )
    return tuple(columns), tuple(key)


def _unique(raw: sqlite3.Connection, table: str, key: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    found = []
    for _, index, is_unique, _, is_partial in raw.execute(f"PRAGMA index_list({quoted(table)})").fetchall():
        if not is_unique or is_partial:
            continue
        names = tuple(name for _, _, name in raw.execute(f"PRAGMA index_info({quoted(index)})"))
        if None not in names and names != key:
            found.append(names)
    return tuple(sorted(found))


def _references(
    raw: sqlite3.Connection, table: str, keys: Mapping[str, tuple[str, ...]], spelled: Mapping[str, str]
) -> tuple[Reference, ...]:
    found: dict[int, list[tuple[str, str, str | None]]] = {}
    for number, _, parent, column, target, *_ in raw.execute(f"PRAGMA foreign_key_list({quoted(table)})"):
        found.setdefault(number, []).append((parent, column, target))
    references = []
    for number in sorted(found):
        parts = found[number]
        parent = spelled.get(parts[0][0].lower(), parts[0][0])
        named = tuple(target for _, _, target in parts if target is not None)
        # Without a target the parent's key is meant.
        references.append(
            Reference(tuple(column for _, column, _ in parts), parent, named or keys.get(parent, ()))
        )
    return tuple(references)
