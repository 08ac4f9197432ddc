"""Going back: whatever was changed here since cut-over is written over there, and the other system takes over again.

Looking first (`look`) changes nothing, here or over there. Interrupted anywhere and begun again it comes to the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from ostiary.features.legacy import store
from ostiary.features.legacy.model import ExitCode, LegacyError, State
from ostiary.features.legacy.rows.aggregates import key_of, key_text, parse_key
from ostiary.features.legacy.running.capture import capturing_of
from ostiary.features.legacy.running.leasing import Overtaken
from ostiary.features.legacy.running.running import Checkpoint
from ostiary.features.legacy.running.strays import is_stray
from ostiary.features.legacy.switching import way_back_store
from ostiary.features.legacy.switching.comparing import FIRST, PORTION, Comparing
from ostiary.features.legacy.switching.contending import Contending
from ostiary.features.legacy.switching.inverse import Back
from ostiary.features.sessions import EndReason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from ostiary.features.legacy.running.leasing import Lease
    from ostiary.features.legacy.work import Work
    from ostiary.foundation.foreign import Change

_MOST_PASSES: Final = 10
_RETURNING: Final = "returning_since"


@dataclass(slots=True)
class WhatGoesBack:
    """What going back would do, and what it would lose."""

    rows_changed: int = 0
    born: int = 0
    sessions_end: int = 0
    """People who are signed in here, and sign in over there once more."""
    needing_reset: list[str] = field(default_factory=list)
    irreversible: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_lossy(self) -> bool:
        """Whether anything does not come along."""
        return bool(self.needing_reset or self.irreversible)

    def add(self, back: Back) -> None:
        """Add a portion; what was said of somebody already is not said twice."""
        places = {
            (change.table, key_text(tuple(change.key.values())))
            for change in back.changes
            if not change.insert
        }
        self.rows_changed += len(places)
        self.born += sum(change.insert for change in back.changes)
        self.needing_reset = list(dict.fromkeys([*self.needing_reset, *back.needing_reset]))
        self.irreversible = list(dict.fromkeys([*self.irreversible, *back.irreversible]))


async def look(work: Work, tell: Callable[[int], None]) -> WhatGoesBack:
    """Return what going back would do; changes nothing."""
    found, migration = WhatGoesBack(), work.migration
    if migration.cut_over_at is None:
        return found
    contending = Contending(work.source, work.tables)
    now = work.tools.clock.now()
    rest = Back()
    async for back in Comparing(work, tell).portions(since=migration.cut_over_at, ours_since=now):
        contending.take(back)
        rest.adopted += back.adopted
        found.add(back)
    await contending.settle(rest)
    found.add(rest)
    if work.source.dialect == "files":
        lost = f"{found.rows_changed + found.born} rows have changed or were made here, and an export takes nothing back"
        found = WhatGoesBack(irreversible=[("", lost), *found.irreversible])
    found.sessions_end = len([one async for one in _signed_in(work)])
    return found


class RollingBack:
    """The way back of one migration. `tell` is told how many owners were looked at."""

    def __init__(self, work: Work, lease: Lease, tell: Callable[[int], None]) -> None:
        self._work = work
        self._lease = lease
        self._tell = tell
        self._written: set[tuple[str, str, str]] = set()

    async def to_capturing(self) -> WhatGoesBack:
        """Give everything back to the other system, which may write again; the migration can go forward once more.

        Raises `LegacyError` for an export, which nobody can write to.
        """
        work = self._work
        found = WhatGoesBack()
        if work.migration.cut_over_at is not None:
            since = await self._begin_returning()
            # People go on changing things here until the other system serves again: looked at until nothing is new.
            for _ in range(_MOST_PASSES):
                if not await self._pass(found, work.migration.cut_over_at, since):
                    break
            found.sessions_end = await self._end_sessions()
        if work.source.capture is not None and not work.plan.frozen:
            # First noted, then allowed: no change is neither.
            await work.source.capture.install(capturing_of(work.owners))
            await work.source.capture.open_tables()
        await self._reset()
        return found

    def require_writable(self, *, to_drafted: bool) -> None:
        """Refuse to give anything back to an export. Raises `LegacyError`."""
        if (
            self._work.source.dialect == "files"
            and self._work.migration.cut_over_at is not None
            and not to_drafted
        ):
            raise LegacyError(
                "An export takes nothing back: go on with the other system as it was, by `rollback --to drafted`.",
                ExitCode.IRREVERSIBLE,
            )

    async def to_drafted(self) -> None:
        """Take back all that was made here, and whatever was put up over there.

        Whoever was born here and is over there now is taken away, too: the other system has them.
        """
        work, database = self._work, self._work.tools.database
        if work.source.capture is not None:
            await work.source.capture.remove()
        async with database.transaction() as tx:
            await tx.execute(way_back_store.DELETE_ADOPTED, work.migration.id)
            self._lease.hold(tx, {}, State.EXPANDED)
        while rows := await database.fetch_all(store.ROOTS_AFTER, work.migration.id, "", PORTION):
            keys = [row.root_key for row in rows]
            async with database.transaction() as tx:
                for table, query in store.DELETE.items():
                    ids = [UUID(hex=text).bytes for row in rows for text in row.made.get(table, ())]
                    if ids:
                        await tx.execute(query, *store.packed(ids))
                await tx.execute(store.FORGET_IDENTITIES, work.migration.id, keys)
                await tx.execute(store.FORGET_FINDINGS, work.migration.id, keys)
                await tx.execute(store.FORGET_ROOTS, work.migration.id, keys)
                self._lease.hold(tx, {}, State.EXPANDED)
            self._tell(len(rows))
        if await database.execute(store.END, work.migration.id, self._lease.fence) == 0:
            raise Overtaken

    async def _begin_returning(self) -> datetime:
        """Remember since when going back ends sessions itself, so that begun again it takes none for ended by somebody."""
        migration, now = self._work.migration, self._work.tools.clock.now()
        known = migration.checkpoint.get(_RETURNING)
        since = now if known is None else msgspec.convert(known, type(now))
        async with self._work.tools.database.transaction() as tx:
            checkpoint = migration.checkpoint | {_RETURNING: msgspec.to_builtins(since)}
            self._lease.hold(tx, checkpoint, migration.state)
        return since

    async def _pass(self, found: WhatGoesBack, since: datetime, returning_since: datetime) -> bool:
        """Write what differs, and return whether anything did that was not written before."""
        work, wrote, rest = self._work, False, Back()
        contending = Contending(work.source, work.tables)
        async for back in Comparing(work, self._tell).portions(since=since, ours_since=returning_since):
            contending.take(back)
            rest.adopted += back.adopted
            back.adopted = []
            wrote |= await self._write(back, found)
            await self._lease.renew()
        await contending.settle(rest)
        return await self._write(rest, found) or wrote

    async def _write(self, back: Back, found: WhatGoesBack) -> bool:
        """Write over there, then remember who was adopted: written twice it comes to the same."""
        back.changes = [change for change in back.changes if self._is_new(change)]
        if back.changes:
            await self._work.source.write(back.changes)
        async with self._work.tools.database.transaction() as tx:
            for identity_id, key in back.adopted:
                await tx.execute(way_back_store.ADOPT, identity_id, self._lease.migration_id, key)
        found.add(back)
        return bool(back.changes)

    def _is_new(self, change: Change) -> bool:
        """Say whether this was not written already: a database may show a value otherwise than it was given."""
        mark = (change.table, key_text(tuple(change.key.values())), repr(change.values))
        is_new = mark not in self._written
        self._written.add(mark)
        return is_new

    async def _end_sessions(self) -> int:
        """End what was begun here, so that nobody is signed in where nobody looks."""
        tools, ended = self._work.tools, 0
        async for identity_id in _signed_in(self._work):
            async with tools.database.transaction() as tx:
                await tools.sessions.end_all(
                    tx, identity_id, reason=EndReason.OPERATOR, now=tools.clock.now()
                )
            ended += 1
        return ended

    async def _reset(self) -> None:
        """Let it go forward from the beginning: whatever has changed on either side is looked at again."""
        work = self._work
        # What became of rows is counted on: it changes only where owners do.
        counts = msgspec.convert(work.migration.checkpoint, Checkpoint).counts
        fresh = msgspec.to_builtins(Checkpoint(counts=counts, again=await self._gone()))
        values = (self._lease.migration_id, self._lease.fence, State.CAPTURING, fresh)
        async with work.tools.database.transaction() as tx:
            await tx.execute(way_back_store.FORGET_VERSIONS, work.migration.id)
            if work.migration.cut_over_at is not None:
                await tx.execute(way_back_store.FORGET_SPENT, work.migration.id)
            tx.defer(way_back_store.RESET, *values, otherwise=Overtaken())

    async def _gone(self) -> list[str]:
        """Return owners who were deleted over there while nothing was noted; they are taken away on the way forward."""
        work, root = self._work, self._work.owners.root
        gone, after = [], ""
        while rows := await work.tools.database.fetch_all(
            store.ROOTS_AFTER, work.migration.id, after, PORTION
        ):
            after = rows[-1].root_key
            keys = {row.root_key for row in rows if row.digest is not None and not is_stray(row.root_key)}
            asked = [parse_key(key, len(root.key)) for key in sorted(keys)]
            async with work.source.snapshot() as moment:
                there = await moment.with_keys(root.name, root.key, asked, columns=root.key) if asked else []
            gone += sorted(keys - {key_text(key_of(root, row)) for row in there})
            await self._lease.renew()
        return gone


async def _signed_in(work: Work) -> AsyncIterator[UUID]:
    """Yield whoever was let in here."""
    after = FIRST
    while found := await work.tools.database.fetch_all(way_back_store.SIGNED_IN, after, PORTION):
        for identity_id in found:
            yield identity_id
        after = found[-1]
