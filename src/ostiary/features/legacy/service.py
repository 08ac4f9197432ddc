"""Migrations of one installation: what the commands call. One is under way at a time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from ostiary.features.legacy import store
from ostiary.features.legacy.leasing import Lease
from ostiary.features.legacy.model import ExitCode, LegacyError, Migration, State
from ostiary.features.legacy.plan import Plan, fingerprint
from ostiary.features.legacy.planning import Planning
from ostiary.features.legacy.running import Pace, Progress, Running
from ostiary.features.legacy.verifying import Verifying
from ostiary.features.legacy.work import Tools, Work
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from ostiary.features.legacy.model import Decisions
    from ostiary.features.legacy.profile import Profile
    from ostiary.features.legacy.verification import Canary, Level, Tell, Verification
    from ostiary.foundation.foreign import Source


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
        if found is None or found.state is State.CONTRACTED:
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
        async with self.holding(migration, source) as (work, lease):
            return await Running(work, lease, pace=pace, tell=tell, stop=stop).run(until=until)

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
            current = await self.under_way()
            yield await Work.on(tools, current, source), lease
        finally:
            await lease.let_go()

    async def _begun(self, plan: Plan, source: Source) -> Migration:
        """Return the migration of this plan, made if there is none. Raises `LegacyError`."""
        found = await self.current()
        if found is not None and found.state is not State.CONTRACTED:
            if msgspec.convert(found.plan, Plan).digest != plan.digest:
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
