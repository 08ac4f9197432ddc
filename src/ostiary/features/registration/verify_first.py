"""Registering where nobody exists before their address is proven, so nobody learns who exists.

Nothing is kept but a challenge with a sealed wish. Whoever proves the address gets a new identity: an identity that
held the address without proof loses it, and nothing of it is inherited (docs/decisions/0019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from ostiary.features.challenges import Format, Purpose
from ostiary.features.identities import Channel, EmailAddress, PhoneNumber, parse_identifier, parse_phone
from ostiary.features.outbox import Message, Template
from ostiary.features.provisioning import Draft
from ostiary.features.registration.model import (
    CODE,
    LINK,
    AwaitsProof,
    NewAccount,
    RegistrationRefused,
    Wish,
    addresses_of,
    open_type,
)
from ostiary.foundation.bearer import BearerSecret, InvalidBearerSecret
from ostiary.foundation.crypto import equal
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.audit import Origin
    from ostiary.features.challenges import AddressProofs, Challenges, Consumed, Sending
    from ostiary.features.identities import Address, Identities, Identity
    from ostiary.features.outbox import Outbox
    from ostiary.features.passwords import PasswordHash
    from ostiary.features.provisioning import Arrival, Provisioning
    from ostiary.features.sessions import AddressClaims
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Transaction

FLOW_KIND: Final = "registration"
_NEEDED: Final = RegistrationRefused.Reason.PASSWORD_NEEDED


@dataclass(frozen=True, slots=True)
class PasswordChoice:
    """What whoever confirms says about the password: a new one, none at all, or nothing."""

    password: Secret | None = None
    declined: bool = False


class VerifyFirst:
    """Registration in two steps."""

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        provisioning: Provisioning,
        identities: Identities,
        challenges: Challenges,
        proofs: AddressProofs,
        sending: Sending,
        claims: AddressClaims,
        outbox: Outbox,
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._provisioning = provisioning
        self._identities = identities
        self._challenges = challenges
        self._proofs = proofs
        self._sending = sending
        self._claims = claims
        self._outbox = outbox

    async def begin(self, account: NewAccount, *, origin: Origin, now: datetime) -> AwaitsProof:
        """Remember a wish to exist, and ask the address for a proof; its owner, if it has one, is told instead.

        What is answered, how much is hashed, and how often the database is asked do not depend on which it was
        (ABU-04). Raises what `Registration.register` raises, except `IdentifierTaken`.
        """
        entity_type = open_type(self._provisioning.entity_types, account.entity_type)
        email, phone = addresses_of(account)
        if entity_type.check is not None:
            entity_type.check(account.profile)
        hashed = None
        if account.password is not None:
            hashed = await self._provisioning.hash(account.password, email, account.profile)
        address: Address | None = email or phone
        if address is None:
            raise RegistrationRefused(RegistrationRefused.Reason.NO_ADDRESS)
        flow = BearerSecret.new(FLOW_KIND, new_id(now, self._entropy), self._entropy)
        holder = await self._identities.find(entity_type.name, address)
        permitted = await self._sending.permits(
            destination=address.key,
            account=holder.external_id if holder else address.key,
            ip_address=origin.ip_address,
            now=now,
        )
        if not permitted:
            return AwaitsProof(flow.text)
        wish = _wish(account, address, hashed, flow)
        if email is not None and phone is not None:
            wish = await self._with_phone(wish, phone, origin, now)
        async with self._database.transaction() as tx:
            if holder is not None and holder.verified_at(address.channel) is not None:
                self._tell_owner(tx, holder, address.channel, now)
            else:
                self._proofs.ask_nobody(
                    tx,
                    Purpose.REGISTER,
                    address,
                    entity_type=entity_type.name,
                    payload=msgspec.json.encode(wish),
                    flow_id=flow.id,
                    locale=account.locale,
                    now=now,
                )
        return AwaitsProof(flow.text)

    async def confirm(
        self, token: Secret, *, flow: Secret | None, choice: PasswordChoice, origin: Origin, now: datetime
    ) -> Arrival:
        """Make the account whose address the link has proven, once.

        The password chosen at registration counts only for the client that registered, which shows the `flow`; anybody
        else chooses one now. Raises `RegistrationRefused`, `UnacceptablePassword`, `IdentifierTaken` when the address
        was proven by another account meanwhile, and what the entity type's hooks raise; the link is good again then.
        """
        begun = _parsed(flow)
        chosen = await self._provisioning.hash_unchecked(choice.password)

        async def make() -> Arrival | None:
            async with self._database.transaction() as tx:
                used = await self._challenges.consume(tx, Purpose.REGISTER, token, now=now)
                return await self._finish(tx, used, begun, choice, chosen, origin, now)

        return _arrived(await self._claims.settle(make))

    async def confirm_code(
        self, code: Secret, *, flow: Secret, choice: PasswordChoice, origin: Origin, now: datetime
    ) -> Arrival:
        """Make the account whose phone number the code has proven; a wrong code costs one of five guesses (REC-04).

        Raises what `confirm` raises.
        """
        begun = _parsed(flow)
        if begun is None:
            raise RegistrationRefused(RegistrationRefused.Reason.NOT_PROVEN)
        flow_id = begun.id
        chosen = await self._provisioning.hash_unchecked(choice.password)

        async def make() -> Arrival | None:
            async with self._database.transaction() as tx:
                used = await self._challenges.consume_code_of_nobody(
                    tx, Purpose.REGISTER, code, flow_id=flow_id, now=now
                )
                # A wrong guess has to be remembered: the transaction ends well.
                return await self._finish(tx, used, begun, choice, chosen, origin, now)

        return _arrived(await self._claims.settle(make))

    async def _finish(
        self,
        tx: Transaction,
        used: Consumed | None,
        flow: BearerSecret | None,
        choice: PasswordChoice,
        chosen: PasswordHash | None,
        origin: Origin,
        now: datetime,
    ) -> Arrival | None:
        if used is None:
            return None
        wish = msgspec.json.decode(used.payload or b"", type=Wish)
        address = parse_identifier(wish.address)
        is_same_client = flow is not None and equal(flow.digest, wish.flow_digest)
        if isinstance(address, PhoneNumber) and not is_same_client:
            raise RegistrationRefused(RegistrationRefused.Reason.NOT_PROVEN)
        entity_type = self._provisioning.entity_types.get(used.entity_type)
        email = address if isinstance(address, EmailAddress) else None
        if choice.password is not None:
            self._provisioning.check_password(choice.password, email, wish.profile)
        elif not choice.declined and wish.password is not None and not is_same_client:
            raise RegistrationRefused(_NEEDED)
        password = chosen
        if choice.password is None and not choice.declined:
            password = wish.password
        await self._claims.take(tx, entity_type.name, address, now=now)
        draft = Draft(
            entity_type,
            email,
            address if isinstance(address, PhoneNumber) else None,
            password,
            wish.profile,
            locale=wish.locale,
            verified_at=now,
            awaits_approval=entity_type.needs_approval,
        )
        made = await self._provisioning.welcome(
            tx, draft, proof=LINK if email else CODE, by=None, origin=origin, now=now
        )
        if wish.phone is not None and is_same_client:
            # It becomes theirs as any other address does: when they have proven it.
            self._proofs.ask(
                tx,
                Purpose.CHANGE_PHONE,
                parse_phone(wish.phone),
                identity_id=made.identity_id,
                form=Format.CODE,
                locale=wish.locale,
                now=now,
            )
        return made

    async def _with_phone(self, wish: Wish, phone: PhoneNumber, origin: Origin, now: datetime) -> Wish:
        """Remember a phone number beside the e-mail address, unless it was sent too much already."""
        permitted = await self._sending.permits(
            destination=phone.key, account=phone.key, ip_address=origin.ip_address, now=now
        )
        return replace(wish, phone=phone.e164) if permitted else wish

    def _tell_owner(self, tx: Transaction, holder: Identity, channel: Channel, now: datetime) -> None:
        # As its owner wrote it, and never as somebody else did.
        address = holder.proven_address(channel)
        if address is None:
            return
        write = Message.email if channel is Channel.EMAIL else Message.sms
        message = write(Template.ALREADY_REGISTERED, address.text, locale=holder.locale)
        self._outbox.add(tx, message, now=now)


def _arrived(outcome: Arrival | None) -> Arrival:
    if outcome is None:
        raise RegistrationRefused(RegistrationRefused.Reason.NOT_PROVEN)
    return outcome


def _wish(account: NewAccount, address: Address, hashed: PasswordHash | None, flow: BearerSecret) -> Wish:
    return Wish(
        address.text,
        dict(account.profile),
        password_hash=hashed.text if hashed else None,
        password_scheme=hashed.scheme if hashed else None,
        flow_digest=flow.digest,
        locale=account.locale,
    )


def _parsed(flow: Secret | None) -> BearerSecret | None:
    try:
        return None if flow is None else BearerSecret.parse(FLOW_KIND, flow)
    except InvalidBearerSecret:
        return None
