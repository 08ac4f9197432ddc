"""What every change of somebody's factors has in common: who may make it, what it ends, and who hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.factors.errors import FactorDemanded, SecondFactorRequired
from ostiary.features.flows import Factor
from ostiary.features.outbox import Template
from ostiary.features.sessions import EndReason

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.flows import FactorFacts, Flows
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.mfa import FactorResets, SecondFactors
    from ostiary.features.outbox import Outbox
    from ostiary.features.passwords import Passwords
    from ostiary.features.sessions import Caller, Sessions
    from ostiary.foundation.storage import Transaction

_REASONS: Final = {
    Template.FACTOR_ADDED: EndReason.FACTOR_ADDED,
    Template.RECOVERY_CODES_RENEWED: EndReason.FACTOR_ADDED,
    Template.FACTOR_REMOVED: EndReason.FACTOR_REMOVED,
}


class FactorChanges:
    """The rules of changing factors, whichever kind they are (MFA-06)."""

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
    ) -> None:
        self._identities = identities
        self._second_factors = second_factors
        self._resets = resets
        self._flows = flows
        self._passwords = passwords
        self._sessions = sessions
        self._outbox = outbox

    async def begin(
        self, tx: Transaction, caller: Caller, *, now: datetime
    ) -> tuple[Credentials, FactorFacts]:
        """Lock the account, and make sure that a stolen session alone changes no factors of one that has some.

        Raises `SecondFactorRequired`, `IdentityNotFound`.
        """
        owner = await self._identities.lock_for_change(tx, caller.identity_id)
        facts = await self._flows.facts(tx, caller.identity_id, now=now)
        if facts.factors and not caller.showed_two_factors:
            raise SecondFactorRequired
        return owner, facts

    async def made(
        self,
        tx: Transaction,
        caller: Caller,
        owner: Credentials,
        template: Template,
        factor: Factor,
        *,
        now: datetime,
    ) -> None:
        """Tell the owner everywhere, and end what was proven without the change.

        Whoever makes such a change holds a factor, so a wish to be rid of lost ones is over.
        """
        values = {"factor": factor.value, "at": f"{now:%Y-%m-%d %H:%M} UTC"}
        if caller.origin.ip_address is not None:
            values["ip_address"] = caller.origin.ip_address
        self._outbox.notify_everywhere(tx, owner.recipient, template, values, now=now)
        self._resets.overtake(tx, caller.identity_id, now=now)
        await self._sessions.end_others(
            tx, caller.identity_id, keep=caller.session_id, reason=_REASONS[template], now=now
        )

    async def removed(
        self, tx: Transaction, caller: Caller, owner: Credentials, factor: Factor, *, now: datetime
    ) -> None:
        """Look what is left: the last factor may be demanded, and takes with it what leaned on it.

        Raises `FactorDemanded`.
        """
        left = await self._flows.facts(tx, caller.identity_id, now=now)
        if not left.factors - {Factor.RECOVERY_CODE}:
            if self._flows.demands_factor(owner.entity_type, left):
                raise FactorDemanded
            await self._second_factors.remove_recovery_codes(tx, caller.identity_id)
        if self._passwords.may_be_shorter_with_mfa and self._flows.is_password_enough(
            owner.entity_type, left
        ):
            # What was long enough beside a factor may be too short without it (PWD-01); the hash does not tell.
            await self._identities.require_password_change(tx, caller.identity_id, now=now)
        await self.made(tx, caller, owner, Template.FACTOR_REMOVED, factor, now=now)
