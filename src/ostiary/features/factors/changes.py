"""What every change of somebody's factors must pass and bring about, whatever kind of factor it is (MFA-06)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.audit import Action
from ostiary.features.factors.errors import FactorDemanded, SecondFactorRequired
from ostiary.features.flows import Factor
from ostiary.features.outbox import Template
from ostiary.features.sessions import EndReason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.features.audit import Audit
    from ostiary.features.flows import FactorFacts, Flows
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.mfa import FactorResets, SecondFactors
    from ostiary.features.outbox import Outbox
    from ostiary.features.passwords import Passwords
    from ostiary.features.sessions import Caller, Sessions
    from ostiary.foundation.storage import Transaction

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


class FactorChanges:
    """The rules of one installation for changes of factors."""

    def __init__(
        self,
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
        self._identities = identities
        self._second_factors = second_factors
        self._resets = resets
        self._flows = flows
        self._passwords = passwords
        self._sessions = sessions
        self._outbox = outbox
        self._audit = audit

    async def allowed(
        self, tx: Transaction, caller: Caller, now: datetime
    ) -> tuple[Credentials, FactorFacts]:
        """Lock the account, and make sure that a stolen session alone changes no factors of one that has some.

        Raises `SecondFactorRequired`, `IdentityNotFound`.
        """
        owner = await self._identities.lock_for_change(tx, caller.identity_id)
        facts = await self._flows.facts(tx, caller.identity_id, now=now)
        if facts.factors and not caller.showed_two_factors:
            raise SecondFactorRequired
        return owner, facts

    async def removed(
        self, tx: Transaction, caller: Caller, owner: Credentials, factor: str, now: datetime
    ) -> None:
        """Look what is left, after a factor was removed: the last one may be demanded, and takes with it what leaned on it.

        Raises `FactorDemanded`.
        """
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
        await self.made(tx, caller, owner, Action.FACTOR_REMOVED, factor, now)

    async def made(
        self,
        tx: Transaction,
        caller: Caller,
        owner: Credentials,
        action: Action,
        factor: str,
        now: datetime,
    ) -> None:
        """Record a change, tell the owner everywhere, and end what was proven without it."""
        self.record(tx, caller, action, factor, now)
        values = {"factor": factor, "at": f"{now:%Y-%m-%d %H:%M} UTC"}
        if caller.origin.ip_address is not None:
            values["ip_address"] = caller.origin.ip_address
        self._outbox.notify_everywhere(tx, owner.recipient, _TEMPLATES[action], values, now=now)
        self._resets.overtake(tx, caller.identity_id, now=now)
        await self._sessions.end_others(
            tx, caller.identity_id, keep=caller.session_id, reason=_REASONS[action], now=now
        )

    def record(
        self,
        tx: Transaction,
        caller: Caller,
        action: Action,
        factor: str,
        now: datetime,
        *,
        success: bool = True,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Record what was done, or refused, about a factor."""
        said = {"factor": factor, **(metadata or {})}
        self._audit.record(tx, caller.event(action, success=success, reason=reason, metadata=said), now=now)
