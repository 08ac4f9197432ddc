"""Registering: check, hash, then one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.audit import SYSTEM, Action, Actor, Event, Origin
from ostiary.features.challenges import VERIFY, Format, Purpose
from ostiary.features.provisioning import AwaitsApproval, Draft
from ostiary.features.registration.model import (
    PASSWORD,
    AwaitsProof,
    NewAccount,
    RegistrationRefused,
    addresses_of,
    open_type,
)
from ostiary.features.roles import OPERATOR
from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from ostiary.features.audit import Audit
    from ostiary.features.challenges import AddressProofs, Challenges, Sending
    from ostiary.features.flows import FactorRequired, SignedIn
    from ostiary.features.identities import Address, Identities, NewIdentity
    from ostiary.features.provisioning import Arrival, Provisioning
    from ostiary.features.registration.verify_first import VerifyFirst
    from ostiary.features.service_credentials import ServiceCredentials
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database

_ADMIN: Final = "admin"
_SERVICE: Final = "service"
_FIRST_ADMINISTRATOR: Final = "first administrator"


class Registration:
    """The ways into an installation. With `verify_first` nobody is made before their address is proven."""

    def __init__(
        self,
        database: Database,
        *,
        provisioning: Provisioning,
        identities: Identities,
        challenges: Challenges,
        proofs: AddressProofs,
        sending: Sending,
        audit: Audit,
        service_credentials: ServiceCredentials,
        verify_first: VerifyFirst | None,
    ) -> None:
        self._database = database
        self._provisioning = provisioning
        self._identities = identities
        self._challenges = challenges
        self._proofs = proofs
        self._sending = sending
        self._audit = audit
        self._service_credentials = service_credentials
        self._verify_first = verify_first

    async def register(self, account: NewAccount, *, origin: Origin, now: datetime) -> Arrival | AwaitsProof:
        """Register somebody who came to the door: at once, or as soon as their address is proven.

        At once they are signed in, unless they have to be approved, and asked to prove their addresses. Raises
        `RegistrationRefused`, `UnknownEntityType`, `InvalidAddress`, `UnacceptablePassword`, `IdentifierTaken`,
        `InvalidProfile`, and what the entity type's hooks raise.
        """
        if self._verify_first is not None:
            return await self._verify_first.begin(account, origin=origin, now=now)
        entity_type = open_type(self._provisioning.entity_types, account.entity_type)
        if account.password is None:
            raise RegistrationRefused(RegistrationRefused.Reason.NO_PASSWORD)
        email, phone = addresses_of(account)
        password = await self._provisioning.hash(account.password, email, account.profile)
        draft = Draft(
            entity_type,
            email,
            phone,
            password,
            account.profile,
            locale=account.locale,
            awaits_approval=entity_type.needs_approval,
        )
        asked = [
            address for address in (email, phone) if address and await self._may_ask(address, origin, now)
        ]
        async with self._database.transaction() as tx:
            made = await self._provisioning.welcome(
                tx, draft, proof=PASSWORD, by=None, origin=origin, now=now
            )
            for address in asked:
                self._proofs.ask(
                    tx,
                    VERIFY[address.channel],
                    address,
                    identity_id=made.identity_id,
                    form=Format.LINK,
                    locale=account.locale,
                    now=now,
                )
            return made

    async def create(
        self,
        account: NewAccount,
        *,
        roles: Sequence[str] = (),
        are_addresses_proven: bool = False,
        by: Actor,
        origin: Origin,
        now: datetime,
    ) -> NewIdentity:
        """Make an account for somebody else, without signing anybody in; a password is optional.

        Raises what `register` raises, except that the kind of account need not be open.
        """
        entity_type = self._provisioning.entity_types.get(account.entity_type)
        email, phone = addresses_of(account)
        password = None
        if account.password is not None:
            password = await self._provisioning.hash(account.password, email, account.profile)
        draft = Draft(
            entity_type,
            email,
            phone,
            password,
            account.profile,
            roles=roles,
            granted_by=by.id or by.kind,
            locale=account.locale,
            verified_at=now if are_addresses_proven else None,
        )
        async with self._database.transaction() as tx:
            return await self._provisioning.make(tx, draft, by=by, origin=origin, now=now)

    async def create_service(
        self, name: str, scopes: Iterable[str], *, lifetime: timedelta | None, by: Actor, now: datetime
    ) -> Secret:
        """Make a service, which has no address and no password, and return its credential, known only now.

        Raises `InvalidScope`, `InvalidProfile`.
        """
        service = self._provisioning.entity_types.get(_SERVICE)
        draft = Draft(service, None, None, None, {"display_name": name})
        async with self._database.transaction() as tx:
            identity = await self._provisioning.make(tx, draft, by=by, origin=Origin(), now=now)
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
        address, _ = addresses_of(account)
        hashed = await self._provisioning.hash(password, address, account.profile)
        admin = self._provisioning.entity_types.get(_ADMIN)
        draft = Draft(admin, address, None, hashed, {}, roles=(OPERATOR,), granted_by=SYSTEM.kind)
        async with self._database.transaction() as tx:
            used = await self._challenges.consume(tx, Purpose.BOOTSTRAP, token, now=now)
            if used is None or await self._identities.count(tx, _ADMIN):
                raise RegistrationRefused(RegistrationRefused.Reason.NOT_THE_FIRST)
            self._audit.record(tx, Event(Action.BOOTSTRAP_USED, SYSTEM, origin=origin), now=now)
            made = await self._provisioning.welcome(
                tx, draft, proof=PASSWORD, by=SYSTEM, origin=origin, now=now
            )
        if isinstance(made, AwaitsApproval):
            raise OstiaryError("The first administrator cannot await anybody's approval.")
        return made

    async def _may_ask(self, address: Address, origin: Origin, now: datetime) -> bool:
        return await self._sending.permits(
            destination=address.key, account=address.key, ip_address=origin.ip_address, now=now
        )
