"""Suspending, reactivating, unlocking, ending sessions and everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.administration.errors import NotSuspended
from ostiary.features.audit import Action, Event
from ostiary.features.identities import Status
from ostiary.features.sessions import EndReason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.administration.changes import Changes
    from ostiary.features.audit import Actor, Audit
    from ostiary.features.identities import Identities, Identity
    from ostiary.features.sessions import Sessions
    from ostiary.features.signing_keys import KeyRecord, SigningKeys
    from ostiary.foundation.storage import Database


class Administration:
    """The operators' side of one installation. Every method raises `IdentityNotFound`."""

    def __init__(
        self,
        database: Database,
        *,
        changes: Changes,
        identities: Identities,
        sessions: Sessions,
        signing_keys: SigningKeys,
        audit: Audit,
    ) -> None:
        self._database = database
        self._changes = changes
        self._identities = identities
        self._sessions = sessions
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

    async def require_password_change(self, identity_id: UUID, *, by: Actor, now: datetime) -> None:
        """Demand a new password at the next sign-in, because the old one is known to others (PWD-08)."""
        async with self._changes.to_identity(Action.PASSWORD_CHANGE_REQUIRED, identity_id, by, now) as (
            tx,
            _,
        ):
            await self._identities.require_password_change(tx, identity_id, now=now)
            await self._sessions.end_all(tx, identity_id, reason=EndReason.OPERATOR, now=now)
