"""Verifying a migration: whatever is over there is here, and is what it was; and nothing else came along.

Reads one moment of the source, writes nothing but its result, and holds no more than a range of owners at a time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.legacy import store
from ostiary.features.legacy.model import LegacyError, State
from ostiary.features.legacy.rows.aggregates import key_of, key_text, parse_key
from ostiary.features.legacy.running.leasing import Overtaken
from ostiary.features.legacy.running.strays import as_root, stray_of, strays
from ostiary.features.legacy.verifying import counting, observing_store
from ostiary.features.legacy.verifying.canaries import try_out
from ostiary.features.legacy.verifying.contents import Content, differences, encoded, expected
from ostiary.features.legacy.verifying.merkle import Ranges, leaf
from ostiary.features.legacy.verifying.observing import Observing
from ostiary.features.legacy.verifying.opening import ARCHIVES, Opening
from ostiary.features.legacy.verifying.refusals import Refusals
from ostiary.features.legacy.verifying.shadowing import Shadowing
from ostiary.features.legacy.verifying.verification import Step, Verification
from ostiary.foundation.crypto import mac

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from datetime import datetime

    from ostiary.features.legacy.model import Aggregate
    from ostiary.features.legacy.rows.fields import Shared
    from ostiary.features.legacy.running.leasing import Lease
    from ostiary.features.legacy.verifying.observing_store import KnownRoot
    from ostiary.features.legacy.verifying.verification import Canary, Level, Tell
    from ostiary.features.legacy.work import Work
    from ostiary.foundation.foreign import Key, Snapshot

DIGESTS: Final = "digests"
_RANGE: Final = 1000
_MOST_WAITING: Final = 10_000
_SHADOWED: Final = 1000
"""Of how many owners, at least, the look-ups are tried; of more, it is one in a hundred."""
_RENEW_AFTER: Final = timedelta(seconds=10)
_COMPARED_STATES: Final = frozenset({State.BACKFILLED, State.VERIFIED})


class Verifying:
    """Verifies one migration, for whoever holds its lease."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def verify(
        self,
        level: Level,
        *,
        sample: float | None = None,
        canaries: Sequence[Canary] = (),
        on_progress: Tell,
        lease: Lease,
        now: datetime,
    ) -> Verification:
        """Compare both sides and keep the result; `sample` is the share of owners to look at, up to 1.

        What was wholly compared and is the same makes the migration verified, and what differs makes it unverified again.
        Once it was cut over both sides go their own ways: what is compared then is the archive, with its digests. Raises `LegacyError`, also when somebody else has taken over, and `Unavailable`.
        """
        work = self._work
        if work.migration.state in {State.EXPANDED, State.CAPTURING, State.BACKFILLING}:
            raise LegacyError("Not every owner was taken over yet: finish `ostiary legacy run` first.")
        result = Verification(level, sample, now)
        tell = _Renewing(work, lease, on_progress)
        if work.migration.state is State.SOAKING:
            await _compare_archive(work, result, tell)
        else:
            async with work.source.snapshot() as moment:
                await _Comparing(work, moment, result, tell).compare()
        await counting.compare_map(work, result, tell.tell)
        await try_out(work, canaries, result, tell.tell)
        await self._keep(result, lease)
        return result

    async def _keep(self, result: Verification, lease: Lease) -> None:
        state = self._work.migration.state
        if state in _COMPARED_STATES and result.is_complete:
            state = State.VERIFIED if result.is_green else State.BACKFILLED
        elif state is State.VERIFIED and not result.is_green:
            state = State.BACKFILLED
        values = (lease.migration_id, lease.fence, state, result.document(with_mismatches=False), result.at)
        if await self._work.tools.database.execute(store.VERIFIED, *values) == 0:
            raise Overtaken


class _Renewing:
    """Tells how far it is, and keeps the lease while it goes on."""

    def __init__(self, work: Work, lease: Lease, tell: Tell) -> None:
        self._work = work
        self._lease = lease
        self.tell = tell
        self._since = work.tools.clock.now()

    async def renew(self) -> None:
        now = self._work.tools.clock.now()
        if now - self._since < _RENEW_AFTER:
            return
        self._since = now
        migration = self._work.migration
        async with self._work.tools.database.transaction() as tx:
            self._lease.hold(tx, migration.checkpoint, migration.state)


async def _compare_archive(work: Work, result: Verification, renewing: _Renewing) -> None:
    opening, looked_at = Opening(work, result), 0
    async for portion in counting.roots(work):
        await renewing.renew()
        await opening.check_kept(portion)
        looked_at += len(portion)
        renewing.tell(Step(ARCHIVES, looked_at, work.plan.owners or None))


class _Comparing:
    """Both sides of one moment."""

    def __init__(self, work: Work, moment: Snapshot, result: Verification, renewing: _Renewing) -> None:
        self._work = work
        self._moment = moment
        self._result = result
        self._renewing = renewing
        self._ranges = Ranges(work.digest_key)
        self._observing = Observing(work.tools.database)
        self._refusals = Refusals(work.tools.database, work.deriving, work.migration.id)
        self._opening = Opening(work, result)
        self._shadowing = Shadowing(work.tools, result)
        self._waiting: Mapping[str, Mapping[str, int]] = {}
        self._met = 0
        self._seen = 0

    async def compare(self) -> None:
        work, result = self._work, self._result
        self._waiting = await self._who_waits()
        result.waiting = len(self._waiting)
        kept = await counting.count(work, self._moment, self._waiting, result, self._renewing.tell)
        if result.level == "counts":
            return
        shared = await work.owners.shared(self._moment)
        async for page in self._pages():
            await self._renewing.renew()
            self._seen += len(page)
            settled = [one for one in page if one.text not in self._waiting]
            if settled:
                await self._compare_range(settled, shared)
            self._renewing.tell(Step(DIGESTS, self._seen, work.plan.owners or None))
        if result.sample is None:
            await self._compare_strays()
            if self._met != kept:
                await self._look_for_those_who_left()
        result.ranges, result.compared = len(self._ranges.here), self._ranges.compared
        there, here = self._ranges.roots()
        result.root_there, result.root_here = there.hex(), here.hex()

    async def _who_waits(self) -> dict[str, dict[str, int]]:
        """Return the owners with changes that were not taken over yet, and how many rows of each table they have."""
        capture, owners = self._work.source.capture, self._work.owners
        if capture is None or self._work.plan.frozen or not await capture.is_installed():
            return {}
        changed = await capture.changed(_MOST_WAITING + 1)
        if len(changed) > _MOST_WAITING:
            raise LegacyError(
                f"More than {_MOST_WAITING} owners have changed over there and wait: `ostiary legacy run` takes them over."
            )
        waiting: dict[str, dict[str, int]] = {key_text(key): {} for key, _ in changed}
        for start in range(0, len(changed), _RANGE):
            keys = [key for key, _ in changed[start : start + _RANGE]]
            for found in await owners.of(self._moment, keys):
                waiting[found.text] = {table: len(rows) for table, rows in found.rows.items()}
        return waiting

    async def _pages(self) -> AsyncIterator[list[Aggregate]]:
        """Yield the owners over there in the order of their keys, all or those of the sample."""
        owners, sample = self._work.owners, self._result.sample
        after: Key | None = None
        if sample is None:
            while page := await owners.page(self._moment, after, _RANGE):
                yield page
                after = page[-1].key
            return
        root = owners.root
        while rows := await self._moment.after(root.name, root.key, after, _RANGE, columns=root.key):
            keys = [key_of(root, row) for row in rows]
            yield await owners.of(
                self._moment, [key for key in keys if self._is_drawn("sample", key_text(key), sample)]
            )
            after = keys[-1]

    def _is_drawn(self, why: str, key: str, share: float) -> bool:
        """Say whether an owner is one of a share of all; the same ones at every time."""
        drawn = int.from_bytes(mac(self._work.digest_key, f"{why}\0{key}".encode(errors="replace"))[:6])
        return drawn < share * (1 << 48)

    async def _compare_range(self, page: Sequence[Aggregate], shared: Shared) -> None:
        work, result = self._work, self._result
        known = await self._known([one.text for one in page])
        refused = await self._refusals.find(page, shared)
        derived = {
            one.text: work.deriving.derive(
                one, shared, lost=refused[one.text][0] if one.text in refused else ()
            )
            for one in page
        }
        here = await self._observing.observe(known, derived, now=result.at)
        digests = {one.text: work.applying.digest(one) for one in page}
        there = {
            one.text: expected(
                one,
                derived[one.text],
                digests[one.text],
                bearer_key=work.tools.bearer_key,
                now=result.at,
            )
            for one in page
        }
        self._note([one.text for one in page], there, here)
        self._met += sum(root.digest is not None for root in known.values())
        if result.level == "deep":
            changed = {key for key, root in known.items() if root.digest != digests[key]}
            await self._opening.check({key: one for key, one in derived.items() if key not in changed})
            await self._opening.check_archives(page, changed=changed)
        share = max(0.01, _SHADOWED / max(1, work.plan.owners))
        for one in page:
            if self._is_drawn("shadow", one.text, share):
                alone = refused[one.text][1] if one.text in refused else None
                await self._shadowing.check(one.text, derived[one.text], alone)

    async def _known(self, keys: list[str]) -> dict[str, KnownRoot]:
        query, migration_id = observing_store.KNOWN, self._work.migration.id
        found = await self._work.tools.database.fetch_all(query, migration_id, keys)
        return {root.root_key: root for root in found}

    def _note(self, keys: Sequence[str], there: Mapping[str, Content], here: Mapping[str, Content]) -> None:
        """Compare a range, and name whoever differs."""
        key = self._work.digest_key
        self._result.check(DIGESTS).total += len(keys)
        places = self._ranges.add(
            [leaf(key, encoded(there[one])) for one in keys],
            [leaf(key, encoded(here.get(one, {}))) for one in keys],
        )
        for place in places:
            found = self._explained(there[keys[place]], here.get(keys[place], {}))
            self._result.differ_in(DIGESTS, keys[place], found)

    def _explained(self, there: Content, here: Content) -> Iterator[tuple[str, str]]:
        table = self._work.plan.profile.root
        (_, wanted, *_), (_, kept, *_) = there["legacy_roots"][0], here.get("legacy_roots", [("", None)])[0]
        if kept is None:
            yield table, "was not taken over"
        elif kept != wanted:
            yield table, "has changed over there, and that was not captured"
        else:
            yield from differences(there, here)

    async def _compare_strays(self) -> None:
        """Compare the rows without an owner with what is kept of them."""
        found: list[Aggregate] = []
        async for shape, row in strays(self._work.owners, self._moment):
            found.append(as_root(self._work.owners, shape, row))
            if len(found) == _RANGE:
                await self._compare_some_strays(found)
                found = []
        if found:
            await self._compare_some_strays(found)

    async def _compare_some_strays(self, found: Sequence[Aggregate]) -> None:
        known = await self._known([one.text for one in found])
        check = self._result.check(DIGESTS)
        check.total += len(found)
        self._met += len(known)
        changed = set()
        for one in found:
            table, key = stray_of(one.text) or ("", one.text)
            if one.text not in known:
                self._result.differ(DIGESTS, table, key, "was not taken over")
            elif known[one.text].digest != self._work.applying.digest(one):
                changed.add(one.text)
                self._result.differ(DIGESTS, table, key, "has changed over there, and that was not captured")
        if self._result.level == "deep":
            await self._opening.check_archives(found, changed=changed)

    async def _look_for_those_who_left(self) -> None:
        """Name owners, and rows without one, that are kept here and are not over there."""
        root = self._work.owners.root
        nobodys = {
            as_root(self._work.owners, shape, row).text
            async for shape, row in strays(self._work.owners, self._moment)
        }
        async for portion in counting.roots(self._work):
            live = [
                one.root_key
                for one in portion
                if one.digest is not None
                and one.root_key not in nobodys
                and one.root_key not in self._waiting
            ]
            keys = [parse_key(text, len(root.key)) for text in live if stray_of(text) is None]
            rows = await self._moment.with_keys(root.name, root.key, keys, columns=root.key) if keys else []
            there = {key_text(key_of(root, row)) for row in rows}
            for text in live:
                if text not in there:
                    table, key = stray_of(text) or (root.name, text)
                    self._result.differ(
                        DIGESTS, table, key, "is not over there any more, and that was not captured"
                    )
