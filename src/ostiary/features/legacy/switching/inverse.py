"""Values as the other system would have them: the inverse of reading a field, where there is one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.legacy.model import Aggregate
from ostiary.features.legacy.rows.fields import columns_of
from ostiary.features.legacy.rows.profile import field_of
from ostiary.foundation.crypto import derive_key, mac
from ostiary.foundation.foreign import Change, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.legacy.model import SourceRow
    from ostiary.features.legacy.rows.profile import Record
    from ostiary.features.legacy.work import Work
from ostiary.foundation.foreign import Column, Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "seconds": timedelta(seconds=1),
        "milliseconds": timedelta(milliseconds=1),
        "microseconds": timedelta(microseconds=1),
    }
)
_UNUSABLE_MARK: Final = "!"
_UNUSABLE_LENGTH: Final = 40
_INVERTIBLE: Final = frozenset({None, "inverse", "international", *_UNITS})
_NUMBERS: Final = ("int", "serial", "numeric", "decimal", "real", "double")


@dataclass(slots=True)
class Back:
    """What has to be written over there, and what cannot be."""

    changes: list[Change] = field(default_factory=list)
    needing_reset: list[str] = field(default_factory=list)
    """Owners whose password of today the other system cannot check, by key."""
    irreversible: list[tuple[str, str]] = field(default_factory=list)
    """Owners, and what of them does not come along."""
    adopted: list[tuple[UUID, str]] = field(default_factory=list)
    """Who was born here, and under which key they are over there now."""


@dataclass(slots=True)
class Written:
    """What is to be written of one owner: by table and key, columns and values, or that the row goes."""

    owner: Aggregate
    values: dict[tuple[str, str], Row] = field(default_factory=dict)
    gone: set[tuple[str, str]] = field(default_factory=set)

    def give(self, row: SourceRow, column: str, value: Value) -> None:
        """Give a column of a row a value."""
        self.values.setdefault((row.table, row.key), {})[column] = value

    def delete(self, row: SourceRow) -> None:
        """Take a row away."""
        self.gone.add((row.table, row.key))


class Inverse:
    """The inverse of a profile's fields, for tables as they are declared."""

    def __init__(self, work: Work) -> None:
        self.profile = work.plan.profile
        self.tables = work.tables
        self.shapes = work.owners.shapes
        self._zone = work.deriving.zone
        self._dialect = work.source.dialect
        self._password_key = derive_key(work.digest_key, "unusable passwords")

    def column(self, record: Record, name: str) -> Column | None:
        """Return the column of the record's own table that a field comes from as it is; None where there is no such."""
        written = record.fields.get(name)
        if written is None:
            return None
        spoken = field_of(written)
        plain = not (spoken.path or spoken.values or spoken.after or spoken.plus_seconds)
        if spoken.column is None or not plain or spoken.as_ not in _INVERTIBLE:
            return None
        ((table, column),) = columns_of(self.profile, record.from_, spoken)
        found = self.tables.get(table)
        return None if table != record.from_ or found is None else found.column(column)

    def encoded(self, record: Record, name: str, column: Column, value: object) -> Value:
        """Return what a column holds for a value of ours."""
        conversion, kind = field_of(record.fields[name]).as_, column.type.lower()
        if isinstance(value, bool):
            return self._flag(value is not (conversion == "inverse"), kind)
        if isinstance(value, datetime):
            return self._moment(value, conversion, kind)
        if conversion == "international" and isinstance(value, str):
            return value.removeprefix("+")
        return value if value is None or isinstance(value, str | int) else str(value)

    def unusable_password(self, key: str) -> str:
        """Return what no password of an owner over there fits, the same each time (HMAC-SHA256).

        It is no hash of any kind; where passwords lie open, nobody can guess it.
        """
        return _UNUSABLE_MARK + mac(self._password_key, key.encode()).hex()[:_UNUSABLE_LENGTH]

    def nothing(self, column: Column) -> Value:
        """Return what stands for no text in a column that may not be null."""
        return None if column.nullable else ""

    def is_number(self, table: str, name: str) -> bool:
        """Say whether a column holds numbers."""
        column = self.tables[table].column(name)
        return column is not None and any(part in column.type.lower() for part in _NUMBERS)

    def changes(self, written: Written, there: Aggregate | None, back: Back) -> None:
        """Add what differs from the rows as they are over there now; of rows that are gone there, say so."""
        rows = (
            {} if there is None else {(n, row.key): row for n, found in there.rows.items() for row in found}
        )
        for place in written.gone | written.values.keys():
            row = rows.get(place)
            if row is None:
                if place not in written.gone:
                    back.irreversible.append(
                        (written.owner.text, f"its row of {place[0]} is gone over there")
                    )
                continue
            key = {name: row.values[name] for name in self.shapes[row.table].key}
            if place in written.gone:
                back.changes.append(Change(row.table, key, None))
                continue
            values = {
                name: value for name, value in written.values[place].items() if row.values[name] != value
            }
            if values:
                back.changes.append(Change(row.table, key, values))

    def _flag(self, shown: bool, kind: str) -> Value:  # noqa: FBT001 - the value itself
        if self._dialect == "sqlite":
            return int(shown)
        if any(part in kind for part in _NUMBERS):
            return str(int(shown))
        return "true" if shown else "false"

    def _moment(self, value: datetime, unit: str | None, kind: str) -> Value:
        if unit is not None and unit in _UNITS and "timestamp" not in kind:
            return (value - _EPOCH) // _UNITS[unit]
        if "with time zone" in kind or "timestamptz" in kind:
            return value.isoformat(" ")
        return value.astimezone(self._zone).replace(tzinfo=None).isoformat(" ")
