"""Reads what of owners is really here, a range of them at a time, in the form of what there should be."""

from __future__ import annotations

from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ostiary.features.legacy.running.loading import ids_of, made_ids
from ostiary.features.legacy.store import packed
from ostiary.features.legacy.verifying import observing_store as rows
from ostiary.features.legacy.verifying.contents import as_hashed_here, live, of_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from ostiary.features.legacy.model import Derived
    from ostiary.features.legacy.verifying.contents import Content, Record
    from ostiary.features.legacy.verifying.observing_store import KnownRoot
    from ostiary.foundation.storage import Database, Query

# Table, to what its rows belong, the place in a record where it says to which, and how they are read.
_OF_OTHERS: Final[tuple[tuple[str, str, int, Query[Any]], ...]] = (
    *((table, "identities", 0, query) for table, query in rows.PROFILES.items()),
    ("role_grants", "identities", 0, rows.GRANTS),
    ("legacy_identities", "identities", 0, rows.MAP),
    *(
        ("legacy_bearers", column, place, query)
        for column, place, query in zip(("sessions", "challenges"), (2, 3), rows.BEARERS, strict=True)
    ),
)


class Observing:
    """Reads what of owners is here."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records: dict[type[Any], Callable[[Any], Record]] = {}

    async def observe(
        self, known: Mapping[str, KnownRoot], derived: Mapping[str, Derived], *, now: datetime
    ) -> dict[str, Content]:
        """Return what is here of owners, by their keys: what was written down as theirs, and what has to be theirs."""
        found: dict[str, Content] = {
            key: {"legacy_roots": [of_root(key, root.digest, root.made, root.counts)]}
            for key, root in known.items()
        }
        whose = _whose(known, derived)
        for table, query in rows.BY_ID.items():
            for record in await self._read(query, whose[table]):
                _add(found, whose[table].get(record[0]), table, record)
        for table, column, place, query in _OF_OTHERS:
            for record in await self._read(query, whose[column]):
                _add(found, whose[column].get(record[place]), table, record)
        plain = {
            made.id for one in derived.values() for made in one.identities if made.open_password is not None
        }
        for content in found.values():
            if plain:
                content["identities"] = [
                    as_hashed_here(record) if record[0] in plain else record
                    for record in content.get("identities", ())
                ]
            live(content, now)
        return found

    async def _read(self, query: Query[Any], ids: Iterable[UUID]) -> list[Record]:
        wanted = [one.bytes for one in ids]
        if not wanted:
            return []
        found = await self._database.fetch_all(query, *packed(wanted))
        if not found:
            return []
        kind = type(found[0])
        if kind not in self._records:
            self._records[kind] = attrgetter(*kind.__dataclass_fields__)
        record = self._records[kind]
        return [record(row) for row in found]


def _whose(
    known: Mapping[str, KnownRoot], derived: Mapping[str, Derived]
) -> defaultdict[str, dict[UUID, str]]:
    """Return, by table, of which owner each record is: first as it was written down, then as it has to be."""
    whose: defaultdict[str, dict[UUID, str]] = defaultdict(dict)
    for key, root in known.items():
        for table, ids in ids_of(root.made).items():
            whose[table].update((UUID(hex=text), key) for text in ids)
    for key, one in derived.items():
        for table, ids in made_ids(one).items():
            whose[table].update((UUID(hex=text), key) for text in ids)
    return whose


def _add(found: dict[str, Content], key: str | None, table: str, record: Record) -> None:
    if key is not None and key in found:
        found[key].setdefault(table, []).append(record)
