"""Registering: check, hash, then one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.audit import NOBODY, SYSTEM, Action, Actor, Event, Origin
from ostiary.features.challenges import Purpose
from ostiary.features.flows import Proof
from ostiary.features.identities import IDENTITY_PREFIX, parse_email, parse_phone
from ostiary.features.registration.model import NewAccount, RegistrationRefused
from ostiary.features.roles import OPERATOR
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from ostiary.features.audit import Audit
    from ostiary.features.challenges import Challenges
    from ostiary.features.flows import FactorRequired, Flows, SignedIn
    from ostiary.features.identities import (
        EmailAddress,
        EntityType,
        EntityTypes,
        Identities,
        NewIdentity,
        PhoneNumber,
    )
    from ostiary.features.passwords import PasswordHash, Passwords
    from ostiary.features.roles import Roles
    from ostiary.features.service_credentials import ServiceCredentials
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_ADMIN: Final = "admin"
_SERVICE: Final = "service"
_FIRST_ADMINISTRATOR: Final = "first administrator"
_PROOF: Final = Proof("password", ("pwd",))


class Registration:
    """The ways into an installation."""

    def __init__(
        self,
        database: Database,
        *,
        entity_types: EntityTypes,
        identities: Identities,
        passwords: Passwords,
        challenges: Challenges,
        roles: Roles,
        flows: Flows,
        audit: Audit,
        service_credentials: ServiceCredentials,
    ) -> None:
        self._database = database
        self._entity_types = entity_types
        self._identities = identities
        self._passwords = passwords
        self._challenges = challenges
        self._roles = roles
        self._flows = flows
        self._audit = audit
        self._service_credentials = service_credentials

    async def register(
        self, account: NewAccount, *, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired:
        """Register somebody who came to the door, and sign them in.

        Raises `RegistrationRefused`, `UnknownEntityType`, `InvalidAddress`, `UnacceptablePassword`,
        `IdentifierTaken`, `InvalidProfile`, and what the entity type's hook raises.
        """
        entity_type = self._entity_types.get(account.entity_type)
        if not entity_type.open_registration:
            raise RegistrationRefused(RegistrationRefused.Reason.CLOSED)
        if account.password is None:
            raise RegistrationRefused(RegistrationRefused.Reason.NO_PASSWORD)
        email, phone = _addresses(account)
        password = await self._hash(account.password, email, account)
        async with self._database.transaction() as tx:
            identity = await self._create(
                tx, entity_type, email, phone, password, account, by=None, origin=origin, now=now
            )
            return await self._sign_in(tx, identity, origin, now)

    async def create(
        self, account: NewAccount, *, roles: Sequence[str] = (), by: Actor, origin: Origin, now: datetime
    ) -> NewIdentity:
        """Make an account for somebody else, without signing anybody in; a password is optional.

        Raises what `register` raises, except that the kind of account need not be open.
        """
        entity_type = self._entity_types.get(account.entity_type)
        email, phone = _addresses(account)
        password = await self._hash(account.password, email, account) if account.password else None
        async with self._database.transaction() as tx:
            identity = await self._create(
                tx, entity_type, email, phone, password, account, by=by, origin=origin, now=now
            )
            for role in roles:
                await self._roles.grant(tx, identity.id, role, granted_by=by.id or by.kind, now=now)
        return identity

    async def create_service(
        self, name: str, scopes: Iterable[str], *, lifetime: timedelta | None, by: Actor, now: datetime
    ) -> Secret:
        """Make a service, which has no address and no password, and return its credential, known only now.

        Raises `InvalidScope`, `InvalidProfile`.
        """
        account = NewAccount(_SERVICE, None, None, None, {"display_name": name})
        service = self._entity_types.get(_SERVICE)
        async with self._database.transaction() as tx:
            identity = await self._create(
                tx, service, None, None, None, account, by=by, origin=Origin(), now=now
            )
            return await self._service_credentials.issue(
                tx, identity.id, scopes, lifetime=lifetime, by=by, now=now
            )

    async def issue_bootstrap(self, *, now: datetime) -> Secret | None:
        """Make the one-time token for the first administrator, or return None when there is one (ADM-04)."""
        async with self._database.transaction() as tx:
            if await self._identities.count(tx, _ADMIN):
                return None
            token = self._challenges.issue(
                tx, Purpose.BOOTSTRAP, identity_id=None, destination=_FIRST_ADMINISTRATOR, now=now
            )
            self._audit.record(tx, Event(Action.BOOTSTRAP_ISSUED, SYSTEM), now=now)
            return token

    async def bootstrap(
        self, token: Secret, *, email: str, password: Secret, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired:
        """Make the first administrator, once; sixteen callers with the same token get one success (ADM-04).

        Raises `RegistrationRefused` and what `register` raises.
        """
        account = NewAccount(entity_type=_ADMIN, email=email, phone=None, password=password)
        address, _ = _addresses(account)
        hashed = await self._hash(password, address, account)
        async with self._database.transaction() as tx:
            used = await self._challenges.consume(tx, Purpose.BOOTSTRAP, token, now=now)
            if used is None or await self._identities.count(tx, _ADMIN):
                raise RegistrationRefused(RegistrationRefused.Reason.NOT_THE_FIRST)
            admin = self._entity_types.get(_ADMIN)
            identity = await self._create(
                tx, admin, address, None, hashed, account, by=SYSTEM, origin=origin, now=now
            )
            await self._roles.grant(tx, identity.id, OPERATOR, granted_by=SYSTEM.kind, now=now)
            self._audit.record(tx, Event(Action.BOOTSTRAP_USED, SYSTEM, origin=origin), now=now)
            return await self._sign_in(tx, identity, origin, now)

    async def _hash(self, password: Secret, email: EmailAddress | None, account: NewAccount) -> PasswordHash:
        name = account.profile.get("display_name")
        context = [word for word in (email.normalized if email else None, name) if isinstance(word, str)]
        self._passwords.check(password, context=context)
        return await self._passwords.hash(password)

    async def _create(
        self,
        tx: Transaction,
        entity_type: EntityType,
        email: EmailAddress | None,
        phone: PhoneNumber | None,
        password: PasswordHash | None,
        account: NewAccount,
        *,
        by: Actor | None,
        origin: Origin,
        now: datetime,
    ) -> NewIdentity:
        identity = await self._identities.create(
            tx,
            entity_type,
            email=email,
            phone=phone,
            password=(password.text, password.scheme) if password else None,
            profile=account.profile,
            now=now,
        )
        external_id = format_id(IDENTITY_PREFIX, identity.id)
        event = Event(
            Action.IDENTITY_REGISTERED,
            by or NOBODY,
            target_kind="identity",
            target_id=external_id,
            origin=origin,
            metadata={"entity_type": entity_type.name},
        )
        self._audit.record(tx, event, now=now)
        return identity

    async def _sign_in(
        self, tx: Transaction, identity: NewIdentity, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired:
        credentials = await self._identities.lock_for_change(tx, identity.id)
        return await self._flows.enter(tx, credentials, _PROOF, origin=origin, now=now)


def _addresses(account: NewAccount) -> tuple[EmailAddress | None, PhoneNumber | None]:
    if not account.email and not account.phone:
        raise RegistrationRefused(RegistrationRefused.Reason.NO_ADDRESS)
    return (
        parse_email(account.email) if account.email else None,
        parse_phone(account.phone) if account.phone else None,
    )
