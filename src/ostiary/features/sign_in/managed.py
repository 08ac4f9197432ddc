"""Signing in with a password that a provider keeps, at its own door or in place of one that is not kept here.

The provider is asked outside any transaction, and what it gives is verified as everything that comes from it. Where the
settings want it, a password that was right there is hashed and kept here, so that the provider can be left one day.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ostiary.features.audit import Action, Actor, Event
from ostiary.features.federation import ArrivalReason, ArrivalRefused, Visit
from ostiary.features.identities import IDENTITY_PREFIX, InvalidAddress, parse_identifier
from ostiary.features.managed_passwords import ManagedReason, ManagedRefused, NotManaged
from ostiary.features.passwords import HashingOverloaded
from ostiary.features.provisioning import AwaitsApproval
from ostiary.features.sign_in.model import Refusal, Refused
from ostiary.features.upstream import UnknownProvider, UpstreamRefused
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.federation import Federation
    from ostiary.features.flows import FactorRequired, SignedIn
    from ostiary.features.identities import Address, Attempt, EntityTypes, Identities
    from ostiary.features.managed_passwords import ManagedPasswords
    from ostiary.features.passwords import PasswordHash, Passwords
    from ostiary.features.sign_in.attempts import Attempts
    from ostiary.features.sign_in.model import PasswordSignIn
    from ostiary.features.upstream import Arrived, Upstream
    from ostiary.foundation.storage import Database

_METHOD: Final = "password"
_REASONS: Final = {
    ManagedReason.UNKNOWN: Refusal.UNKNOWN_IDENTIFIER,
    ManagedReason.NOT_CONFIRMED: Refusal.NOT_VERIFIED,
    ManagedReason.DISABLED: Refusal.NOT_ACTIVE,
    ManagedReason.CHALLENGE_REQUIRED: Refusal.PROVIDER_WANTS_MORE,
}
_NOT_ADMITTED: Final = {
    ArrivalReason.NOT_ACTIVE: Refusal.NOT_ACTIVE,
    ArrivalReason.SIGN_IN_FIRST: Refusal.SIGN_IN_FIRST,
    ArrivalReason.HAS_PASSWORD: Refusal.PASSWORD_IS_HERE,
}


class ManagedSignIn:
    """Sign-ins with passwords that providers keep.

    `managed_by` keeps those of accounts that have none here; with `migrates` one that was right there is kept here from
    then on.
    """

    def __init__(
        self,
        database: Database,
        *,
        entity_types: EntityTypes,
        identities: Identities,
        passwords: Passwords,
        managed: ManagedPasswords,
        upstream: Upstream,
        federation: Federation,
        attempts: Attempts,
        audit: Audit,
        managed_by: str | None,
        migrates: bool,
    ) -> None:
        self._database = database
        self._entity_types = entity_types
        self._identities = identities
        self._passwords = passwords
        self._managed = managed
        self._upstream = upstream
        self._federation = federation
        self._attempts = attempts
        self._audit = audit
        self.managed_by: Final = managed_by
        self._migrates = migrates

    def provider_for(self, entity_type: str) -> str | None:
        """Return who keeps the passwords of this kind of account that are not kept here, if anybody does."""
        if self.managed_by is None or not self._serves(self.managed_by, entity_type):
            return None
        return self.managed_by

    async def with_password(
        self, provider: str, attempt: PasswordSignIn, *, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired | Refused:
        """Sign somebody in with the password that this provider keeps.

        Raises `UnknownProvider`, `NotManaged`, `UnknownEntityType`, `SignInOvertaken`, and `Unavailable` when the
        provider cannot be asked.
        """
        self._entity_types.get(attempt.entity_type)
        self._upstream.providers.get(provider)
        if not self._serves(provider, attempt.entity_type):
            raise NotManaged
        reserved = await self._attempts.reserve(attempt, now)
        if not reserved.granted:
            return await self._attempts.refuse(Refusal.LOCKED, reserved, origin=origin, now=now)
        return await self.ask(provider, attempt, reserved, origin=origin, now=now)

    async def ask(
        self, provider: str, attempt: PasswordSignIn, reserved: Attempt, *, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired | Refused:
        """Do so for an attempt that was counted and granted."""
        proven = await self._proven(provider, attempt, now)
        if isinstance(proven, ManagedRefused | UpstreamRefused):
            reason = Refusal.TOKEN_REFUSED
            if isinstance(proven, ManagedRefused):
                reason = _REASONS.get(proven.reason, Refusal.WRONG_PASSWORD)
            return await self._attempts.refuse(
                reason, reserved, provider=provider, said=proven.reason, origin=origin, now=now
            )
        address, arrived = proven
        credentials = reserved.credentials
        if credentials is not None and credentials.must_change_password:
            # An operator has evidence that somebody else knows it (PWD-08); a reset sets one that is kept here.
            return await self._attempts.refuse(
                Refusal.PASSWORD_CHANGE_REQUIRED, reserved, provider=provider, origin=origin, now=now
            )
        visit = Visit(
            attempt.entity_type,
            origin,
            method=_METHOD,
            device=attempt.device,
            is_in_place_of_password=provider == self.managed_by,
        )
        outcome = await self._federation.arrive(arrived, visit, now=now)
        if isinstance(outcome, AwaitsApproval):
            return Refused(Refusal.AWAITS_APPROVAL)
        if isinstance(outcome, ArrivalRefused):
            return Refused(_NOT_ADMITTED.get(outcome.reason, Refusal.NOT_ADMITTED))
        await self._settle(provider, attempt, address, outcome.identity_id, reserved, origin, now)
        return outcome

    def _serves(self, provider: str, entity_type: str) -> bool:
        """Say whether a provider is there, keeps passwords, and is for this kind of account (FED-08)."""
        try:
            self._managed.for_provider(provider)
            rules = self._upstream.providers.get(provider).rules
        except (NotManaged, UnknownProvider):
            return False
        return not rules.link_only and entity_type in rules.entity_types

    async def _proven(
        self, provider: str, attempt: PasswordSignIn, now: datetime
    ) -> tuple[Address, Arrived] | ManagedRefused | UpstreamRefused:
        """Ask the provider, and verify what it gives; what cannot be an address or a password is not sent anywhere."""
        try:
            address = parse_identifier(attempt.identifier)
        except InvalidAddress:
            return ManagedRefused(ManagedReason.UNKNOWN)
        if not self._passwords.is_plausible(attempt.password):
            return ManagedRefused(ManagedReason.WRONG_PASSWORD)
        asked = self._managed.for_provider(provider)
        try:
            tokens = await asked.sign_in(address.text, attempt.password, now=now)
            return address, await self._upstream.arrive_directly(provider, tokens, now=now)
        except (ManagedRefused, UpstreamRefused) as refused:
            return refused

    async def _settle(
        self,
        provider: str,
        attempt: PasswordSignIn,
        address: Address,
        identity_id: UUID,
        reserved: Attempt,
        origin: Origin,
        now: datetime,
    ) -> None:
        """Keep the password here if that is wished, and forget the guesses at an identifier that is nobody's here.

        The sign-in is complete without it: should this be lost, the next one does it.
        """
        hashed: PasswordHash | None = None
        if self._migrates and provider == self.managed_by:
            with suppress(HashingOverloaded):
                hashed = await self._passwords.hash(attempt.password)
        async with self._database.transaction() as tx:
            if reserved.credentials is None:
                await self._identities.forget_unknown(tx, attempt.entity_type, address)
            if hashed is None or not await self._identities.adopt_password(
                tx, identity_id, address, text=hashed.text, scheme=hashed.scheme, now=now
            ):
                return
            external_id = format_id(IDENTITY_PREFIX, identity_id)
            event = Event(
                Action.PASSWORD_ADOPTED,
                Actor.identity(external_id),
                target_kind="identity",
                target_id=external_id,
                origin=origin,
                metadata={"provider": provider},
            )
            self._audit.record(tx, event, now=now)
