"""Starting, reading, saving and completing an onboarding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.features.audit import Action
from ostiary.features.onboarding import store
from ostiary.features.onboarding.model import (
    DATA,
    SKIPPED,
    Funnel,
    FunnelStep,
    OnboardingRefused,
    Row,
)
from ostiary.features.onboarding.progress import Progress, next_step, progress_of
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from ostiary.features.audit import Audit
    from ostiary.features.identities import Identities
    from ostiary.features.onboarding.flows import OnboardingFlow, OnboardingFlows
    from ostiary.features.sessions import Caller
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Transaction

_Reason = OnboardingRefused.Reason


class Onboarding:
    """The onboarding of one installation; what nobody touches for `lifetime` is abandoned."""

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        flows: OnboardingFlows,
        identities: Identities,
        audit: Audit,
        lifetime: timedelta,
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._flows = flows
        self._identities = identities
        self._audit = audit
        self._lifetime = lifetime

    async def start(
        self,
        caller: Caller,
        *,
        flow: str | None = None,
        data: Mapping[str, Mapping[str, Any]] | None = None,
        now: datetime,
    ) -> Progress:
        """Begin a flow, with the data of some steps if it is known already; begun once, it is gone on with.

        Raises `OnboardingRefused`.
        """
        chosen = self._flows.get(flow, entity_type=caller.entity_type)
        for name, given in (data or {}).items():
            chosen.step(name).check(given)
        steps = {chosen.step(name).name: {DATA: given} for name, given in (data or {}).items()}
        async with self._database.transaction() as tx:
            begun = await tx.execute(
                store.START,
                new_id(now, self._entropy),
                caller.identity_id,
                chosen.name,
                next_step(chosen, steps),
                steps,
                now,
                now + self._lifetime,
            )
            if begun:
                self._record(tx, caller, Action.ONBOARDING_STARTED, chosen.name, now)
        progress = await self.read(caller, now=now)
        if progress.row.flow != chosen.name:
            raise OnboardingRefused(_Reason.ANOTHER_UNDER_WAY)
        return progress

    async def read(self, caller: Caller, *, now: datetime) -> Progress:
        """Say how far the caller has come. Raises `OnboardingRefused`."""
        row = await self._database.fetch_one(store.FIND, caller.identity_id)
        flow, row = self._open(row, now)
        return await self._progress(flow, row)

    async def save(
        self, caller: Caller, step: str, data: Mapping[str, Any] | None, *, now: datetime
    ) -> Progress:
        """Save a step, or skip it when `data` is None; again if it was saved before. Raises `OnboardingRefused`."""
        async with self._database.transaction() as tx:
            flow, row = self._open(await tx.fetch_one(store.LOCK, caller.identity_id), now)
            if row.completed_at is not None:
                raise OnboardingRefused(_Reason.OVER)
            declared = flow.step(step)
            if data is None and not declared.skippable:
                raise OnboardingRefused(_Reason.NOT_SKIPPABLE)
            if data is not None:
                declared.check(data)
            value = {SKIPPED: True} if data is None else {DATA: data}
            following = next_step(flow, row.step_data | {declared.name: value})
            saved = await tx.fetch_one(
                store.SAVE, row.id, declared.name, value, following, now, now + self._lifetime
            )
            self._record(tx, caller, Action.ONBOARDING_STEP_SAVED, f"{flow.name}.{declared.name}", now)
        return await self._progress(flow, saved or row)

    async def complete(self, caller: Caller, *, now: datetime) -> Progress:
        """Complete the flow, if every step is done; complete already, nothing happens. Raises `OnboardingRefused`.

        The flow's own hook runs in the same transaction: what it raises undoes all of it.
        """
        identity = await self._identities.get(caller.identity_id)
        async with self._database.transaction() as tx:
            flow, row = self._open(await tx.fetch_one(store.LOCK, caller.identity_id), now)
            progress = progress_of(flow, row, identity)
            if row.completed_at is not None:
                return progress
            if progress.missing:
                raise OnboardingRefused(
                    _Reason.INCOMPLETE,
                    {f"steps.{missing.step.name}": missing.state for missing in progress.missing},
                )
            if flow.on_complete is not None:
                await flow.on_complete(tx, identity, progress.data)
            await tx.execute(store.COMPLETE, row.id, now)
            self._record(tx, caller, Action.ONBOARDING_COMPLETED, flow.name, now)
        return await self.read(caller, now=now)

    async def funnel(self, *, now: datetime) -> Sequence[Funnel]:
        """Count how far people come, for every flow. Reads the whole table: ask now and then."""
        async with self._database.transaction() as tx:
            counted = {found.flow: found for found in await tx.fetch_all(store.COUNT_FLOWS, now)}
            steps = {(found.flow, found.step): found for found in await tx.fetch_all(store.COUNT_STEPS)}
            waiting = {
                (found.flow, found.step): found.waiting
                for found in await tx.fetch_all(store.COUNT_WAITING, now)
            }
        funnels = []
        for flow in self._flows:
            count = counted.get(flow.name) or store.FlowCount(flow.name, 0, 0, 0)
            found = [
                FunnelStep(step.name, was.saved, was.skipped, waiting.get((flow.name, step.name), 0))
                for step in flow.steps
                for was in [steps.get((flow.name, step.name)) or store.StepCount(flow.name, step.name, 0, 0)]
            ]
            under_way = count.started - count.completed - count.abandoned
            funnels.append(
                Funnel(flow.name, count.started, count.completed, count.abandoned, under_way, found)
            )
        return funnels

    async def purge(self, tx: Transaction, *, abandoned_by: datetime, limit: int) -> int:
        """Delete up to `limit` onboardings that were abandoned by then; return how many."""
        return await tx.execute(store.PURGE, abandoned_by, limit)

    def _open(self, row: Row | None, now: datetime) -> tuple[OnboardingFlow, Row]:
        flow = self._flows.find(row.flow) if row is not None else None
        if row is None or flow is None or row.is_over(now):
            raise OnboardingRefused(_Reason.NOT_STARTED)
        return flow, row

    async def _progress(self, flow: OnboardingFlow, row: Row) -> Progress:
        return progress_of(flow, row, await self._identities.get(row.identity_id))

    def _record(self, tx: Transaction, caller: Caller, action: Action, what: str, now: datetime) -> None:
        self._audit.record(tx, caller.event(action, reason=what), now=now)
