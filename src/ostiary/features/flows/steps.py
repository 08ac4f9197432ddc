"""The steps of a flow: have a code sent, enrol a factor where one must be had, show a factor.

A flow accepts nothing but its next step, from whoever holds its secret. A factor is shown under the lock of its owner's
row; a wrong one is counted and leaves the flow open, the right one closes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.audit import Action, Actor, Event, Login, Origin
from ostiary.features.flows import store
from ostiary.features.flows.model import Factor, SignedIn, Step, StepRefusal, StepRefused
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.mfa import FactorNotFound
from ostiary.features.outbox import Template
from ostiary.features.sessions import EndReason, SignInOvertaken
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.audit import Audit
    from ostiary.features.flows.model import OpenFlow
    from ostiary.features.flows.proofs import FactorProofs
    from ostiary.features.flows.service import Flows
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.mfa import Enrolment, FactorResets, SecondFactors
    from ostiary.features.outbox import Outbox
    from ostiary.features.passkeys import Ceremony
    from ostiary.features.sessions import Sessions
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_SENT: Final = frozenset({Factor.EMAIL, Factor.SMS})
# Nobody guesses these, so no flood of guesses may keep their owner out (ABU-03).
_NEVER_STOPPED: Final = frozenset({Factor.PASSKEY, Factor.RECOVERY_CODE})
_NO_SESSION: Final = UUID(int=0)


class FactorSteps:
    """Takes sign-ins from their first proof to a session."""

    def __init__(
        self,
        database: Database,
        *,
        flows: Flows,
        proofs: FactorProofs,
        identities: Identities,
        second_factors: SecondFactors,
        factor_resets: FactorResets,
        sessions: Sessions,
        outbox: Outbox,
        audit: Audit,
    ) -> None:
        self._database = database
        self._flows = flows
        self._proofs = proofs
        self._identities = identities
        self._second_factors = second_factors
        self._factor_resets = factor_resets
        self._sessions = sessions
        self._outbox = outbox
        self._audit = audit

    async def send(
        self, flow: Secret, factor: Factor, *, origin: Origin, now: datetime
    ) -> StepRefused | None:
        """Send the code of a message factor the flow waits for, as far as the limits permit."""
        found = await self._flows.read(self._database, flow, now=now)
        if found is None:
            return StepRefused(StepRefusal.NO_FLOW)
        if factor not in _SENT or not found.accepts(factor):
            return StepRefused(StepRefusal.WRONG_STEP)
        owner = await self._identities.get(found.identity_id)
        if not found.fits(owner):
            return StepRefused(StepRefusal.NO_FLOW)
        if await self._proofs.permits(owner, factor, ip_address=origin.ip_address, now=now):
            async with self._database.transaction() as tx:
                self._proofs.send(tx, owner, factor, bound_to=found.id, now=now)
        return None

    async def enrol(self, flow: Secret, factor: Factor, *, now: datetime) -> Enrolment | StepRefused:
        """Begin an authenticator app for somebody who must have a second factor and has none (MFA-01).

        Raises `TooManyFactors`, `SignInOvertaken`.
        """
        found = await self._flows.read(self._database, flow, now=now)
        if found is None:
            return StepRefused(StepRefusal.NO_FLOW)
        if not found.can_enrol(factor):
            return StepRefused(StepRefusal.WRONG_STEP)
        async with self._database.transaction() as tx:
            owner = await self._owner(tx, found)
            account = owner.email or owner.phone or format_id(IDENTITY_PREFIX, owner.id)
            enrolment = await self._second_factors.begin_totp(tx, owner.id, account=account, now=now)
            if await tx.execute(store.ENROL, found.id, enrolment.id) == 0:
                raise SignInOvertaken
            return enrolment

    async def begin_passkey(self, flow: Secret, *, now: datetime) -> Ceremony | StepRefused:
        """Begin to use a passkey as the factor the flow waits for. Raises `SignInOvertaken`."""
        found = await self._flows.read(self._database, flow, now=now)
        if found is None:
            return StepRefused(StepRefusal.NO_FLOW)
        if not found.accepts(Factor.PASSKEY):
            return StepRefused(StepRefusal.WRONG_STEP)
        async with self._database.transaction() as tx:
            owner = await self._owner(tx, found)
            return await self._proofs.begin_passkey(tx, owner.id, bound_to=found.id, now=now)

    async def finish(self, step: Step, *, origin: Origin, now: datetime) -> SignedIn | StepRefused:
        """Sign in whoever shows the factor their flow waits for.

        The attempt is counted before anything is compared, for whatever is shown (ABU-01). Raises `SignInOvertaken`.
        """
        found = await self._flows.read(self._database, step.flow, now=now)
        if found is None:
            return StepRefused(StepRefusal.NO_FLOW)
        attempt = await self._identities.reserve_attempt_by_id(found.identity_id, now=now)
        if not attempt.granted and step.shown.factor not in _NEVER_STOPPED:
            async with self._database.transaction() as tx:
                self._refuse(tx, found, step, StepRefusal.LOCKED, origin, now)
            return StepRefused(StepRefusal.LOCKED, attempt.retry_after(now))
        async with self._database.transaction() as tx:
            owner = await self._owner(tx, found)
            if not found.accepts(step.shown.factor):
                return self._refuse(tx, found, step, StepRefusal.WRONG_STEP, origin, now)
            codes: tuple[Secret, ...] = ()
            if found.enrolling is not None:
                amr = await self._confirm(tx, found, owner, step, now)
            else:
                amr = await self._proofs.verify(
                    tx, owner, step.shown, bound_to=found.id, origin=origin, now=now
                )
            if amr is None:
                return self._refuse(tx, found, step, StepRefusal.WRONG_PROOF, origin, now)
            # Whoever lost the race for the flow gives back what they showed: nothing of this transaction is kept.
            if await tx.fetch_one(store.CONSUME_FLOW, found.id, now) is None:
                raise SignInOvertaken
            if found.enrolling is not None:
                codes = await self._enrolled(tx, owner, step.shown.factor, origin, now)
            else:
                self._factor_resets.overtake(tx, owner.id, now=now)
            proof = found.proof(step.shown.factor, amr)
            return await self._flows.complete(
                tx,
                owner,
                proof,
                remember_device=step.remember_device,
                recovery_codes=codes,
                origin=origin,
                now=now,
            )

    async def _owner(self, tx: Transaction, found: OpenFlow) -> Credentials:
        """Lock whose flow it is. Raises `SignInOvertaken` when they changed since their first proof."""
        owner = await self._identities.lock_for_change(tx, found.identity_id)
        if not found.fits(owner):
            raise SignInOvertaken
        return owner

    async def _confirm(
        self, tx: Transaction, found: OpenFlow, owner: Credentials, step: Step, now: datetime
    ) -> tuple[str, ...] | None:
        if found.enrolling is None:
            return None
        try:
            right = await self._second_factors.confirm_totp(
                tx, owner.id, found.enrolling, step.shown.secret, now=now
            )
        except FactorNotFound:  # begun anew elsewhere: what this flow began counts for nothing any more
            return None
        return ("otp",) if right else None

    async def _enrolled(
        self, tx: Transaction, owner: Credentials, factor: Factor, origin: Origin, now: datetime
    ) -> tuple[Secret, ...]:
        """Do what adding a factor asks for: end what was signed in without it, tell the owner everywhere (MFA-06)."""
        reason = EndReason.FACTOR_ADDED
        await self._sessions.end_others(tx, owner.id, keep=_NO_SESSION, reason=reason, now=now)
        codes = await self._second_factors.renew_recovery_codes(tx, owner.id, now=now)
        values = {"factor": factor.value}
        self._outbox.notify_everywhere(tx, owner.recipient, Template.FACTOR_ADDED, values, now=now)
        external_id = format_id(IDENTITY_PREFIX, owner.id)
        event = Event(
            Action.FACTOR_ADDED,
            Actor.identity(external_id),
            "identity",
            external_id,
            origin=origin,
            metadata=dict(values),
        )
        self._audit.record(tx, event, now=now)
        return tuple(codes)

    def _refuse(
        self,
        tx: Transaction,
        found: OpenFlow,
        step: Step,
        reason: StepRefusal,
        origin: Origin,
        now: datetime,
    ) -> StepRefused:
        method = f"{found.method}+{step.shown.factor}"
        login = Login.refused(found.identity_id, method, reason, origin, provider=found.provider)
        self._audit.sign_in_refused(tx, login, now=now)
        return StepRefused(reason)
