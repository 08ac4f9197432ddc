"""One's own second factors: adding, showing and removing them, and the recovery codes beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import Action
from ostiary.features.factors.model import Confirmed, FactorOverview, WrongCode
from ostiary.features.flows import Factor
from ostiary.features.mfa import FactorKind, FactorUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.factors.changes import FactorChanges
    from ostiary.features.flows import Flows
    from ostiary.features.identities import Identities
    from ostiary.features.mfa import Enrolment, SecondFactors
    from ostiary.features.sessions import Caller
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database


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
        flows: Flows,
        changes: FactorChanges,
    ) -> None:
        self._database = database
        self._identities = identities
        self._second_factors = second_factors
        self._flows = flows
        self._changes = changes

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
            owner, _ = await self._changes.allowed(tx, caller, now)
            account = owner.email or owner.phone or caller.external_id
            enrolment = await self._second_factors.begin_totp(
                tx, caller.identity_id, account=account, label=label, now=now
            )
            self._changes.record(tx, caller, Action.FACTOR_BEGUN, FactorKind.TOTP, now)
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
            owner, facts = await self._changes.allowed(tx, caller, now)
            if not await self._second_factors.confirm_totp(tx, caller.identity_id, factor_id, code, now=now):
                self._changes.record(tx, caller, Action.FACTOR_REFUSED, FactorKind.TOTP, now, success=False)
                return WrongCode()
            codes: Sequence[Secret] = ()
            if Factor.RECOVERY_CODE not in facts.factors:
                codes = await self._second_factors.renew_recovery_codes(tx, caller.identity_id, now=now)
            await self._changes.made(tx, caller, owner, Action.FACTOR_ADDED, FactorKind.TOTP, now)
            return Confirmed(codes)

    async def remove_totp(self, caller: Caller, factor_id: UUID, *, now: datetime) -> None:
        """Remove an authenticator app. Raises `FactorNotFound`, `FactorDemanded`."""
        async with self._database.transaction() as tx:
            owner, _ = await self._changes.allowed(tx, caller, now)
            await self._second_factors.remove_totp(tx, caller.identity_id, factor_id)
            await self._changes.removed(tx, caller, owner, FactorKind.TOTP, now)

    async def renew_recovery_codes(self, caller: Caller, *, now: datetime) -> Sequence[Secret]:
        """Make a new set of recovery codes; the old one is dead (MFA-04).

        Raises `FactorUnavailable` where there is no factor they could stand in for.
        """
        async with self._database.transaction() as tx:
            owner, facts = await self._changes.allowed(tx, caller, now)
            if not facts.factors - {Factor.RECOVERY_CODE}:
                raise FactorUnavailable(
                    "Recovery codes stand in for a second factor, and this account has none: add one first."
                )
            codes = await self._second_factors.renew_recovery_codes(tx, caller.identity_id, now=now)
            action = Action.RECOVERY_CODES_RENEWED
            await self._changes.made(tx, caller, owner, action, FactorKind.RECOVERY_CODE, now)
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
            owner, _ = await self._changes.allowed(tx, caller, now)
            if await self._second_factors.add_message(tx, caller.identity_id, kind, now=now):
                await self._changes.made(tx, caller, owner, Action.FACTOR_ADDED, kind, now)

    async def remove_message(self, caller: Caller, kind: FactorKind, *, now: datetime) -> None:
        """Send no more codes that way. Raises `FactorNotFound`, `FactorDemanded`."""
        async with self._database.transaction() as tx:
            owner, _ = await self._changes.allowed(tx, caller, now)
            await self._second_factors.remove_message(tx, caller.identity_id, kind)
            await self._changes.removed(tx, caller, owner, kind, now)
