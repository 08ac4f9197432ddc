"""Asking for a reset, and resetting."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ostiary.features.audit import NOBODY, Action, Event, Origin
from ostiary.features.challenges import Format, Purpose
from ostiary.features.identities import (
    IDENTITY_PREFIX,
    EmailAddress,
    ShadowMissing,
    Status,
    parse_email,
    parse_identifier,
    parse_phone,
)
from ostiary.features.outbox import Template
from ostiary.features.recovery import store
from ostiary.features.recovery.model import CodeReset, LinkReset, Refusal, Refused, refusal
from ostiary.features.sessions import EndReason
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.challenges import AddressProofs, Challenges, Consumed, Sending
    from ostiary.features.identities import Credentials, EntityTypes, Identities, NewPassword, PhoneNumber
    from ostiary.features.outbox import Outbox
    from ostiary.features.passwords import Passwords
    from ostiary.features.sessions import Sessions
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction


class Recovery:
    """The recovery of passwords."""

    def __init__(
        self,
        database: Database,
        *,
        entity_types: EntityTypes,
        identities: Identities,
        passwords: Passwords,
        challenges: Challenges,
        proofs: AddressProofs,
        sending: Sending,
        sessions: Sessions,
        outbox: Outbox,
        audit: Audit,
    ) -> None:
        self._database = database
        self._entity_types = entity_types
        self._identities = identities
        self._passwords = passwords
        self._challenges = challenges
        self._proofs = proofs
        self._sending = sending
        self._sessions = sessions
        self._outbox = outbox
        self._audit = audit

    async def ask(self, entity_type: str, identifier: str, *, origin: Origin, now: datetime) -> None:
        """Send a link to an e-mail address, or a code to a phone number, if somebody there can use it.

        Three round trips, whoever asks for whom. Raises `UnknownEntityType`, `InvalidAddress`.
        """
        self._entity_types.get(entity_type)
        address = parse_identifier(identifier)
        identity = await self._identities.find(entity_type, address)
        is_permitted = await self._sending.permits(
            destination=address.key,
            account=identity.external_id if identity else address.key,
            ip_address=origin.ip_address,
            now=now,
        )
        reason = refusal(identity, is_permitted=is_permitted)
        async with self._database.transaction() as tx:
            if identity is not None and reason is None:
                self._proofs.ask(
                    tx,
                    Purpose.RESET_PASSWORD,
                    # The address as it is kept: what was typed may only look the same.
                    identity.address(address.channel) or address,
                    identity_id=identity.id,
                    form=Format.LINK,
                    locale=identity.locale,
                    now=now,
                )
            owner = identity.id if identity else None
            self._record(tx, Action.PASSWORD_RESET_REQUESTED, owner, origin, reason, now)

    async def reset(
        self, proof: LinkReset | CodeReset, *, new_password: Secret, origin: Origin, now: datetime
    ) -> Refused | None:
        """Set a new password, end whatever was signed in or under way, and sign nobody in (REC-03).

        A password that is not acceptable leaves the link as good as it was. Raises `UnacceptablePassword`,
        `HashingOverloaded`, `UnknownEntityType`, `InvalidAddress`.
        """
        self._passwords.check(new_password)
        if isinstance(proof, CodeReset):
            return await self._reset_by_code(proof, new_password, origin, now)
        use = partial(
            self._challenges.consume, purpose=Purpose.RESET_PASSWORD, presented=proof.token, now=now
        )
        return await self._use(use, new_password, origin, now)

    async def _reset_by_code(
        self, proof: CodeReset, new_password: Secret, origin: Origin, now: datetime
    ) -> Refused | None:
        """Count the guess before it is compared, as with every code; a link is never stopped by that (ABU-01, ABU-03)."""
        self._entity_types.get(proof.entity_type)
        address = parse_identifier(proof.identifier)
        attempt = await self._identities.reserve_attempt(proof.entity_type, address, now=now)
        if not attempt.granted:
            return Refused(Refusal.LOCKED, attempt.retry_after(now))
        known = attempt.credentials
        use = partial(
            self._challenges.consume_code,
            purpose=Purpose.RESET_PASSWORD,
            presented=proof.code,
            identity_id=known.id if known else None,
            destination=address.key,
            now=now,
        )
        return await self._use(use, new_password, origin, now)

    async def _use(
        self,
        use: Callable[[Transaction], Awaitable[Consumed | None]],
        new_password: Secret,
        origin: Origin,
        now: datetime,
    ) -> Refused | None:
        """Hash the password, then use the proof up and set it.

        Whose it is only a right proof says. For an owner who came from a system that may come back, that transaction is
        taken back, the password is hashed for that system too, and all is done again: so nobody else pays for it, and a
        wrong proof costs the same for everybody (ABU-04).
        """
        new = await self._passwords.renew(new_password, None)
        while True:
            try:
                async with self._database.transaction() as tx:
                    return await self._apply(tx, await use(tx), new_password, new, origin, now)
            except ShadowMissing as missing:
                new = await self._passwords.renew(new_password, missing.owner, made=new)

    async def _apply(
        self,
        tx: Transaction,
        used: Consumed | None,
        new_password: Secret,
        new: NewPassword,
        origin: Origin,
        now: datetime,
    ) -> Refused | None:
        if used is None or used.identity_id is None:
            return self._refuse(tx, None, Refusal.WRONG_PROOF, origin, now)
        owner = await self._identities.lock_for_change(tx, used.identity_id)
        address = _current(owner, used.destination)
        if owner.status is not Status.ACTIVE or address is None:
            reason = Refusal.ADDRESS_CHANGED if address is None else Refusal.NOT_ACTIVE
            return self._refuse(tx, owner.id, reason, origin, now)
        # Raising here gives the link back: nothing of this transaction is kept.
        self._passwords.check(new_password, context=[owner.email] if owner.email else [])
        await self._identities.set_password(tx, owner, new, now=now)
        await self._sessions.end_all(tx, owner.id, reason=EndReason.PASSWORD_RESET, now=now)
        await self._identities.unlock(tx, owner.id, now=now)
        await self._prove(tx, owner.id, address, now)
        self._outbox.notify(tx, owner.recipient, Template.PASSWORD_CHANGED, now=now)
        self._record(tx, Action.PASSWORD_RESET, owner.id, origin, None, now)
        return None

    async def _prove(
        self, tx: Transaction, identity_id: UUID, address: EmailAddress | PhoneNumber, now: datetime
    ) -> None:
        """Note that the address was proven; if never before, no way in stays that was there before the proof.

        Whoever registered with somebody else's address may have left a passkey or a phone number of their own in the
        account; its real owner must not share it with them.
        """
        by_email = isinstance(address, EmailAddress)
        await tx.execute(
            store.DISINHERIT_BY_EMAIL if by_email else store.DISINHERIT_BY_PHONE, identity_id, now
        )
        await self._identities.mark_verified(tx, identity_id, address, now=now)

    def _refuse(
        self, tx: Transaction, identity_id: UUID | None, reason: Refusal, origin: Origin, now: datetime
    ) -> Refused:
        self._record(tx, Action.PASSWORD_RESET_REFUSED, identity_id, origin, reason, now)
        return Refused(reason)

    def _record(
        self,
        tx: Transaction,
        action: Action,
        identity_id: UUID | None,
        origin: Origin,
        reason: Refusal | None,
        now: datetime,
    ) -> None:
        event = Event(
            action,
            NOBODY,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, identity_id) if identity_id else None,
            origin=origin,
            success=reason is None,
            reason=reason,
        )
        self._audit.record(tx, event, now=now)


def _current(owner: Credentials, destination: str) -> EmailAddress | PhoneNumber | None:
    """Return the address a proof was sent to, if it is still the owner's."""
    email = parse_email(owner.email) if owner.email else None
    if email is not None and email.normalized == destination:
        return email
    return parse_phone(owner.phone) if owner.phone == destination and owner.phone else None
