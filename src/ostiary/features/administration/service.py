"""Suspending, reactivating, unlocking, ending sessions and everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.administration.errors import NoAddress, NotSuspended
from ostiary.features.audit import Action, Event
from ostiary.features.challenges import Format, Purpose
from ostiary.features.identities import IDENTITY_PREFIX, Status, parse_identifier
from ostiary.features.sessions import EndReason
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.administration.changes import Changes
    from ostiary.features.audit import Actor, Audit
    from ostiary.features.challenges import AddressProofs
    from ostiary.features.identities import Identities, Identity
    from ostiary.features.sessions import SessionReading, Sessions
    from ostiary.features.signing_keys import KeyRecord, SigningKeys
    from ostiary.foundation.storage import Database
    from ostiary.verifier import Principal


class Administration:
    """The operators' side of one installation. Every method raises `IdentityNotFound`."""

    def __init__(
        self,
        database: Database,
        *,
        changes: Changes,
        identities: Identities,
        sessions: Sessions,
        session_reading: SessionReading,
        proofs: AddressProofs,
        signing_keys: SigningKeys,
        audit: Audit,
    ) -> None:
        self._database = database
        self._changes = changes
        self._identities = identities
        self._sessions = sessions
        self._session_reading = session_reading
        self._proofs = proofs
        self._signing_keys = signing_keys
        self._audit = audit

    async def end_everything(self, *, reason: str, by: Actor, now: datetime) -> datetime:
        """End every session and token of everybody that was issued before the moment this returns.

        For the worst days, and after a backup was restored: what was ended since would live again (F17).
        """
        async with self._database.transaction() as tx:
            event = Event(Action.EVERYTHING_ENDED, by, target_kind="installation", reason=reason)
            self._audit.record(tx, event, now=now)
            return await self._sessions.revocations.end_everything(
                tx, sessions=True, reason=reason, by=by.id or by.kind, now=now
            )

    async def rotate_key(self, *, immediately: bool, by: Actor, now: datetime) -> KeyRecord:
        """Let another key sign, as soon as every worker and every copy of the key set knows it, or at once."""
        async with self._database.transaction() as tx:
            return await self._signing_keys.rotate(tx, by=by, now=now, immediately=immediately)

    async def retire_key(self, kid: str, *, by: Actor, now: datetime) -> Sequence[KeyRecord]:
        """Retire a signing key nobody needs. Raises `SigningKeyNotFound`, `SigningKeyInUse`."""
        async with self._database.transaction() as tx:
            return await self._signing_keys.retire(tx, kid, compromised=False, by=by, now=now)

    async def retire_compromised_key(self, kid: str, *, by: Actor, now: datetime) -> Sequence[KeyRecord]:
        """Retire a signing key that somebody else has, and every access token issued before.

        What the key has signed since, with whatever time of issue, is refused by whoever reads the keys again. Sessions
        live on: refresh tokens are not signed. Raises `SigningKeyNotFound`.
        """
        async with self._database.transaction() as tx:
            changed = await self._signing_keys.retire(tx, kid, compromised=True, by=by, now=now)
            await self._sessions.revocations.end_everything(
                tx, sessions=False, reason="signing_key_compromised", by=by.id or by.kind, now=now
            )
            return changed

    async def read(self, identity_id: UUID, *, by: Actor, now: datetime) -> Identity:
        """Return somebody's identity; that it was read is recorded, and a failure to record it breaks nothing."""
        identity = await self._identities.get(identity_id)
        event = Event(Action.IDENTITY_READ, by, target_kind="identity", target_id=identity.external_id)
        await self._audit.record_read(event, now=now)
        return identity

    async def suspend(self, identity_id: UUID, *, by: Actor, now: datetime) -> None:
        """Keep somebody out from their next request on. Raises `OwnAccount`, `LastOperator`."""
        change = self._changes.to_identity(Action.IDENTITY_SUSPENDED, identity_id, by, now, shuts_out=True)
        async with change as (tx, _):
            await self._identities.set_status(tx, identity_id, Status.SUSPENDED, now=now)
            await self._sessions.end_all(tx, identity_id, reason=EndReason.IDENTITY_SUSPENDED, now=now)

    async def reactivate(self, identity_id: UUID, *, by: Actor, now: datetime) -> None:
        """Let somebody sign in again; their old sessions stay ended. Raises `NotSuspended`."""
        change = self._changes.to_identity(Action.IDENTITY_REACTIVATED, identity_id, by, now)
        async with change as (tx, found):
            if found.status is Status.PENDING_VERIFICATION:
                raise NotSuspended
            await self._identities.set_status(tx, identity_id, Status.ACTIVE, now=now)

    async def unlock(self, identity_id: UUID, *, by: Actor, now: datetime) -> None:
        """Refill somebody's failure budget."""
        async with self._changes.to_identity(Action.IDENTITY_UNLOCKED, identity_id, by, now) as (tx, _):
            await self._identities.unlock(tx, identity_id, now=now)

    async def end_sessions(self, identity_id: UUID, *, by: Actor, now: datetime) -> None:
        """End every session and token somebody has."""
        async with self._changes.to_identity(Action.SESSIONS_ENDED, identity_id, by, now) as (tx, _):
            await self._sessions.end_all(tx, identity_id, reason=EndReason.OPERATOR, now=now)

    async def end_session(self, session_id: UUID, *, by: Actor, now: datetime) -> bool:
        """End one session, whoever's it is; False when there is no such live session."""
        owner = await self._session_reading.owner(self._database, session_id)
        if owner is None:
            return False
        async with self._database.transaction() as tx:
            ended = await self._sessions.end(tx, owner, session_id, reason=EndReason.OPERATOR_NAMED, now=now)
            if ended:
                self._changes.record(tx, Action.SESSION_ENDED, owner, by, now, session_id=session_id)
            return ended

    async def end_token(self, token: Principal, *, by: Actor, now: datetime) -> None:
        """End one access token, such as one that leaked."""
        identity_id = parse_id(IDENTITY_PREFIX, token.identity_id)
        async with self._database.transaction() as tx:
            await self._sessions.revocations.end_token(
                tx, token.token_id, of=identity_id, reason=EndReason.OPERATOR, by=by.id or by.kind, now=now
            )
            self._changes.record(tx, Action.TOKEN_REVOKED, identity_id, by, now)

    async def send_password_link(self, identity_id: UUID, *, by: Actor, now: datetime) -> None:
        """Send somebody a link, or a code to their phone, to set a password with; nobody else sees it (ADM-04).

        Raises `NoAddress`.
        """
        async with self._changes.to_identity(Action.PASSWORD_LINK_SENT, identity_id, by, now) as (tx, found):
            address = found.email or found.phone
            if address is None:
                raise NoAddress
            self._proofs.ask(
                tx,
                Purpose.RESET_PASSWORD,
                parse_identifier(address),
                identity_id=identity_id,
                form=Format.LINK,
                locale=found.locale,
                now=now,
            )

    async def require_password_change(self, identity_id: UUID, *, by: Actor, now: datetime) -> None:
        """Demand a new password at the next sign-in, because the old one is known to others (PWD-08)."""
        async with self._changes.to_identity(Action.PASSWORD_CHANGE_REQUIRED, identity_id, by, now) as (
            tx,
            _,
        ):
            await self._identities.require_password_change(tx, identity_id, now=now)
            await self._sessions.end_all(tx, identity_id, reason=EndReason.OPERATOR, now=now)
