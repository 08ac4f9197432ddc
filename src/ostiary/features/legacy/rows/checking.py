"""A profile beside the tables there are: what it names and is not there, what is there and it says nothing of.

Also which tables have keys that are somebody's secret or address, and so must not be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.features.legacy.rows.fields import columns_of
from ostiary.features.legacy.rows.inspection import missing, unmapped
from ostiary.features.legacy.rows.profile import FIELDS, field_of
from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.legacy.rows.profile import Profile
    from ostiary.foundation.foreign import Table

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
    return [
        *(
            Discrepancy(Reason.TABLE_MISSING if column is None else Reason.COLUMN_MISSING, table, column)
            for table, column in missing(profile, tables)
        ),
        *(
            Discrepancy(Reason.NO_PRIMARY_KEY, name)
            for name, spoken in profile.tables.items()
            if spoken.dropped is None and name in tables and not (spoken.key or tables[name].key)
        ),
        *(Discrepancy(Reason.COLUMN_UNMAPPED, table, column) for table, column in unmapped(profile, tables)),
    ]


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
