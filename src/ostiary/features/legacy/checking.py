"""A profile beside the tables there are: what it names and is not there, what is there and it says nothing of.

Also which tables have keys that are somebody's secret or address, and so must not be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.features.legacy.fields import columns_of, columns_of_condition
from ostiary.features.legacy.profile import FIELDS, field_of
from ostiary.features.legacy.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ostiary.features.legacy.profile import Profile, SourceTable
    from ostiary.foundation.foreign import Table

_FILES: Final = "files"
# What reading a file adds to its rows.
_ADDED: Final = "#"
_ADDRESSES: Final = frozenset({"email", "phone"})


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something about a table that no row is to blame for."""

    reason: Reason
    table: str
    column: str | None = None

    @property
    def hides_rows(self) -> bool:
        """Whether rows cannot be looked at before it is put right."""
        return self.reason is not Reason.COLUMN_UNMAPPED


def discrepancies(profile: Profile, tables: Mapping[str, Table]) -> list[Discrepancy]:
    """Return where a profile and the tables do not fit each other."""
    found: list[Discrepancy] = []
    read, needed = _read_columns(profile), _needed_columns(profile)
    for name, spoken in profile.tables.items():
        table = tables.get(name)
        if table is None:
            if not spoken.optional:
                found.append(Discrepancy(Reason.TABLE_MISSING, name))
            continue
        if spoken.dropped is not None:
            continue
        if not (spoken.key or table.key):
            found.append(Discrepancy(Reason.NO_PRIMARY_KEY, name))
        there = {column.name for column in table.columns}
        # A column that no row of a file has is null.
        wanted = needed.get(name, set()) if profile.source == _FILES else read.get(name, set())
        found += [
            Discrepancy(Reason.COLUMN_MISSING, name, column)
            for column in sorted(wanted - there - set(spoken.may_lack))
        ]
        if spoken.others is None:
            known = read.get(name, set()) | set(table.key) | set(spoken.drop) | set(spoken.seal)
            found += [
                Discrepancy(Reason.COLUMN_UNMAPPED, name, column.name)
                for column in table.columns
                if column.name not in known and not column.name.startswith(_ADDED)
            ]
    return found


def unproven_keys(profile: Profile, tables: Mapping[str, Table]) -> list[tuple[str, tuple[str, ...]]]:
    """Return what has to name one row only, without the source promising it: tables, and their columns."""
    found: dict[tuple[str, tuple[str, ...]], None] = {}
    for name, spoken in profile.owned.items():
        if name not in tables:
            continue
        # Files are refused as they are opened if two rows have the same key.
        if spoken.key and profile.source != _FILES and not _is_unique(tables[name], spoken.key):
            found[name, spoken.key] = None
        owner = spoken.owner
        if owner is None or owner.table not in tables:
            continue
        named = profile.tables[owner.table].key or tables[owner.table].key
        if named != (owner.target,) and not _is_unique(tables[owner.table], (owner.target,)):
            found[owner.table, (owner.target,)] = None
    return [*found]


def tables_with_telling_keys(profile: Profile, tables: Mapping[str, Table]) -> frozenset[str]:
    """Return the tables whose keys are secrets or addresses of people."""
    telling: dict[str, set[str]] = {name: set(spoken.secrets) for name, spoken in profile.tables.items()}
    for record in profile.records:
        types = FIELDS[record.make]
        for name, field in record.fields.items():
            if types[name] == "secret" or name in _ADDRESSES:
                for table, column in columns_of(profile, record.from_, field_of(field)):
                    telling.setdefault(table, set()).add(column)
    for spoken in profile.owned.values():
        owner = spoken.owner
        if owner is not None and owner.target in telling.get(owner.table, ()):
            telling[next(name for name, one in profile.tables.items() if one is spoken)].add(owner.column)
    return frozenset(
        name
        for name, columns in telling.items()
        if name in tables and columns & set(profile.tables[name].key or tables[name].key)
    )


def _is_unique(table: Table, columns: tuple[str, ...]) -> bool:
    return any(set(one) <= set(columns) for one in (table.key, *table.unique) if one)


def _read_columns(profile: Profile) -> dict[str, set[str]]:
    found = _needed_columns(profile)
    for table, column in _columns_of_records(profile):
        found.setdefault(table, set()).add(column)
    for name, spoken in profile.tables.items():
        found.setdefault(name, set()).update(spoken.secrets)
    return found


def _needed_columns(profile: Profile) -> dict[str, set[str]]:
    """Return the columns without which rows and their owners cannot be told."""
    found: dict[str, set[str]] = {}

    def add(name: str, spoken: SourceTable) -> None:
        found.setdefault(name, set()).update(spoken.key)
        if spoken.owner is not None:
            found[name].add(spoken.owner.column)
            found.setdefault(spoken.owner.table, set()).add(spoken.owner.target)

    for name, spoken in profile.tables.items():
        add(name, spoken)
    return found


def _columns_of_records(profile: Profile) -> Iterator[tuple[str, str]]:
    for record in profile.records:
        for field in record.fields.values():
            yield from columns_of(profile, record.from_, field_of(field))
        for condition in record.when:
            yield columns_of_condition(profile, record.from_, condition)
