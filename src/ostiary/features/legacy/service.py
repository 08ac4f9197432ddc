"""Migrations of one installation: what the commands call. One is under way at a time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from ostiary.features.legacy import overview_store, store
from ostiary.features.legacy.model import ExitCode, LegacyError, Migration, State
from ostiary.features.legacy.overview import Overview, decide, overview
from ostiary.features.legacy.planning.plan import Plan, fingerprint
from ostiary.features.legacy.planning.planning import Planning
from ostiary.features.legacy.running.leasing import Lease
from ostiary.features.legacy.running.running import Pace, Progress, Running
from ostiary.features.legacy.switching.contracting import contract, require_contractible, restore
from ostiary.features.legacy.switching.cutting_over import cut_over
from ostiary.features.legacy.switching.rolling_back import RollingBack, WhatGoesBack, look
from ostiary.features.legacy.verifying.verifying import Verifying
from ostiary.features.legacy.work import Tools, Work
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from ostiary.features.legacy.model import Decisions
    from ostiary.features.legacy.overview_store import FoundRow
    from ostiary.features.legacy.rows.profile import Profile
    from ostiary.features.legacy.verifying.verification import Canary, Level, Tell, Verification
    from ostiary.foundation.foreign import Source
    from ostiary.foundation.storage import Transaction


class Legacy:
    """Moves the accounts of another system here."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    async def current(self) -> Migration | None:
        """Return the migration that is under way, or else the last one."""
        return await self.tools.database.fetch_one(store.CURRENT)

    async def under_way(self) -> Migration:
        """Return the migration that is under way. Raises `LegacyError`."""
        found = await self.current()
        if found is not None and found.state is State.CONTRACTED:
            raise LegacyError(
                "The last migration was contracted, and none is under way: `ostiary legacy run --plan DIR` begins another."
            )
        if found is None:
            raise LegacyError("No migration is under way: begin one with `ostiary legacy run --plan DIR`.")
        return found

    async def plan(
        self,
        source: Source,
        profile: Profile,
        decisions: Decisions,
        folder: Path,
        *,
        frozen: bool = False,
        tell: Callable[[str, int, int], None],
    ) -> Plan:
        """Rehearse a migration from a source, which is open, and write the plan into a folder.

        Writes neither there nor here. `tell` hears of each phase how much is done of how much. Raises `LegacyError` where
        rows cannot be accounted for, `ForeignDataError` and `Unavailable`.
        """
        planning = Planning(self.tools, source, now=self.tools.clock.now(), tell=tell)
        return await planning.plan(profile, decisions, folder, frozen=frozen)

    async def run(
        self,
        plan: Plan,
        source: Source,
        *,
        pace: Pace,
        until: State = State.BACKFILLED,
        tell: Callable[[Progress], None],
        stop: asyncio.Event,
    ) -> State:
        """Begin a migration, or go on with it, until `until`.

        Raises `LegacyError`: refused, drifted, interrupted; and `Unavailable`. Whatever it raises, the same call goes on
        where it stopped.
        """
        migration = await self._begun(plan, source)
        if migration.state is State.SOAKING:
            raise LegacyError("This migration has been cut over: nothing over there is taken over any more.")
        async with self.holding(migration, source) as (work, lease):
            return await Running(work, lease, pace=pace, tell=tell, stop=stop).run(until=until)

    async def cut_over(
        self,
        source: Source,
        *,
        verified_within: timedelta,
        tell: Callable[[Progress], None],
        stop: asyncio.Event,
    ) -> None:
        """Let the other system write no more, take over what is left, and begin to soak. Raises `LegacyError`."""
        async with self.holding(await self.under_way(), source) as (work, lease):
            running = Running(work, lease, pace=Pace(), tell=tell, stop=stop)
            await cut_over(work, lease, running, verified_within=verified_within)

    async def what_goes_back(self, source: Source, *, tell: Callable[[int], None]) -> WhatGoesBack:
        """Return what going back would do, and lose. Changes nothing, here or over there. Raises `LegacyError`."""
        migration = await self._reversible()
        # Without a lease: taking one is writing, and whoever is at work may go on.
        return await look(await Work.on(self.tools, migration, source), tell)

    async def roll_back(
        self, source: Source, *, to_drafted: bool, tell: Callable[[int], None]
    ) -> WhatGoesBack:
        """Give everything back to the other system; with `to_drafted`, also take away all that was made here.

        What was erased over there is put back first, from the archive. Raises `LegacyError`.
        """
        migration = await self._reversible()
        async with self.holding(migration, source) as (work, lease):
            rolling_back = RollingBack(work, lease, tell)
            rolling_back.require_writable(to_drafted=to_drafted)
            if work.source.dialect == "files" and work.migration.cut_over_at is not None:
                await rolling_back.to_drafted()
                return WhatGoesBack()
            if work.migration.archive_until is not None:
                await restore(work, lease, tell=tell)
            found = await rolling_back.to_capturing()
            if to_drafted:
                await rolling_back.to_drafted()
            return found

    async def check_contractible(self, *, least_soak: timedelta, verified_within: timedelta) -> None:
        """Refuse what is too early to contract, before anybody is asked. Raises `LegacyError`."""
        require_contractible(
            await self.under_way(),
            least_soak=least_soak,
            verified_within=verified_within,
            now=self.tools.clock.now(),
        )

    async def contract(
        self,
        source: Source,
        *,
        least_soak: timedelta,
        verified_within: timedelta,
        keep_archive: timedelta,
        tell: Callable[[str, int], None],
    ) -> None:
        """Erase over there what is here now; the archive is kept for a while. Raises `LegacyError` when it is too early."""
        await self.check_contractible(least_soak=least_soak, verified_within=verified_within)
        async with self.holding(await self.under_way(), source) as (work, lease):
            await contract(work, lease, keep=keep_archive, tell=tell)

    async def status(self, source: Source | None = None) -> Overview | None:
        """Return how the migration stands; with a source, also how many changes wait there. None where there is none."""
        migration = await self.current()
        if migration is None:
            return None
        return await overview(self.tools.database, migration, source, now=self.tools.clock.now())

    async def findings(
        self, *, reason: str = "", table: str = "", key: str = "", limit: int = 100
    ) -> Sequence[FoundRow]:
        """Return what was found about rows over there, of one reason, table or row if these are named."""
        migration = await self.current()
        if migration is None:
            return []
        return await self.tools.database.fetch_all(
            overview_store.FINDINGS, migration.id, reason, table, key, limit
        )

    async def resolve(
        self,
        source: Source,
        decisions: Decisions,
        *,
        reason: str = "",
        table: str = "",
        key: str = "",
        tell: Callable[[Progress], None],
        stop: asyncio.Event,
    ) -> int:
        """Look at quarantined owners again, by decisions that are added to those of the plan; return how many.

        Raises `LegacyError`.
        """
        async with self.holding(await self.under_way(), source) as (work, lease):
            if work.migration.state is State.SOAKING:
                raise LegacyError("This migration has been cut over: correct accounts here now.")
            asked = (work.migration.id, reason, table, key)
            again = await self.tools.database.fetch_all(overview_store.FOUND_ROOTS, *asked)
            await decide(self.tools.database, work, lease, decisions, again)
        async with self.holding(await self.under_way(), source) as (work, lease):
            await Running(work, lease, pace=Pace(), tell=tell, stop=stop).catch_up()
        return len(again)

    async def purge_archives(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete archives whose time is over, up to `limit` owners, and return how many."""
        return await tx.execute(overview_store.PURGE_ARCHIVES, expired_by, limit)

    async def _reversible(self) -> Migration:
        """Return the migration that can be taken back. Raises `LegacyError`."""
        migration, now = await self.current(), self.tools.clock.now()
        if migration is None:
            raise LegacyError("There is no migration to take back.")
        if migration.state is State.CONTRACTED and (
            migration.archive_until is None or now >= migration.archive_until
        ):
            raise LegacyError(
                "The archive of what was erased is gone: this migration can no longer be taken back.",
                ExitCode.IRREVERSIBLE,
            )
        return migration

    async def verify(
        self,
        source: Source,
        level: Level,
        *,
        sample: float | None = None,
        canaries: Sequence[Canary] = (),
        tell: Tell,
    ) -> Verification:
        """Compare both sides of the migration that is under way, as `Verifying.verify` does; the source is open."""
        migration = await self.under_way()
        async with self.holding(migration, source) as (work, lease):
            return await Verifying(work).verify(
                level,
                sample=sample,
                canaries=canaries,
                on_progress=tell,
                lease=lease,
                now=self.tools.clock.now(),
            )

    @asynccontextmanager
    async def holding(self, migration: Migration, source: Source) -> AsyncIterator[tuple[Work, Lease]]:
        """Take a migration up and give it back. Raises `LegacyError` while somebody else is at it."""
        tools = self.tools
        lease = await Lease.take(tools.database, tools.clock, tools.entropy, migration)
        try:
            # What another run did a moment ago counts, not what was read before the lease.
            yield await Work.on(tools, await self.current() or migration, source), lease
        finally:
            await lease.let_go()

    async def _begun(self, plan: Plan, source: Source) -> Migration:
        """Return the migration of this plan, made if there is none. Raises `LegacyError`."""
        found = await self.current()
        if found is not None and found.state is not State.CONTRACTED:
            # Decisions may have been added meanwhile; the rest is as it was agreed to.
            agreed = msgspec.structs.replace(msgspec.convert(found.plan, Plan), decisions=plan.decisions)
            if agreed.digest != plan.digest:
                raise LegacyError(
                    "Another plan is under way: finish it, or take it back with `ostiary legacy rollback --to drafted`.",
                    ExitCode.DRIFT,
                )
            return found
        if plan.blockers:
            raise LegacyError(
                f"The plan has {plan.blockers} findings that have to be decided first: `ostiary legacy plan` names them."
            )
        if fingerprint(plan.profile, await source.tables()) != plan.fingerprint:
            raise LegacyError(
                "The tables over there are not those that were planned for: look what changed, and plan again.",
                ExitCode.DRIFT,
            )
        now = self.tools.clock.now()
        values = (new_id(now, self.tools.entropy), msgspec.to_builtins(plan), State.EXPANDED, now)
        await self.tools.database.execute(store.BEGIN, *values)
        return await self.under_way()
