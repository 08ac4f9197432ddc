"""Registering at a provider that keeps passwords, and confirming what it sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import NOBODY, Action, Event
from ostiary.features.federation import may_be_made
from ostiary.features.identities import IDENTITY_PREFIX, parse_email
from ostiary.features.managed_passwords import ManagedReason, ManagedRefused, SignedUp
from ostiary.features.managed_registration.model import ManagedRegistrationRefused
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.challenges import Sending
    from ostiary.features.identities import EmailAddress, EntityTypes, Identities
    from ostiary.features.managed_passwords import ManagedPasswords, ManagedProvider
    from ostiary.features.managed_registration.model import NewManagedAccount
    from ostiary.features.passwords import Passwords
    from ostiary.features.upstream import ProviderRules, Providers
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database

_Reason = ManagedRegistrationRefused.Reason


class ManagedRegistration:
    """Registration at providers.

    With `hides_accounts` nobody learns from it which addresses have an account there (ABU-04).
    """

    def __init__(
        self,
        database: Database,
        *,
        entity_types: EntityTypes,
        identities: Identities,
        passwords: Passwords,
        providers: Providers,
        managed: ManagedPasswords,
        sending: Sending,
        audit: Audit,
        hides_accounts: bool,
    ) -> None:
        self._database = database
        self._entity_types = entity_types
        self._identities = identities
        self._passwords = passwords
        self._providers = providers
        self._managed = managed
        self._sending = sending
        self._audit = audit
        self._hides_accounts = hides_accounts

    async def register(self, wish: NewManagedAccount, *, origin: Origin, now: datetime) -> SignedUp:
        """Make an account at the provider, which sends its owner what confirms the address.

        The password has to be one that could be kept here, too. Raises `ManagedRegistrationRefused`, `UnknownProvider`,
        `NotManaged`, `UnknownEntityType`, `InvalidAddress`, `UnacceptablePassword` and `Unavailable`.
        """
        provider, rules = self._provider(wish.provider)
        email = parse_email(wish.email)
        self._require_open(rules, wish.entity_type)
        if not rules.admits(email.normalized):
            raise ManagedRegistrationRefused(_Reason.DOMAIN_NOT_ALLOWED)
        name = wish.profile.get("display_name")
        context = [email.normalized, name] if isinstance(name, str) else [email.normalized]
        self._passwords.check(wish.password, context=context)
        if not await self._permits(email, origin, now):
            raise ManagedRegistrationRefused(_Reason.TOO_MANY_MESSAGES)
        try:
            made = await provider.sign_up(email.text, wish.password, wish.profile, now=now)
        except ManagedRefused as refused:
            await self._note_registered(wish.provider, refused.reason, origin, now)
            return self._refused(refused.reason)
        await self._note_registered(wish.provider, None, origin, now)
        return made

    async def confirm(
        self,
        provider_name: str,
        entity_type: str,
        address: str,
        code: Secret,
        *,
        origin: Origin,
        now: datetime,
    ) -> timedelta | None:
        """Confirm an address by the code the provider sent; the guess is counted before it is made (ABU-01).

        Return how long to wait where the budget is spent. Raises `ManagedRegistrationRefused`, `UnknownProvider`,
        `NotManaged`, `UnknownEntityType`, `InvalidAddress` and `Unavailable`.
        """
        provider, rules = self._provider(provider_name)
        self._require_open(rules, entity_type)
        email = parse_email(address)
        reserved = await self._identities.reserve_attempt(entity_type, email, now=now)
        identity_id = reserved.credentials.id if reserved.credentials else None
        if not reserved.granted:
            await self._note_confirmed(provider_name, identity_id, "locked", origin, now)
            return reserved.retry_after(now)
        try:
            await provider.confirm(email.text, code, now=now)
        except ManagedRefused as refused:
            await self._note_confirmed(provider_name, identity_id, refused.reason, origin, now)
            is_elsewhere = refused.reason is ManagedReason.CONFIRMED_ELSEWHERE
            reason = _Reason.CONFIRMED_ELSEWHERE if is_elsewhere else _Reason.WRONG_CODE
            raise ManagedRegistrationRefused(reason) from None
        await self._note_confirmed(provider_name, identity_id, None, origin, now)
        return None

    async def resend(
        self,
        provider_name: str,
        entity_type: str,
        address: str,
        password: Secret | None,
        *,
        origin: Origin,
        now: datetime,
    ) -> None:
        """Have the provider send once more what confirms an address, if it knows it; nobody is told whether.

        Raises `ManagedRegistrationRefused` (closed), `UnknownProvider`, `NotManaged`, `UnknownEntityType`,
        `InvalidAddress` and `Unavailable`.
        """
        provider, rules = self._provider(provider_name)
        self._require_open(rules, entity_type)
        email = parse_email(address)
        if not await self._permits(email, origin, now):
            return
        if password is not None:
            reserved = await self._identities.reserve_attempt(entity_type, email, now=now)
            if not reserved.granted or not self._passwords.is_plausible(password):
                return
        try:
            await provider.resend(email.text, password, now=now)
        except ManagedRefused:
            return

    def _provider(self, name: str) -> tuple[ManagedProvider, ProviderRules]:
        rules = self._providers.get(name).rules
        return self._managed.for_provider(name), rules

    def _require_open(self, rules: ProviderRules, entity_type: str) -> None:
        """Refuse whoever could not sign in with what they get: for them no account is made anywhere (FED-08)."""
        kind = self._entity_types.get(entity_type)
        if kind.name not in rules.entity_types or rules.link_only or not may_be_made(kind, rules):
            raise ManagedRegistrationRefused(_Reason.CLOSED)

    def _refused(self, reason: ManagedReason) -> SignedUp:
        if reason is ManagedReason.WEAK_PASSWORD:
            raise ManagedRegistrationRefused(_Reason.WEAK_PASSWORD)
        if reason is ManagedReason.THROTTLED:
            raise ManagedRegistrationRefused(_Reason.TOO_MANY_MESSAGES)
        if self._hides_accounts:
            return SignedUp(needs_confirmation=True)
        raise ManagedRegistrationRefused(_Reason.ADDRESS_TAKEN)

    async def _permits(self, email: EmailAddress, origin: Origin, now: datetime) -> bool:
        """Count one message that the provider sends for us (ABU-07)."""
        return await self._sending.permits(
            destination=email.key, account=email.key, ip_address=origin.ip_address, now=now
        )

    async def _note_registered(
        self, provider: str, reason: ManagedReason | None, origin: Origin, now: datetime
    ) -> None:
        event = Event(
            Action.PROVIDER_ACCOUNT_REGISTERED,
            NOBODY,
            origin=origin,
            success=reason is None,
            reason=reason,
            metadata={"provider": provider},
        )
        await self._note(event, now)

    async def _note_confirmed(
        self, provider: str, identity_id: UUID | None, reason: str | None, origin: Origin, now: datetime
    ) -> None:
        event = Event(
            Action.PROVIDER_ACCOUNT_CONFIRMED,
            NOBODY,
            target_kind="identity" if identity_id else None,
            target_id=format_id(IDENTITY_PREFIX, identity_id) if identity_id else None,
            origin=origin,
            success=reason is None,
            reason=reason,
            metadata={"provider": provider},
        )
        await self._note(event, now)

    async def _note(self, event: Event, now: datetime) -> None:
        async with self._database.transaction() as tx:
            self._audit.record(tx, event, now=now)
