"""What was changed here since cut-over, found by comparing, not by noting: nothing can have been missed.

Compared is every identity as it is here with the rows of its owner as they were archived when they came. What the other
system wrote to its own rows meanwhile is no change of ours, and stays. Reads both sides; writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.legacy import store
from ostiary.features.legacy.model import Aggregate, SourceRow
from ostiary.features.legacy.rows.aggregates import decode_rows, key_text, parse_key
from ostiary.features.legacy.rows.fields import as_text
from ostiary.features.legacy.rows.profile import Make, field_of
from ostiary.features.legacy.running import settling_store
from ostiary.features.legacy.running.strays import is_stray
from ostiary.features.legacy.switching import way_back_store
from ostiary.features.legacy.switching.inverse import Back, Inverse, Written
from ostiary.features.legacy.switching.way_back import WayBack
from ostiary.features.legacy.switching.way_back_belongings import Here, WayBackOfBelongings, grouped
from ostiary.foundation.ids import first_id_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import datetime

    from ostiary.features.legacy.model import Derived
    from ostiary.features.legacy.rows.aggregates import Owners
    from ostiary.features.legacy.switching.way_back_store import ArchivedRoot
    from ostiary.features.legacy.work import Work
    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.foreign import Key, Row

PORTION: Final = 500
FIRST: Final = UUID(int=0)
_NONE_KNOWN: Final[Mapping[str, UUID]] = {}


class Comparing:
    """Both sides of a migration that was cut over. `tell` is told how many owners were looked at."""

    def __init__(self, work: Work, tell: Callable[[int], None]) -> None:
        self._work = work
        self._tell = tell
        now = work.tools.clock.now()
        inverse = Inverse(work)
        self._inverse = inverse
        self._people = WayBack(inverse, now=now)
        self._belongings = WayBackOfBelongings(inverse, work.deriving.made_id, now=now)

    async def portions(self, *, since: datetime, ours_since: datetime) -> AsyncIterator[Back]:
        """Yield what goes back of those who came from there, then of those who were born here since `since`.

        Sessions that going back itself has ended since `ours_since` count as live.
        """
        after = ""
        while archives := await self._work.tools.database.fetch_all(
            way_back_store.ARCHIVED_AFTER, self._work.migration.id, after, PORTION
        ):
            after = archives[-1].root_key
            came = [one for one in archives if one.made.get("identities") and not is_stray(one.root_key)]
            if came:
                yield await self._changed(came, since, ours_since)
            self._tell(len(archives))
        async for back in self._born(since):
            yield back

    async def _changed(self, archives: Sequence[ArchivedRoot], since: datetime, ours_since: datetime) -> Back:
        work, database = self._work, self._work.tools.database
        keys = [one.root_key for one in archives]
        lost = await self._lost(keys)
        known = await self._known(keys)
        present = {
            one.id: one
            for one in await database.fetch_all(way_back_store.PRESENT, *_ids(archives, "identities"))
        }
        here = await self._here(archives, list(present), since, ours_since)
        back = Back()
        async with work.source.snapshot() as moment:
            shared = await work.owners.shared(moment)
            size = len(work.owners.root.key)
            found = await work.owners.of(moment, [parse_key(key, size) for key in keys])
        there = {one.text: one for one in found}
        for archive in archives:
            owner = archived_owner(work, archive.root_key, archive.archive)
            derived: Derived = work.deriving.derive(
                owner, shared, lost=lost.get(owner.text, ()), known=known.get(owner.text, _NONE_KNOWN)
            )
            written = Written(owner)
            self._people.of(back, written, derived, present)
            self._belongings.of(back, written, derived, here)
            # What was erased over there is put back before anything else: then its rows are as they were archived.
            is_erased = work.migration.archive_until is not None and owner.text in there
            self._inverse.changes(written, owner if is_erased else there.get(owner.text), back)
        return back

    async def _here(
        self,
        archives: Sequence[ArchivedRoot],
        identities: Sequence[UUID],
        since: datetime,
        ours_since: datetime,
    ) -> Here:
        database = self._work.tools.database
        belongings = await database.fetch_all(
            way_back_store.BELONGINGS, *store.packed(one.bytes for one in identities)
        )
        live = await database.fetch_all(way_back_store.LIVE_SESSIONS, *_ids(archives, "sessions"), ours_since)
        live += await database.fetch_all(way_back_store.LIVE_CHALLENGES, *_ids(archives, "challenges"))
        return Here(
            tokens=await self._renewed_tokens(archives, since),
            belongings=grouped(belongings, identities),
            live=set(live),
        )

    async def _renewed_tokens(
        self, archives: Sequence[ArchivedRoot], since: datetime
    ) -> dict[UUID, UpstreamTokens]:
        database, vault = self._work.tools.database, self._work.tools.vault
        accounts = _ids(archives, "linked_accounts")
        found = {}
        for account_id in await database.fetch_all(way_back_store.RENEWED, *accounts, since):
            tokens = await vault.tokens(database, account_id)
            if tokens is not None:
                found[account_id] = tokens
        return found

    async def _lost(self, keys: list[str]) -> dict[str, set[bytes]]:
        """Return what owners were refused as somebody else keeps it."""
        lost: dict[str, set[bytes]] = {}
        query, migration_id = way_back_store.REFUSED, self._work.migration.id
        for claim in await self._work.tools.database.fetch_all(query, migration_id, keys):
            lost.setdefault(claim.root_key, set()).add(claim.claim)
        return lost

    async def _known(self, keys: list[str]) -> dict[str, dict[str, UUID]]:
        """Return the identities of those who were born here, and were over there already when they came again."""
        known: dict[str, dict[str, UUID]] = {}
        query, migration_id = settling_store.ADOPTED, self._work.migration.id
        for one in await self._work.tools.database.fetch_all(query, migration_id, keys):
            known.setdefault(one.root_key, {})[one.entity_type] = one.identity_id
        return known

    async def _born(self, since: datetime) -> AsyncIterator[Back]:
        work, database = self._work, self._work.tools.database
        kinds = sorted(
            {
                kind
                for record in work.plan.profile.records
                if record.make is Make.IDENTITY
                and isinstance(kind := field_of(record.fields["entity_type"]).is_, str)
            }
        )
        after = FIRST
        while born := await database.fetch_all(
            way_back_store.BORN, kinds, first_id_at(since), after, PORTION
        ):
            after = born[-1].id
            there = await self._there([one.entity_id for one in born])
            back = Back()
            for one in born:
                self._people.birth(back, one, one.entity_id if one.entity_id in there else None)
            yield back

    async def _there(self, texts: Sequence[str]) -> set[str]:
        """Return which of these are keys of owners over there: rows that the application has made itself."""
        work = self._work
        root = work.owners.root
        if len(root.key) != 1:
            return set()
        keys: list[Key] = [(text,) for text in texts if self._fits(text)]
        if not keys:
            return set()
        async with work.source.snapshot() as moment:
            rows = await moment.with_keys(root.name, root.key, keys, columns=root.key)
        return {key_text((row[root.key[0]],)) for row in rows}

    def _fits(self, text: str) -> bool:
        """Say whether a text can be a key over there: a database refuses to compare what cannot."""
        root = self._work.owners.root
        declared = self._work.tables[root.name].column(root.key[0])
        if declared is not None and "uuid" in declared.type.lower():
            try:
                UUID(text)
            except ValueError:
                return False
        return not self._inverse.is_number(root.name, root.key[0]) or text.lstrip("-").isdecimal()


def archived_owner(work: Work, root_key: str, archive: bytes) -> Aggregate:
    """Return an owner with all rows as they were over there when they came. Raises `LegacyError`."""
    owners = work.owners
    columns = {name: shape.columns for name, shape in owners.shapes.items()}
    decoded = decode_rows(work.opened(root_key, archive), columns)
    return _whole(owners, root_key, decoded)


def _whole(owners: Owners, root_key: str, decoded: Mapping[str, list[Row]]) -> Aggregate:
    rows: dict[str, list[SourceRow]] = {}
    for name, shape in owners.shapes.items():
        parents: dict[str, SourceRow] = {}
        owner = shape.owner
        if owner is not None:
            for parent in rows.get(owner.table, ()):
                value = parent.values[owner.target]
                if value is not None:
                    parents.setdefault(as_text(value), parent)
        for values in decoded.get(name, ()):
            above = values[owner.column] if owner is not None else None
            parent_row = None if above is None else parents.get(as_text(above))
            key = owners.source_key(shape, values)
            rows.setdefault(name, []).append(SourceRow(name, key, values, parent_row))
    # A row without an owner has no key that could be looked up.
    found = () if is_stray(root_key) else parse_key(root_key, len(owners.root.key))
    return Aggregate(found, root_key, 0, rows)


def _ids(archives: Sequence[ArchivedRoot], kind: str) -> tuple[bytes, list[int]]:
    return store.packed(UUID(hex=text).bytes for one in archives for text in one.made.get(kind, ()))
