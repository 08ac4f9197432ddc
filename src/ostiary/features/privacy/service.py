"""Deleting an account, taking that back, and erasing what is due."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.audit import NOBODY, SYSTEM, Action, Event
from ostiary.features.challenges import Purpose
from ostiary.features.identities import IDENTITY_PREFIX, IdentifierTaken, Status
from ostiary.features.outbox import Message, Template
from ostiary.features.privacy import store
from ostiary.features.privacy.model import ERASURE_PREFIX, DeletionNotUndone, Erasure, ErasureNotFound
from ostiary.features.sessions import EndReason
from ostiary.foundation.ids import format_id, new_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from ostiary.features.audit import Actor, Audit, Origin
    from ostiary.features.challenges import Challenges
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.outbox import Outbox
    from ostiary.features.privacy.model import PersonalDataHooks
    from ostiary.features.profiles import Profiles
    from ostiary.features.roles import Roles
    from ostiary.features.sessions import Caller, Sessions
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_LAST_ID: Final = UUID(int=(1 << 128) - 1)
_PORTION: Final = 500


class Privacy:
    """The deletions and erasures of one installation; `grace` is how long a deletion can be taken back, 0 not at all."""

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        identities: Identities,
        roles: Roles,
        profiles: Profiles,
        sessions: Sessions,
        challenges: Challenges,
        outbox: Outbox,
        audit: Audit,
        hooks: PersonalDataHooks,
        grace: timedelta,
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._identities = identities
        self._roles = roles
        self._profiles = profiles
        self._sessions = sessions
        self._challenges = challenges
        self._outbox = outbox
        self._audit = audit
        self._hooks = hooks
        self._grace = grace

    async def delete(self, caller: Caller, *, now: datetime) -> Erasure:
        """Delete the caller's account, and return the receipt. Raises `IdentityNotFound`, `LastOperator`."""
        event = Event(
            Action.IDENTITY_DELETED, caller.actor, session_id=caller.session_id, origin=caller.origin
        )
        return await self._delete(caller.identity_id, event, now)

    async def delete_for(self, identity_id: UUID, *, by: Actor, origin: Origin, now: datetime) -> Erasure:
        """Delete somebody's account who asked an operator for it. Raises `IdentityNotFound`."""
        return await self._delete(identity_id, Event(Action.IDENTITY_DELETED, by, origin=origin), now)

    async def undo(self, token: Secret, *, origin: Origin, now: datetime) -> Erasure | None:
        """Take a deletion back by the link that was sent; None when it is no such link, or one that was used.

        Raises `DeletionNotUndone`, and then the link is as good as it was.
        """
        async with self._database.transaction() as tx:
            used = await self._challenges.consume(tx, Purpose.UNDO_DELETION, token, now=now)
            if used is None:
                return None
            event = Event(Action.IDENTITY_RESTORED, NOBODY, origin=origin)
            return await self._restore(tx, parse_id(ERASURE_PREFIX, used.destination), event, now)

    async def undo_for(self, erasure_id: UUID, *, by: Actor, now: datetime) -> Erasure:
        """Take a deletion back for somebody who cannot. Raises `ErasureNotFound`, `DeletionNotUndone`."""
        async with self._database.transaction() as tx:
            return await self._restore(tx, erasure_id, Event(Action.IDENTITY_RESTORED, by), now)

    async def get(self, erasure_id: UUID) -> Erasure:
        """Return a receipt. Raises `ErasureNotFound`."""
        found = await self._database.fetch_one(store.FIND, erasure_id)
        if found is None:
            raise ErasureNotFound
        return found

    async def list(
        self, *, only_pending: bool = False, limit: int, before: UUID | None = None
    ) -> Sequence[Erasure]:
        """Return the newest `limit` erasures, older than the one with id `before` if given."""
        return await self._database.fetch_all(store.LIST, before or _LAST_ID, only_pending, limit)

    async def due(self, *, limit: int, now: datetime) -> Sequence[UUID]:
        """Return the erasures whose time has come, the longest overdue first."""
        return await self._database.fetch_all(store.DUE, now, limit)

    async def erase_portion(self, tx: Transaction, erasure_id: UUID, *, limit: int, now: datetime) -> int:
        """Erase up to `limit` rows of one person, and at last the person; return how many rows that were.

        Zero when it is done, or somebody else is at it. Whoever is killed in between leaves what was not erased yet to
        the next call. Raises what a hook of the application raises.
        """
        erasure = await tx.fetch_one(store.LOCK_DUE, erasure_id, now)
        if erasure is None:
            return 0
        for table, query in store.PORTIONS.items():
            removed = await tx.execute(query, erasure.identity_id, limit)
            if removed:
                await tx.execute(store.COUNT_ERASED, erasure.id, _added(erasure, {table: removed}))
                return removed
        return await self._finish(tx, erasure, now)

    async def _delete(self, identity_id: UUID, event: Event, now: datetime) -> Erasure:
        async with self._database.transaction() as tx:
            if event.actor.kind == "identity":
                await self._roles.require_another_operator(tx, identity_id, now=now)
            credentials = await self._identities.lock_for_change(tx, identity_id)
            erasure = await self.retire(tx, credentials, event, EndReason.IDENTITY_DELETED, now)
            if self._grace:
                self._offer_undo(tx, credentials, erasure, now)
        if not self._grace:
            await self._erase(erasure, now)
        return erasure

    async def retire(
        self, tx: Transaction, owner: Credentials, event: Event, reason: EndReason, now: datetime
    ) -> Erasure:
        """Delete an account whose row is locked, in the transaction of whoever calls; it is erased in due course."""
        await self._drop_unproven(tx, owner)
        await self._sessions.end_all(tx, owner.id, reason=reason, now=now)
        await self._profiles.delete(tx, owner.entity_type, owner.id, now=now)
        await self._identities.delete(tx, owner.id, now=now)
        erasure = self._request(tx, owner, event.actor, now)
        self._record(tx, event, erasure, now)
        return erasure

    async def _drop_unproven(self, tx: Transaction, owner: Credentials) -> None:
        """Drop what waits for addresses that are not, or not any more, the account's: nobody will know them later.

        What is told to the account's own addresses goes out until the erasure.
        """
        sent_to = set(await self._challenges.destinations(tx, owner.id))
        await self._outbox.drop(tx, sent_to - {owner.email, owner.phone})

    def _request(self, tx: Transaction, credentials: Credentials, by: Actor, now: datetime) -> Erasure:
        erasure = Erasure(
            id=new_id(now, self._entropy),
            identity_id=credentials.id,
            requested_at=now,
            requested_by=by.id or by.kind,
            status_before=credentials.status,
            erase_after=now + self._grace,
            cancelled_at=None,
            completed_at=None,
            erased={},
        )
        tx.defer(
            store.REQUEST,
            erasure.id,
            erasure.identity_id,
            erasure.requested_at,
            erasure.requested_by,
            erasure.status_before,
            erasure.erase_after,
            erasure.erased,
        )
        return erasure

    def _offer_undo(self, tx: Transaction, owner: Credentials, erasure: Erasure, now: datetime) -> None:
        token = self._challenges.issue(
            tx,
            Purpose.UNDO_DELETION,
            identity_id=owner.id,
            destination=erasure.external_id,
            lifetime=self._grace,
            now=now,
        )
        values = {"token": token.reveal(), "at": f"{erasure.erase_after:%Y-%m-%d %H:%M} UTC"}
        if self._grace.days:
            values["days"] = str(self._grace.days)
        message = Message.to_owner(Template.DELETION_REQUESTED, owner.recipient, values)
        if message is not None:
            self._outbox.add(tx, message, lifetime=self._grace, now=now)

    async def _restore(self, tx: Transaction, erasure_id: UUID, event: Event, now: datetime) -> Erasure:
        erasure = await tx.fetch_one(store.CANCEL, erasure_id, now)
        if erasure is None:
            raise ErasureNotFound
        owner = await self._identities.find_deleted(tx, erasure.identity_id)
        if owner is None:
            raise ErasureNotFound
        try:
            await self._identities.restore(tx, owner.id, Status(erasure.status_before), now=now)
        except IdentifierTaken as taken:
            raise DeletionNotUndone(taken.field) from None
        await self._profiles.restore(tx, owner.entity_type, owner.id, now=now)
        # The link, if it was not the link that was used.
        await self._challenges.cancel(tx, owner.id)
        self._outbox.notify(tx, owner.recipient, Template.DELETION_CANCELLED, now=now)
        self._record(tx, event, erasure, now)
        return erasure

    async def _erase(self, erasure: Erasure, now: datetime) -> None:
        """Erase at once; whoever dies in between leaves the rest to the task."""
        removed = 1
        while removed:
            async with self._database.transaction() as tx:
                removed = await self.erase_portion(tx, erasure.id, limit=_PORTION, now=now)

    async def _finish(self, tx: Transaction, erasure: Erasure, now: datetime) -> int:
        counts = {row.name: row.number for row in await tx.fetch_all(store.COUNTED, erasure.identity_id)}
        owner = await self._identities.find_deleted(tx, erasure.identity_id)
        if owner is not None:
            for hook in self._hooks.on_erasure:
                await hook(tx, owner)
            sent_to = await self._challenges.destinations(tx, owner.id)
            counts["outbox"] = await self._outbox.drop(tx, {owner.email, owner.phone, *sent_to})
            await self._identities.erase(tx, owner.id)
            counts["identities"] = 1
        erased = _added(erasure, counts)
        await tx.execute(store.COMPLETE, erasure.id, now, erased)
        self._record(tx, Event(Action.IDENTITY_ERASED, SYSTEM), erasure, now)
        # At least the erasure itself: whoever calls goes on until there is nothing to do.
        return sum(counts.values()) or 1

    def _record(self, tx: Transaction, event: Event, erasure: Erasure, now: datetime) -> None:
        told = replace(
            event,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, erasure.identity_id),
            metadata={"erasure": erasure.external_id},
        )
        self._audit.record(tx, told, now=now)


def _added(erasure: Erasure, counts: dict[str, int]) -> dict[str, int]:
    """Add counts to those of an erasure; a table nothing was taken from is not named."""
    total = dict(erasure.erased)
    for table, number in counts.items():
        total[table] = total.get(table, 0) + number
    return {table: number for table, number in total.items() if number}
