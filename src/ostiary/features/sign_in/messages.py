"""Signing in by a link or a code that is sent to an address somebody has proven before.

Never to an address that was not: whoever registered with somebody else's must not have its owner sign in to what they
prepared there. Asking is answered alike, and costs the same, for every identifier (ABU-04).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.audit import NOBODY, Action, Event, Login, Origin
from ostiary.features.challenges import Format, Purpose
from ostiary.features.flows import Proof
from ostiary.features.identities import (
    IDENTITY_PREFIX,
    EmailAddress,
    InvalidAddress,
    Status,
    parse_email,
    parse_identifier,
)
from ostiary.features.sign_in.model import CodeSignIn, Refusal, Refused
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.challenges import AddressProofs, Challenges, Consumed, Sending
    from ostiary.features.flows import FactorRequired, Flows, SignedIn
    from ostiary.features.identities import Credentials, EntityTypes, Identities, Identity, PhoneNumber
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_BY_LINK: Final = Proof("link", ("email",))
_BY_EMAILED_CODE: Final = Proof("code", ("otp", "email"))
_BY_TEXTED_CODE: Final = Proof("code", ("otp", "sms"))


class SignInByMessage:
    """Links and codes that sign in."""

    def __init__(
        self,
        database: Database,
        *,
        entity_types: EntityTypes,
        identities: Identities,
        challenges: Challenges,
        proofs: AddressProofs,
        sending: Sending,
        flows: Flows,
        audit: Audit,
    ) -> None:
        self._database = database
        self._entity_types = entity_types
        self._identities = identities
        self._challenges = challenges
        self._proofs = proofs
        self._sending = sending
        self._flows = flows
        self._audit = audit

    async def send_link(self, entity_type: str, identifier: str, *, origin: Origin, now: datetime) -> None:
        """Send a link to an e-mail address, if somebody has proven it is theirs.

        Raises `UnknownEntityType`, `InvalidAddress`.
        """
        await self._ask(Purpose.SIGN_IN_LINK, entity_type, parse_email(identifier), origin, now)

    async def send_code(self, entity_type: str, identifier: str, *, origin: Origin, now: datetime) -> None:
        """Send a code to an e-mail address or a phone number, if somebody has proven it is theirs.

        Raises `UnknownEntityType`, `InvalidAddress`.
        """
        await self._ask(Purpose.SIGN_IN_CODE, entity_type, parse_identifier(identifier), origin, now)

    async def with_link(
        self, token: Secret, *, device: Secret | None, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired | Refused:
        """Sign in whoever followed a link; sixteen callers with the same one get one sign-in."""
        async with self._database.transaction() as tx:
            used = await self._challenges.consume(tx, Purpose.SIGN_IN_LINK, token, now=now)
            return await self._enter(tx, used, _BY_LINK, device, origin, now)

    async def with_code(
        self, attempt: CodeSignIn, *, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired | Refused:
        """Sign in whoever types the code they were sent; the guess is counted before it is compared (ABU-01).

        Raises `UnknownEntityType`.
        """
        self._entity_types.get(attempt.entity_type)
        try:
            address = parse_identifier(attempt.identifier)
        except InvalidAddress:
            return Refused(Refusal.UNKNOWN_IDENTIFIER)
        reserved = await self._identities.reserve_attempt(attempt.entity_type, address, now=now)
        if not reserved.granted:
            async with self._database.transaction() as tx:
                self._refuse(tx, None, _BY_EMAILED_CODE, Refusal.LOCKED, origin, now)
            return Refused(Refusal.LOCKED, reserved.retry_after(now))
        known = reserved.credentials
        proof = _BY_EMAILED_CODE if isinstance(address, EmailAddress) else _BY_TEXTED_CODE
        async with self._database.transaction() as tx:
            used = await self._challenges.consume_code(
                tx,
                Purpose.SIGN_IN_CODE,
                attempt.code,
                identity_id=known.id if known else None,
                destination=address.key,
                now=now,
            )
            return await self._enter(tx, used, proof, attempt.device, origin, now, known)

    async def _ask(
        self,
        purpose: Purpose,
        entity_type: str,
        address: EmailAddress | PhoneNumber,
        origin: Origin,
        now: datetime,
    ) -> None:
        self._entity_types.get(entity_type)
        identity = await self._identities.find(entity_type, address)
        destination = address.key
        is_permitted = await self._sending.permits(
            destination=destination,
            account=identity.external_id if identity else destination,
            ip_address=origin.ip_address,
            now=now,
        )
        reason = _unsent(identity, address, is_permitted=is_permitted)
        async with self._database.transaction() as tx:
            is_link = purpose is Purpose.SIGN_IN_LINK
            if identity is not None and reason is None:
                self._proofs.ask(
                    tx,
                    purpose,
                    # The address as it is kept: what was typed may only look the same.
                    identity.address(address.channel) or address,
                    identity_id=identity.id,
                    form=Format.LINK if is_link else Format.CODE,
                    locale=identity.locale,
                    now=now,
                )
            action = Action.SIGN_IN_LINK_REQUESTED if is_link else Action.SIGN_IN_CODE_REQUESTED
            self._audit.record(tx, _event(action, identity.id if identity else None, reason, origin), now=now)

    async def _enter(
        self,
        tx: Transaction,
        used: Consumed | None,
        proof: Proof,
        device: Secret | None,
        origin: Origin,
        now: datetime,
        known: Credentials | None = None,
    ) -> SignedIn | FactorRequired | Refused:
        if used is None or used.identity_id is None:
            return self._refuse(tx, known.id if known else None, proof, Refusal.WRONG_PROOF, origin, now)
        owner = await self._identities.lock_for_change(tx, used.identity_id)
        if used.destination not in _addresses(owner):
            return self._refuse(tx, owner.id, proof, Refusal.WRONG_PROOF, origin, now)
        if owner.status is not Status.ACTIVE:
            return self._refuse(tx, owner.id, proof, Refusal.NOT_ACTIVE, origin, now)
        return await self._flows.enter(tx, owner, proof, origin=origin, device=device, now=now)

    def _refuse(
        self,
        tx: Transaction,
        identity_id: UUID | None,
        proof: Proof,
        reason: Refusal,
        origin: Origin,
        now: datetime,
    ) -> Refused:
        self._audit.sign_in_refused(tx, Login.refused(identity_id, proof.method, reason, origin), now=now)
        return Refused(reason)


def _unsent(
    identity: Identity | None, address: EmailAddress | PhoneNumber, *, is_permitted: bool
) -> Refusal | None:
    """Say why nothing is sent, or None if it is."""
    if identity is None:
        return Refusal.UNKNOWN_IDENTIFIER
    if identity.status is not Status.ACTIVE:
        return Refusal.NOT_ACTIVE
    by_email = isinstance(address, EmailAddress)
    if (identity.email_verified_at if by_email else identity.phone_verified_at) is None:
        return Refusal.NOT_VERIFIED
    return None if is_permitted else Refusal.TOO_MANY_MESSAGES


def _addresses(owner: Credentials) -> set[str | None]:
    """Return the addresses an account has now, as challenges are bound to them."""
    return {parse_email(owner.email).normalized if owner.email else None, owner.phone}


def _event(action: Action, identity_id: UUID | None, reason: Refusal | None, origin: Origin) -> Event:
    return Event(
        action,
        NOBODY,
        target_kind="identity",
        target_id=format_id(IDENTITY_PREFIX, identity_id) if identity_id else None,
        origin=origin,
        success=reason is None,
        reason=reason,
    )
