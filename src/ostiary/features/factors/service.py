"""One's own second factors: adding, showing and removing them, and the recovery codes beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.audit import Action, Event
from ostiary.features.factors.errors import FactorDemanded, SecondFactorRequired
from ostiary.features.factors.model import Confirmed, FactorOverview, WrongCode
from ostiary.features.flows import Factor
from ostiary.features.mfa import FactorKind, FactorUnavailable
from ostiary.features.outbox import Template
from ostiary.features.sessions import EndReason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.flows import FactorFacts, Flows
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.mfa import Enrolment, FactorResets, SecondFactors
    from ostiary.features.outbox import Outbox
    from ostiary.features.passwords import Passwords
    from ostiary.features.sessions import Caller, Sessions
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_REASONS: Final = {
    Action.FACTOR_ADDED: EndReason.FACTOR_ADDED,
    Action.RECOVERY_CODES_RENEWED: EndReason.FACTOR_ADDED,
    Action.FACTOR_REMOVED: EndReason.FACTOR_REMOVED,
}
_TEMPLATES: Final = {
    Action.FACTOR_ADDED: Template.FACTOR_ADDED,
    Action.RECOVERY_CODES_RENEWED: Template.RECOVERY_CODES_RENEWED,
    Action.FACTOR_REMOVED: Template.FACTOR_REMOVED,
}


class FactorManagement:
    """The second factors of one installation, in the hands of their owners.

    Every change raises `SecondFactorRequired` where the account has a factor and the session was not proven with one,
    and `IdentityNotFound`.
    """

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        second_factors: SecondFactors,
        resets: FactorResets,
        flows: Flows,
        passwords: Passwords,
        sessions: Sessions,
        outbox: Outbox,
        audit: Audit,
    ) -> None:
        self._database = database
        self._identities = identities
        self._second_factors = second_factors
        self._resets = resets
        self._flows = flows
        self._passwords = passwords
        self._sessions = sessions
        self._outbox = outbox
        self._audit = audit

    async def overview(self, caller: Caller, *, now: datetime) -> FactorOverview:
        """Return the caller's factors, without anything secret."""
        facts = await self._flows.facts(self._database, caller.identity_id, now=now)
        return FactorOverview(
            factors=await self._second_factors.list(self._database, caller.identity_id),
            usable=facts.factors,
            offered=self._second_factors.offered | {FactorKind.TOTP},
            demanded=self._flows.demands_factor(caller.entity_type, facts),
        )

    async def begin_totp(self, caller: Caller, *, label: str | None, now: datetime) -> Enrolment:
        """Begin to add an authenticator app; its secret is in the answer and never shown again (MFA-01).

        Raises `TooManyFactors`.
        """
        async with self._database.transaction() as tx:
            owner, _ = await self._allowed(tx, caller, now)
            account = owner.email or owner.phone or caller.external_id
            enrolment = await self._second_factors.begin_totp(
                tx, caller.identity_id, account=account, label=label, now=now
            )
            self._record(tx, caller, Action.FACTOR_BEGUN, FactorKind.TOTP, now)
            return enrolment

    async def confirm_totp(
        self, caller: Caller, factor_id: UUID, code: Secret, *, now: datetime
    ) -> Confirmed | WrongCode:
        """Make an authenticator app count from its first code on; it comes with recovery codes if none is left.

        The code is a guess like any other (ABU-01). Raises `FactorNotFound`.
        """
        attempt = await self._identities.reserve_attempt_by_id(caller.identity_id, now=now)
        if not attempt.granted:
            return WrongCode(attempt.retry_after(now))
        async with self._database.transaction() as tx:
            owner, facts = await self._allowed(tx, caller, now)
            if not await self._second_factors.confirm_totp(tx, caller.identity_id, factor_id, code, now=now):
                self._record(tx, caller, Action.FACTOR_REFUSED, FactorKind.TOTP, now, success=False)
                return WrongCode()
            codes: Sequence[Secret] = ()
            if Factor.RECOVERY_CODE not in facts.factors:
                codes = await self._second_factors.renew_recovery_codes(tx, caller.identity_id, now=now)
            await self._changed(tx, caller, owner, Action.FACTOR_ADDED, FactorKind.TOTP, now)
            return Confirmed(codes)

    async def remove_totp(self, caller: Caller, factor_id: UUID, *, now: datetime) -> None:
        """Remove an authenticator app. Raises `FactorNotFound`, `FactorDemanded`."""
        async with self._database.transaction() as tx:
            owner, _ = await self._allowed(tx, caller, now)
            await self._second_factors.remove_totp(tx, caller.identity_id, factor_id)
            await self._removed(tx, caller, owner, FactorKind.TOTP, now)

    async def renew_recovery_codes(self, caller: Caller, *, now: datetime) -> Sequence[Secret]:
        """Make a new set of recovery codes; the old one is dead (MFA-04).

        Raises `FactorUnavailable` where there is no factor they could stand in for.
        """
        async with self._database.transaction() as tx:
            owner, facts = await self._allowed(tx, caller, now)
            if not facts.factors - {Factor.RECOVERY_CODE}:
                raise FactorUnavailable(
                    "Recovery codes stand in for a second factor, and this account has none: add one first."
                )
            codes = await self._second_factors.renew_recovery_codes(tx, caller.identity_id, now=now)
            action = Action.RECOVERY_CODES_RENEWED
            await self._changed(tx, caller, owner, action, FactorKind.RECOVERY_CODE, now)
            return codes

    async def add_message(self, caller: Caller, kind: FactorKind, *, now: datetime) -> None:
        """Make the caller's own proven e-mail address or phone number a second factor (MFA-07).

        Raises `FactorUnavailable`.
        """
        if kind not in self._second_factors.offered:
            raise FactorUnavailable("This service sends no codes that way: add an authenticator app instead.")
        identity = await self._identities.get(caller.identity_id)
        proven = identity.email_verified_at if kind is FactorKind.EMAIL else identity.phone_verified_at
        if proven is None:
            raise FactorUnavailable(
                "Only an address that was verified can be a second factor: verify it first."
            )
        async with self._database.transaction() as tx:
            owner, _ = await self._allowed(tx, caller, now)
            if await self._second_factors.add_message(tx, caller.identity_id, kind, now=now):
                await self._changed(tx, caller, owner, Action.FACTOR_ADDED, kind, now)

    async def remove_message(self, caller: Caller, kind: FactorKind, *, now: datetime) -> None:
        """Send no more codes that way. Raises `FactorNotFound`, `FactorDemanded`."""
        async with self._database.transaction() as tx:
            owner, _ = await self._allowed(tx, caller, now)
            await self._second_factors.remove_message(tx, caller.identity_id, kind)
            await self._removed(tx, caller, owner, kind, now)

    async def _allowed(
        self, tx: Transaction, caller: Caller, now: datetime
    ) -> tuple[Credentials, FactorFacts]:
        """Lock the account, and make sure that a stolen session alone changes no factors of one that has some."""
        owner = await self._identities.lock_for_change(tx, caller.identity_id)
        facts = await self._flows.facts(tx, caller.identity_id, now=now)
        if facts.factors and not caller.showed_two_factors:
            raise SecondFactorRequired
        return owner, facts

    async def _removed(
        self, tx: Transaction, caller: Caller, owner: Credentials, kind: FactorKind, now: datetime
    ) -> None:
        """Look what is left: the last factor may be demanded, and takes with it what leaned on it."""
        left = await self._flows.facts(tx, caller.identity_id, now=now)
        if not left.factors - {Factor.RECOVERY_CODE}:
            if self._flows.demands_factor(caller.entity_type, left):
                raise FactorDemanded
            await self._second_factors.remove_recovery_codes(tx, caller.identity_id)
        if self._passwords.may_be_shorter_with_mfa and self._flows.is_password_enough(
            owner.entity_type, left
        ):
            # What was long enough beside a factor may be too short without it (PWD-01); the hash does not tell.
            await self._identities.require_password_change(tx, caller.identity_id, now=now)
        await self._changed(tx, caller, owner, Action.FACTOR_REMOVED, kind, now)

    async def _changed(
        self,
        tx: Transaction,
        caller: Caller,
        owner: Credentials,
        action: Action,
        kind: FactorKind,
        now: datetime,
    ) -> None:
        """Record it, tell the owner everywhere, and end what was proven without the change."""
        self._record(tx, caller, action, kind, now)
        values = {"factor": kind.value, "at": f"{now:%Y-%m-%d %H:%M} UTC"}
        if caller.origin.ip_address is not None:
            values["ip_address"] = caller.origin.ip_address
        self._outbox.notify_everywhere(tx, owner.recipient, _TEMPLATES[action], values, now=now)
        self._resets.overtake(tx, caller.identity_id, now=now)
        await self._sessions.end_others(
            tx, caller.identity_id, keep=caller.session_id, reason=_REASONS[action], now=now
        )

    def _record(
        self,
        tx: Transaction,
        caller: Caller,
        action: Action,
        kind: FactorKind,
        now: datetime,
        *,
        success: bool = True,
    ) -> None:
        event = Event(
            action,
            caller.actor,
            target_kind="identity",
            target_id=caller.external_id,
            session_id=caller.session_id,
            origin=caller.origin,
            success=success,
            metadata={"factor": kind.value},
        )
        self._audit.record(tx, event, now=now)
