"""Rows with the same key, and owners whom a row of theirs cannot tell apart: nobody can say which is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.legacy.planning.contests import Index
from ostiary.features.legacy.rows.checking import Discrepancy
from ostiary.features.legacy.rows.fields import as_text
from ostiary.features.legacy.rows.reasons import Reason
from ostiary.foundation.crypto import mac

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.features.legacy.model import Aggregate, SourceRow
    from ostiary.features.legacy.rows.profile import Owner, Profile
    from ostiary.foundation.foreign import Table

_FILES: Final = "files"


class Twins:
    """Looks at the keys that a profile relies on and the source does not promise to be of one row only."""

    def __init__(self, profile: Profile, tables: Mapping[str, Table], key: bytes) -> None:
        self._key = key
        self._keys: dict[tuple[str, tuple[str, ...]], Index] = {}
        self._owned: dict[tuple[str, Owner], tuple[Index, Index]] = {}
        self._numbers = 0
        for name, spoken in profile.owned.items():
            if name not in tables:
                continue
            # Files are refused as they are opened if two rows have the same key.
            if spoken.key and profile.source != _FILES and not _is_unique(tables[name], spoken.key):
                self._keys[name, spoken.key] = Index()
            owner = spoken.owner
            if owner is None or _is_unique(tables[owner.table], (owner.target,)):
                continue
            if profile.tables[owner.table].key != (owner.target,):
                self._owned[name, owner] = Index(), Index()

    def look_at(self, aggregate: Aggregate) -> None:
        """Remember the keys of an owner's rows."""
        for (table, columns), index in self._keys.items():
            for row in aggregate.rows.get(table, ()):
                self._add(index, row, columns)
        for (table, owner), (targets, named) in self._owned.items():
            for row in aggregate.rows.get(owner.table, ()):
                self._add(targets, row, (owner.target,))
            for row in aggregate.rows.get(table, ()):
                self._add(named, row, (owner.column,))

    def found(self) -> list[tuple[Discrepancy, int]]:
        """Return the keys that are of several rows, and of how many."""
        found: list[tuple[Discrepancy, int]] = []
        for (table, columns), index in self._keys.items():
            index.sort()
            number = len(index.shared())
            found.append((Discrepancy(Reason.KEY_DUPLICATE, table, ", ".join(columns)), number))
        for (_, owner), (targets, named) in self._owned.items():
            targets.sort()
            named.sort()
            # Two of a name are no harm as long as nothing is theirs.
            number = sum(1 for prefix in targets.shared_digests() if named.of(prefix))
            found.append((Discrepancy(Reason.KEY_DUPLICATE, owner.table, owner.target), number))
        return [(discrepancy, number) for discrepancy, number in found if number]

    def _add(self, index: Index, row: SourceRow, columns: Sequence[str]) -> None:
        values = [row.values.get(name) for name in columns]
        if None not in values:
            written = "\0".join(as_text(value) for value in values)
            index.add(mac(self._key, written.encode("utf-8", "surrogateescape")), self._numbers)
            self._numbers = (self._numbers + 1) % (1 << 32)


def _is_unique(table: Table, columns: tuple[str, ...]) -> bool:
    return any(set(one) <= set(columns) for one in (table.key, *table.unique) if one)
