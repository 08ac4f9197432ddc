"""The run: capture first, then every owner, then whoever changed meanwhile, until nothing is left to take over.

Interrupted anywhere and begun again it comes to the same: what a batch makes and how far it came commit together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.features.legacy import store
from ostiary.features.legacy.model import ExitCode, LegacyError, State
from ostiary.features.legacy.rows.aggregates import Owners, key_text, parse_key
from ostiary.features.legacy.rows.collecting import collected_less_often
from ostiary.features.legacy.running.applying import Applied, PlainTextsLeftError
from ostiary.features.legacy.running.capture import capturing_of
from ostiary.features.legacy.running.settling import Batch
from ostiary.features.legacy.running.strays import Strays
from ostiary.foundation.foreign import Key, Snapshot
from ostiary.foundation.storage import TookTooLong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.features.legacy.model import Aggregate
    from ostiary.features.legacy.rows.fields import Shared
    from ostiary.features.legacy.running.leasing import Lease
    from ostiary.features.legacy.work import Work
    from ostiary.foundation.foreign import Value
    from ostiary.foundation.storage import Transaction

_AT_ONCE: Final = 20
_LOOK_AGAIN: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run treads: owners in a batch, at most how many a second, and how far a replica may be behind."""

    batch_size: int = 1000
    most_per_second: int | None = None
    longest_lag: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; one for each batch."""

    state: State
    done: int
    """Owners looked at, of those there were when it was planned."""
    total: int
    owners: int
    """Owners in this batch."""
    pending: int
    """Owners that have changed over there and were not taken over again yet."""
    counts: dict[str, list[int]] = field(default_factory=dict)
    throttled: str | None = None


class Checkpoint(msgspec.Struct):
    """How far a migration came; kept with every batch."""

    after: tuple[str | int | float, ...] | None = None
    """The key behind which to go on: numbers, and whatever else as text."""
    done: int = 0
    counts: dict[str, list[int]] = {}
    again: list[str] = []
    """Owners to look at again, as somebody let go of what they claimed."""
    read_all: bool = False


class Running:
    """One run of a migration, by whoever holds its lease."""

    def __init__(
        self,
        work: Work,
        lease: Lease,
        *,
        pace: Pace,
        tell: Callable[[Progress], None],
        stop: asyncio.Event,
    ) -> None:
        self._work = work
        self._lease = lease
        self._pace = pace
        self._tell = tell
        self._stop = stop
        self._checkpoint = msgspec.convert(work.migration.checkpoint, Checkpoint)
        self._state = work.migration.state
        self._began = asyncio.get_running_loop().time()
        self._did = 0

    async def run(self, *, until: State = State.BACKFILLED) -> State:
        """Go on until `until`, and return the state. Raises `LegacyError` when it is interrupted, and can go on later."""
        if self._state is State.EXPANDED:
            await self._capture()
        if until is State.CAPTURING:
            return self._state
        if self._state is State.CAPTURING:
            self._state = State.BACKFILLING
        if not self._checkpoint.read_all:
            with collected_less_often():
                await self._read_all()
        await self.catch_up()
        await Strays(self._work).settle(self._lease, self._save)
        await self.catch_up()
        if self._state is State.BACKFILLING:
            self._state = State.BACKFILLED
            async with self._work.tools.database.transaction() as tx:
                self._save(tx)
        return self._state

    async def catch_up(self) -> None:
        """Take over whoever changed, until nobody is left."""
        while True:
            if self._checkpoint.again:
                await self._redo()
            elif not await self._drain():
                return

    async def _capture(self) -> None:
        work = self._work
        if work.source.capture is not None and not work.plan.frozen:
            await work.source.capture.install(capturing_of(work.owners))
        self._state = State.CAPTURING
        async with work.tools.database.transaction() as tx:
            self._save(tx)

    async def _read_all(self) -> None:
        """Take over every owner, in the order of their keys; the next page is read while one is written."""
        after = _parsed(self._checkpoint.after)
        since = asyncio.get_running_loop().time()
        page: _Page | None = None
        writing: asyncio.Task[None] | None = None
        try:
            while page is None or not page.is_last:
                page = await self._page(after)
                if writing is not None:
                    await writing
                after = page.last or after
                writing = asyncio.create_task(self._write_page(page))
                if page.is_last or asyncio.get_running_loop().time() - since > _LOOK_AGAIN.total_seconds():
                    await writing
                    await self._drain()
                    since = asyncio.get_running_loop().time()
                self._check_stop()
        finally:
            await _ended(writing)
            if page is not None:
                await page.let_go()

    async def _page(self, after: Key | None) -> _Page:
        owners = self._work.owners
        async with AsyncExitStack() as stack:
            moment = await stack.enter_async_context(self._work.source.snapshot())
            shared = await owners.shared(moment)
            found = await owners.page(moment, after, self._pace.batch_size)
            batch = Batch(shared, {aggregate.text: aggregate for aggregate in found})
            keys = iter(found)
            while some := [aggregate.text for aggregate in islice(keys, _AT_ONCE)]:
                self._work.applying.derive(batch, some)
                # The batch before is being written: what the database answers meanwhile does not wait for the whole page.
                await asyncio.sleep(0)
            return _Page(batch, moment, found[-1].key if found else None, stack.pop_all().aclose)

    async def _write_page(self, page: _Page) -> None:
        """Write a page at once, or in smaller and smaller parts if that takes longer than a transaction may."""
        try:
            parts = [page.batch]
            while parts:
                batch = parts.pop(0)
                owners = [*batch.aggregates.values()]
                changed: dict[str, Any] = {
                    "read_all": page.is_last and not parts,
                    "done": self._checkpoint.done + len(owners),
                }
                if owners:
                    changed["after"] = tuple(_written(part) for part in owners[-1].key)
                try:
                    await self._apply(batch, page.moment, changed)
                except TookTooLong:
                    if len(owners) == 1:
                        raise
                    half = len(owners) // 2
                    parts[:0] = (self._batch(batch.shared, some) for some in (owners[:half], owners[half:]))
        finally:
            await page.let_go()

    def _batch(self, shared: Shared, owners: Sequence[Aggregate]) -> Batch:
        batch = Batch(shared, {aggregate.text: aggregate for aggregate in owners})
        self._work.applying.derive(batch)
        return batch

    async def _drain(self) -> bool:
        """Take over some owners that changed; False when there are none."""
        capture = self._work.source.capture
        if capture is None or self._work.plan.frozen:
            return False
        changed = await capture.changed(self._pace.batch_size)
        if not changed:
            return False
        keys = [key for key, _ in changed]
        settled = await self._take_over(keys)
        await capture.settle([(key, settled.get(key_text(key), version)) for key, version in changed])
        self._check_stop()
        return True

    async def _redo(self) -> None:
        again = self._checkpoint.again
        size = len(self._work.owners.root.key)
        part, rest = again[: self._pace.batch_size], again[self._pace.batch_size :]
        await self._take_over([parse_key(text, size) for text in part], {"again": rest})

    async def _take_over(self, keys: Sequence[Key], changed: dict[str, Any] | None = None) -> dict[str, int]:
        """Take over owners by their keys, and return which version of each; in parts, if it takes too long at once."""
        try:
            return await self._take_over_at_once(keys, changed or {})
        except TookTooLong:
            if len(keys) == 1:
                raise
        half = len(keys) // 2
        return await self._take_over(keys[:half]) | await self._take_over(keys[half:], changed)

    async def _take_over_at_once(self, keys: Sequence[Key], changed: dict[str, Any]) -> dict[str, int]:
        owners = self._work.owners
        async with self._work.source.snapshot() as moment:
            shared = await owners.shared(moment)
            found = await owners.of(moment, keys)
            batch = Batch(shared, {aggregate.text: aggregate for aggregate in found})
            versions = {key_text(key): version for key, version in (await moment.versions(keys)).items()}
            batch.gone = {
                key_text(key): versions.get(key_text(key), 0)
                for key in keys
                if key_text(key) not in batch.aggregates
            }
            self._work.applying.derive(batch)
            await self._apply(batch, moment, changed)
        return versions

    async def _apply(self, batch: Batch, moment: Snapshot, changed: dict[str, Any]) -> None:
        tools = self._work.tools
        reading = _Reading(self._work.owners, moment)
        before, applied = self._checkpoint, None
        while applied is None:
            await self._work.applying.hash_plain_texts(batch)
            try:
                async with tools.database.transaction() as tx:
                    applied = await self._work.applying.apply(tx, batch, reading.read, now=tools.clock.now())
                    self._checkpoint = _advanced(before, applied, changed)
                    self._save(tx)
            except PlainTextsLeftError:
                await self._work.applying.hash_plain_texts(batch)
                # Whose is what is decided again, in the transaction that counts.
                batch.lost.clear()
                self._work.applying.derive(batch)
            except BaseException:
                self._checkpoint = before
                raise
        self._did += applied.owners
        await self._report(applied)

    def _save(self, tx: Transaction) -> None:
        """Keep how far it came as `tx` ends, which fails if another runner has taken over."""
        self._lease.hold(tx, msgspec.to_builtins(self._checkpoint), self._state)

    async def _report(self, applied: Applied) -> None:
        throttled, total = await self._throttle(), self._work.plan.owners
        capture = self._work.source.capture
        pending = 0 if capture is None or self._work.plan.frozen else await capture.pending()
        self._tell(
            Progress(
                state=self._state,
                done=total if self._checkpoint.read_all else min(self._checkpoint.done, total),
                total=total,
                owners=applied.owners,
                pending=pending,
                counts=self._checkpoint.counts,
                throttled=throttled,
            )
        )

    async def _throttle(self) -> str | None:
        """Wait as long as the pace asks for, and say why."""
        pace, database = self._pace, self._work.tools.database
        reason = None
        if pace.most_per_second is not None:
            due = self._began + self._did / pace.most_per_second
            wait = due - asyncio.get_running_loop().time()
            if wait > 0:
                reason = "rate"
                await asyncio.sleep(wait)
        while pace.longest_lag is not None and not self._stop.is_set():
            lag = timedelta(seconds=await database.fetch_one(store.REPLICA_LAG) or 0.0)
            if lag <= pace.longest_lag:
                break
            reason = f"replica lag {lag.total_seconds():.1f} s"
            await asyncio.sleep(_LOOK_AGAIN.total_seconds())
        return reason

    def _check_stop(self) -> None:
        if self._stop.is_set():
            after = self._checkpoint.after
            place = (
                "" if after is None else f" at {self._work.plan.profile.root} {', '.join(map(str, after))}"
            )
            raise LegacyError(
                f"Interrupted{place}. Everything up to here is kept: run the same command again to go on.",
                ExitCode.INTERRUPTED,
            )


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads further owners as of the moment of a batch."""

    owners: Owners
    moment: Snapshot

    async def read(self, texts: Sequence[str]) -> list[Aggregate]:
        size = len(self.owners.root.key)
        return await self.owners.of(self.moment, [parse_key(text, size) for text in texts])


@dataclass(frozen=True, slots=True)
class _Page:
    """Owners in the order of their keys, the moment they were read at, and the key of the last one, if there is any."""

    batch: Batch
    moment: Snapshot
    last: Key | None
    let_go: Callable[[], Awaitable[None]]

    @property
    def is_last(self) -> bool:
        """Whether there are no more."""
        return self.last is None


async def _ended(writing: asyncio.Task[None] | None) -> None:
    """Let a page be written that somebody may have stopped waiting for; the checkpoint says what became of it."""
    if writing is not None:
        await asyncio.wait([writing])
        if not writing.cancelled():
            writing.exception()


def _written(part: Value) -> str | int | float:
    """Write a part of a key so that it is read back as what it is: a number is compared unlike a text."""
    return part if isinstance(part, int | float) else key_text((part,))


def _parsed(after: Sequence[str | int | float] | None) -> Key | None:
    if after is None:
        return None
    return tuple(parse_key(part, 1)[0] if isinstance(part, str) else part for part in after)


def _advanced(before: Checkpoint, applied: Applied, changed: dict[str, Any]) -> Checkpoint:
    counts = {table: list(numbers) for table, numbers in before.counts.items()}
    for table, numbers in applied.counts.items():
        sums = counts.setdefault(table, [0, 0, 0])
        counts[table] = [old + new for old, new in zip(sums, numbers, strict=True)]
    again = changed.get("again", before.again)
    fields = {
        "after": before.after,
        "done": before.done,
        "read_all": before.read_all,
        **changed,
        "counts": counts,
        "again": list(dict.fromkeys([*again, *applied.again])),
    }
    return Checkpoint(**fields)
