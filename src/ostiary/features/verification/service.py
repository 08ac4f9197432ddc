"""Asking for the proof of an address, taking it, and undoing a change that was not wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ostiary.features.audit import NOBODY, Action, Event
from ostiary.features.challenges import CHANGE, VERIFY, Format, Purpose, lifetime_of
from ostiary.features.identities import IDENTITY_PREFIX, Channel, IdentityNotFound, parse_address
from ostiary.features.outbox import Message, Template
from ostiary.features.sessions import EndReason
from ostiary.features.verification.model import (
    CHANGED,
    REQUESTED,
    NotTheirs,
    NotVerified,
    Undo,
    VerificationRefused,
)
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Actor, Audit, Origin
    from ostiary.features.challenges import AddressProofs, Challenges, Consumed, Sending
    from ostiary.features.identities import Address, Identities, Identity
    from ostiary.features.outbox import Outbox
    from ostiary.features.sessions import AddressClaims, Caller, Sessions
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

# What was sent to an address while it was somebody's opens nothing of theirs once it is not.
_SENT_TO_THE_OLD = (
    Purpose.RESET_PASSWORD,
    Purpose.SIGN_IN_LINK,
    Purpose.SIGN_IN_CODE,
    Purpose.MFA_EMAIL,
    Purpose.MFA_SMS,
    *VERIFY.values(),
    *CHANGE.values(),
)


class Verification:
    """The addresses of one installation, in the hands of their owners."""

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        sessions: Sessions,
        challenges: Challenges,
        proofs: AddressProofs,
        sending: Sending,
        claims: AddressClaims,
        outbox: Outbox,
        audit: Audit,
    ) -> None:
        self._database = database
        self._identities = identities
        self._sessions = sessions
        self._challenges = challenges
        self._proofs = proofs
        self._sending = sending
        self._claims = claims
        self._outbox = outbox
        self._audit = audit

    async def ask(
        self, caller: Caller, channel: Channel, *, form: Format, locale: str | None, now: datetime
    ) -> None:
        """Send the caller's own address a proof to bring back, unless it was proven, or too much was sent already.

        Raises `VerificationRefused` when there is no such address, `IdentityNotFound`.
        """
        identity = await self._identities.get(caller.identity_id)
        address = identity.address(channel)
        if address is None:
            raise VerificationRefused(channel)
        permitted = await self._permits(address, caller, now)
        if identity.verified_at(channel) is not None or not permitted:
            return
        async with self._database.transaction() as tx:
            self._proofs.ask(
                tx,
                VERIFY[channel],
                address,
                identity_id=identity.id,
                form=form,
                locale=identity.locale or locale,
                now=now,
            )

    async def change(
        self,
        caller: Caller,
        channel: Channel,
        wanted: str,
        *,
        form: Format,
        locale: str | None,
        now: datetime,
    ) -> None:
        """Send another address a proof to bring back; until then nothing changes, and the old one is told.

        A newer wish replaces an older one. Whether somebody has the address is not said (ABU-04). Raises
        `InvalidAddress`, `IdentityNotFound`.
        """
        address = parse_address(channel, wanted)
        if not await self._permits(address, caller, now):
            return
        async with self._database.transaction() as tx:
            identity = await self._identities.lock(tx, caller.identity_id)
            current = identity.address(channel)
            await self._challenges.withdraw_from(tx, identity.id, (CHANGE[channel],))
            is_theirs = current is not None and current.key == address.key
            if is_theirs and identity.verified_at(channel) is not None:
                return
            self._proofs.ask(
                tx,
                VERIFY[channel] if is_theirs else CHANGE[channel],
                address,
                identity_id=identity.id,
                form=form,
                locale=identity.locale or locale,
                now=now,
            )
            told = identity.proven_address(channel, *Channel)
            if told is not None:
                self._tell(tx, told, REQUESTED[channel], identity, {"address": address.text}, now)
            self._record(tx, Action.ADDRESS_CHANGE_REQUESTED, caller, channel, now)

    async def confirm_link(
        self, token: Secret, *, caller: Caller | None, origin: Origin, now: datetime
    ) -> NotVerified | None:
        """Take the proof of an e-mail address from whoever opens the link; None when it was good.

        Somebody signed in as another identity cannot use it, and it stays good for its owner (REC-07): `NotTheirs`. Raises
        `IdentifierTaken` when the address was proven by another account meanwhile.
        """
        async with self._database.transaction() as tx:
            for purpose in (VERIFY[Channel.EMAIL], CHANGE[Channel.EMAIL]):
                used = await self._challenges.consume(tx, purpose, token, now=now)
                if used is not None:
                    break
            if used is None or used.identity_id is None:
                return NotVerified()
            if caller is not None and caller.identity_id != used.identity_id:
                raise NotTheirs
            return await self._prove(tx, used, Channel.EMAIL, purpose, origin, now)

    async def confirm_code(
        self, caller: Caller, channel: Channel, code: Secret, *, now: datetime
    ) -> NotVerified | None:
        """Take the proof of one of the caller's addresses, present or wanted; None when it was good.

        A guess costs one attempt of the budget every other channel shares (ABU-01), and one of the code's five
        (REC-04). Raises `IdentifierTaken` as `confirm_link` does.
        """
        attempt = await self._identities.reserve_attempt_by_id(caller.identity_id, now=now)
        if not attempt.granted:
            return NotVerified(retry_after=attempt.retry_after(now))
        asked = [
            challenge
            for purpose in (CHANGE[channel], VERIFY[channel])
            for challenge in await self._challenges.find_active(caller.identity_id, purpose, now=now)
            if challenge.format is Format.CODE
        ]
        async with self._database.transaction() as tx:
            await self._identities.lock(tx, caller.identity_id)
            for challenge in asked:
                used = await self._challenges.consume_code(
                    tx,
                    challenge.purpose,
                    code,
                    identity_id=caller.identity_id,
                    destination=challenge.destination,
                    now=now,
                )
                if used is not None:
                    return await self._prove(tx, used, channel, challenge.purpose, caller.origin, now)
            self._record(tx, Action.ADDRESS_VERIFICATION_FAILED, caller, channel, now, success=False)
        return NotVerified()

    async def undo(self, token: Secret, *, origin: Origin, now: datetime) -> NotVerified | None:
        """Put an address back that was changed, and end every session and flow; None when the link was good.

        Whoever opens it reads the mail of the old address, which was proven: later changes cannot be undone any more, so
        nobody can undo this. Raises `IdentifierTaken` when somebody else has proven the old address meanwhile; the link
        is good again then.
        """
        async with self._database.transaction() as tx:
            used = await self._challenges.consume(tx, Purpose.UNDO_ADDRESS_CHANGE, token, now=now)
            if used is None or used.identity_id is None:
                return NotVerified()
            try:
                identity = await self._identities.lock(tx, used.identity_id)
            except IdentityNotFound:
                return NotVerified()
            before = msgspec.json.decode(used.payload or b"", type=Undo)
            old = parse_address(before.channel, before.address) if before.address is not None else None
            new = identity.address(before.channel)
            if old is not None and (new is None or new.key != old.key):
                await self._claims.take(tx, identity.entity_type, old, now=now)
            await self._identities.replace_address(
                tx, identity.id, before.channel, old, verified_at=before.verified_at, now=now
            )
            await self._challenges.withdraw_from(
                tx, identity.id, (Purpose.UNDO_ADDRESS_CHANGE,), since=used.created_at
            )
            await self._sessions.end_all(tx, identity.id, reason=EndReason.ADDRESS_CHANGE_UNDONE, now=now)
            for address in (old, new):
                if address is not None:
                    self._tell(tx, address, Template.ADDRESS_CHANGE_UNDONE, identity, {}, now)
            self._record_about(
                tx, Action.ADDRESS_CHANGE_UNDONE, identity.id, NOBODY, origin, before.channel, now
            )
        return None

    async def _prove(
        self,
        tx: Transaction,
        used: Consumed,
        channel: Channel,
        purpose: Purpose,
        origin: Origin,
        now: datetime,
    ) -> NotVerified | None:
        """Do what a proof was asked for: note that the address is theirs, or make it theirs."""
        address = parse_address(channel, (used.payload or b"").decode())
        try:
            identity = await self._identities.lock(tx, used.identity_id or used.id)
        except IdentityNotFound:
            return NotVerified()
        current = identity.address(channel)
        if purpose is CHANGE[channel] and (current is None or current.key != address.key):
            await self._replace(tx, identity, address, origin, now)
            return None
        if not await self._identities.mark_verified(tx, identity.id, address, now=now):
            return NotVerified()
        self._record_about(tx, Action.ADDRESS_VERIFIED, identity.id, NOBODY, origin, channel, now)
        return None

    async def _replace(
        self, tx: Transaction, identity: Identity, address: Address, origin: Origin, now: datetime
    ) -> None:
        """Make a proven address the identity's, and tell the one before how to undo it.

        Sessions live on: whoever asked for the change had just proven who they are, and an undone change ends them.
        """
        channel = address.channel
        await self._claims.take(tx, identity.entity_type, address, now=now)
        await self._identities.replace_address(tx, identity.id, channel, address, verified_at=now, now=now)
        await self._challenges.withdraw_from(tx, identity.id, _SENT_TO_THE_OLD)
        told = identity.proven_address(channel, *Channel)
        if told is not None:
            old = identity.proven_address(channel)
            undo = Undo(channel, old.text if old else None, identity.verified_at(channel))
            token = self._challenges.issue(
                tx,
                Purpose.UNDO_ADDRESS_CHANGE,
                identity_id=identity.id,
                destination=told.key,
                payload=msgspec.json.encode(undo),
                now=now,
            )
            days = lifetime_of(Purpose.UNDO_ADDRESS_CHANGE, Format.LINK).days
            values = {"token": token.reveal(), "address": address.text, "days": str(days)}
            self._tell(tx, told, CHANGED[channel], identity, values, now)
        self._record_about(tx, Action.ADDRESS_CHANGED, identity.id, NOBODY, origin, channel, now)

    async def _permits(self, address: Address, caller: Caller, now: datetime) -> bool:
        return await self._sending.permits(
            destination=address.key,
            account=caller.external_id,
            ip_address=caller.origin.ip_address,
            now=now,
        )

    def _tell(
        self,
        tx: Transaction,
        address: Address,
        template: Template,
        identity: Identity,
        values: Mapping[str, str],
        now: datetime,
    ) -> None:
        write = Message.email if address.channel is Channel.EMAIL else Message.sms
        self._outbox.add(tx, write(template, address.text, locale=identity.locale, values=values), now=now)

    def _record(
        self,
        tx: Transaction,
        action: Action,
        caller: Caller,
        channel: Channel,
        now: datetime,
        *,
        success: bool = True,
    ) -> None:
        event = caller.event(action, success=success, metadata={"channel": channel.value})
        self._audit.record(tx, event, now=now)

    def _record_about(
        self,
        tx: Transaction,
        action: Action,
        identity_id: UUID,
        by: Actor,
        origin: Origin,
        channel: Channel,
        now: datetime,
    ) -> None:
        event = Event(
            action,
            by,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, identity_id),
            origin=origin,
            metadata={"channel": channel.value},
        )
        self._audit.record(tx, event, now=now)
