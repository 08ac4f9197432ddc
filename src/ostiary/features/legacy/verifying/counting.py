"""Every row counted on both sides, and every record that something points at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.legacy.store import packed
from ostiary.features.legacy.verifying import observing_store as rows
from ostiary.features.legacy.verifying.verification import Counted, Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from ostiary.features.legacy.verifying.observing_store import KnownRoot
    from ostiary.features.legacy.verifying.verification import Tell, Verification
    from ostiary.features.legacy.work import Work
    from ostiary.foundation.foreign import Snapshot

COUNTS: Final = "counts"
FOREIGN_KEYS: Final = "foreign keys"
_PORTION: Final = 1000
_BEFORE_ALL: Final = UUID(int=0)


async def roots(work: Work) -> AsyncIterator[list[KnownRoot]]:
    """Yield what is kept of owners, some at a time."""
    last = ""
    while True:
        portion = await work.tools.database.fetch_all(rows.KNOWN_AFTER, work.migration.id, last, _PORTION)
        if not portion:
            return
        yield portion
        last = portion[-1].root_key


async def count(
    work: Work, moment: Snapshot, waiting: Mapping[str, Mapping[str, int]], result: Verification, tell: Tell
) -> int:
    """Compare how many rows of each table there are with what became of how many, and look for what is missing here.

    Returns how many owners, and rows without one, are kept here as being over there.
    `waiting` has, for owners that nothing is said of, how many rows of each table they have over there.
    """
    sums: dict[str, list[int]] = {}
    looked_at = kept = 0
    async for portion in roots(work):
        for root in portion:
            if root.root_key in waiting:
                continue
            kept += root.digest is not None
            for table, numbers in root.counts.items():
                known = sums.setdefault(table, [0, 0, 0])
                sums[table] = [old + new for old, new in zip(known, numbers, strict=True)]
        await _look_for_made(work, portion, result)
        looked_at += len(portion)
        tell(Step(COUNTS, looked_at, work.plan.owners or None))
    for name, spoken in work.plan.profile.tables.items():
        if name not in work.tables:
            continue
        there = await moment.count(name) - sum(theirs.get(name, 0) for theirs in waiting.values())
        if name not in work.owners.shapes:
            # Of a table that is dropped whole, and of one that belongs to nobody, nothing is kept for each row.
            given = (there, 0, 0) if spoken.shared else (0, 0, there)
        else:
            mapped, quarantined, dropped = sums.get(name, (0, 0, 0))
            given = (mapped, quarantined, dropped)
        counted = result.counts[name] = Counted(there, *given)
        result.check(COUNTS).total += 1
        if not counted.agrees:
            here = sum(given)
            result.differ(COUNTS, name, "", f"{there} rows over there, {here} accounted for here")
    return kept


async def compare_map(work: Work, result: Verification, tell: Tell) -> None:
    """Look for identities of the map that are not there, or whose owner is not; count passwords by scheme."""
    last, looked_at = _BEFORE_ALL, 0
    while True:
        portion = await work.tools.database.fetch_all(rows.MAPPED_AFTER, work.migration.id, last, _PORTION)
        if not portion:
            return
        for one in portion:
            if not one.is_there:
                result.differ(FOREIGN_KEYS, "legacy_identities", one.root_key, "points at nobody")
            if not one.has_root:
                result.differ(FOREIGN_KEYS, "legacy_identities", one.root_key, "has no owner over there")
            if one.password_scheme is not None:
                result.schemes[one.password_scheme] = result.schemes.get(one.password_scheme, 0) + 1
        last, looked_at = portion[-1].identity_id, looked_at + len(portion)
        result.check(FOREIGN_KEYS).total += len(portion)
        tell(Step(FOREIGN_KEYS, looked_at, None))


async def _look_for_made(work: Work, portion: Sequence[KnownRoot], result: Verification) -> None:
    """Look for records that are written down as made and are not there, or not in the map."""
    database, check = work.tools.database, result.check(FOREIGN_KEYS)
    for table, query in rows.THERE.items():
        whose = {UUID(hex=text): root.root_key for root in portion for text in root.made.get(table, ())}
        if not whose:
            continue
        check.total += len(whose)
        given = packed(one.bytes for one in whose)
        for missing in whose.keys() - set(await database.fetch_all(query, *given)):
            result.differ(FOREIGN_KEYS, table, whose[missing], "is written down as made, and is not there")
        if table == "identities":
            mapped = {one.identity_id: one.root_key for one in await database.fetch_all(rows.MAP, *given)}
            for identity_id, key in whose.items():
                if mapped.get(identity_id) != key:
                    result.differ(
                        FOREIGN_KEYS, "legacy_identities", key, "does not name an identity of theirs"
                    )
