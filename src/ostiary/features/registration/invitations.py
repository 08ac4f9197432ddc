"""Invitations: an operator offers an account to whoever reads what is sent to an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ostiary.features.audit import NOBODY, SYSTEM, Action, Actor, Event, Origin
from ostiary.features.challenges import Format, Purpose, lifetime_of
from ostiary.features.identities import IDENTITY_PREFIX, Channel, IdentityNotFound, Status, parse_email
from ostiary.features.outbox import Message, Template
from ostiary.features.provisioning import Draft
from ostiary.features.registration.model import (
    LINK,
    InvitationAccepted,
    RegistrationRefused,
    Wish,
)
from ostiary.features.roles import OPERATOR, RESERVED, require_name
from ostiary.foundation.ids import InvalidId, format_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.challenges import Challenge, Challenges, Consumed
    from ostiary.features.identities import EmailAddress, Identities, Identity
    from ostiary.features.outbox import Outbox
    from ostiary.features.passwords import PasswordHash
    from ostiary.features.provisioning import Arrival, Provisioning
    from ostiary.features.roles import Roles
    from ostiary.features.sessions import AddressClaims, Caller
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

INVITATION_PREFIX: Final = "inv"
_ADMIN: Final = "admin"


class Invitations:
    """The invitations of one installation.

    The link proves the address. It never changes an account that has the address already: its owner signs in, and
    accepts the roles as themselves.
    """

    def __init__(
        self,
        database: Database,
        *,
        provisioning: Provisioning,
        identities: Identities,
        roles: Roles,
        challenges: Challenges,
        claims: AddressClaims,
        outbox: Outbox,
        audit: Audit,
    ) -> None:
        self._database = database
        self._provisioning = provisioning
        self._identities = identities
        self._roles = roles
        self._challenges = challenges
        self._claims = claims
        self._outbox = outbox
        self._audit = audit

    async def invite(
        self,
        email: str,
        *,
        entity_type: str,
        roles: Sequence[str] = (),
        profile: Mapping[str, Any] | None = None,
        locale: str | None = None,
        by: Actor,
        origin: Origin,
        now: datetime,
    ) -> None:
        """Send an invitation; an earlier one of this kind to this address is dead.

        Raises `InvalidAddress`, `UnknownEntityType`, `InvalidRoleName`, `RegistrationRefused` for a role that only
        administrators may have, and `InvalidProfile` for a profile that could not be made.
        """
        address = parse_email(email)
        kind = self._provisioning.entity_types.get(entity_type)
        if profile and kind.check is not None:
            kind.check(profile)
        for role in roles:
            require_name(role)
            if role.startswith(RESERVED) and entity_type != _ADMIN:
                raise RegistrationRefused(RegistrationRefused.Reason.RESERVED_ROLE)
        inviter = by.id or by.kind
        wish = Wish(
            address.text, dict(profile or {}), roles=sorted(set(roles)), locale=locale, invited_by=inviter
        )
        async with self._database.transaction() as tx:
            token = self._challenges.issue(
                tx,
                Purpose.INVITE,
                identity_id=None,
                entity_type=entity_type,
                destination=address.key,
                payload=msgspec.json.encode(wish),
                now=now,
            )
            lifetime = lifetime_of(Purpose.INVITE, Format.LINK)
            values = {"token": token.reveal(), "days": str(lifetime.days)}
            message = Message.email(Template.INVITATION, address.text, locale=locale, values=values)
            self._outbox.add(tx, message, lifetime=lifetime, now=now)
            event = Event(
                Action.IDENTITY_INVITED,
                by,
                origin=origin,
                metadata={"entity_type": entity_type, "roles": wish.roles},
            )
            self._audit.record(tx, event, now=now)

    async def open(self, *, limit: int, after: UUID | None = None, now: datetime) -> Sequence[Challenge]:
        """Return the invitations that can still be accepted, in the order they were made."""
        return await self._challenges.list_open(Purpose.INVITE, limit=limit, after=after, now=now)

    async def withdraw(self, invitation_id: UUID, *, by: Actor, now: datetime) -> bool:
        """Take an invitation back; False when there is no such open one."""
        async with self._database.transaction() as tx:
            withdrawn = await self._challenges.withdraw(tx, Purpose.INVITE, invitation_id)
            if withdrawn:
                target_id = format_id(INVITATION_PREFIX, invitation_id)
                event = Event(Action.INVITATION_WITHDRAWN, by, target_kind="invitation", target_id=target_id)
                self._audit.record(tx, event, now=now)
            return withdrawn

    async def accept(
        self,
        token: Secret,
        *,
        password: Secret | None,
        profile: Mapping[str, Any],
        caller: Caller | None,
        origin: Origin,
        now: datetime,
    ) -> Arrival | InvitationAccepted:
        """Make the account that was offered and sign its owner in, or give its roles to the caller whose address it is.

        What the inviter said about the profile stands; the rest is said by whoever accepts. Raises
        `RegistrationRefused`, `UnacceptablePassword`, `InvalidProfile`, and `IdentifierTaken` when the address is that
        of an account and its owner is not the one who asks: the invitation is good again then.
        """
        chosen = await self._provisioning.hash_unchecked(password)

        async def take_up() -> Arrival | InvitationAccepted:
            async with self._database.transaction() as tx:
                used = await self._challenges.consume(tx, Purpose.INVITE, token, now=now)
                if used is None:
                    raise RegistrationRefused(RegistrationRefused.Reason.NOT_INVITED)
                wish = msgspec.json.decode(used.payload or b"", type=Wish)
                await self._require_standing(tx, wish, now)
                address = parse_email(wish.address)
                if caller is not None:
                    holder = await self._identities.lock(tx, caller.identity_id)
                    if _is_owner(holder, used, address):
                        return await self._join(tx, caller, wish, now)
                said = dict(profile) | wish.profile
                if password is not None:
                    self._provisioning.check_password(password, address, said)
                return await self._register(tx, used, address, wish, said, chosen, origin, now)

        return await self._claims.settle(take_up)

    async def _register(
        self,
        tx: Transaction,
        used: Consumed,
        address: EmailAddress,
        wish: Wish,
        profile: Mapping[str, Any],
        password: PasswordHash | None,
        origin: Origin,
        now: datetime,
    ) -> Arrival:
        await self._claims.take(tx, used.entity_type, address, now=now)
        draft = Draft(
            self._provisioning.entity_types.get(used.entity_type),
            address,
            None,
            password,
            profile,
            roles=wish.roles,
            granted_by=wish.invited_by,
            locale=wish.locale,
            verified_at=now,
        )
        event = Event(Action.INVITATION_ACCEPTED, NOBODY, origin=origin, metadata={"roles": wish.roles})
        self._audit.record(tx, event, now=now)
        return await self._provisioning.welcome(tx, draft, proof=LINK, by=None, origin=origin, now=now)

    async def _join(self, tx: Transaction, caller: Caller, wish: Wish, now: datetime) -> InvitationAccepted:
        for role in wish.roles:
            await self._roles.grant(tx, caller.identity_id, role, granted_by=wish.invited_by, now=now)
        event = Event(
            Action.INVITATION_ACCEPTED,
            caller.actor,
            target_kind="identity",
            target_id=caller.external_id,
            session_id=caller.session_id,
            origin=caller.origin,
            metadata={"roles": wish.roles},
        )
        self._audit.record(tx, event, now=now)
        return InvitationAccepted(caller.identity_id)

    async def _require_standing(self, tx: Transaction, wish: Wish, now: datetime) -> None:
        """Refuse what was offered by somebody who may not offer it any more: they have gone, or are no operator now."""
        if wish.invited_by == SYSTEM.kind:
            return
        try:
            inviter = await self._identities.lock(tx, parse_id(IDENTITY_PREFIX, wish.invited_by or ""))
        except (InvalidId, IdentityNotFound):
            raise RegistrationRefused(RegistrationRefused.Reason.NOT_INVITED) from None
        held = await self._roles.granted(tx, inviter.id, now=now)
        if inviter.status is not Status.ACTIVE or all(grant.role != OPERATOR for grant in held):
            raise RegistrationRefused(RegistrationRefused.Reason.NOT_INVITED)


def _is_owner(holder: Identity, used: Consumed, address: EmailAddress) -> bool:
    proven = holder.proven_address(Channel.EMAIL)
    return (
        holder.entity_type == used.entity_type
        and holder.status is Status.ACTIVE
        and proven is not None
        and proven.key == address.key
    )
