"""Approving and rejecting newcomers of the kinds that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import Action, Actor, Event
from ostiary.features.identities import Status
from ostiary.features.outbox import Template
from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.identities import Identities
    from ostiary.features.outbox import Outbox
    from ostiary.foundation.storage import Database


class NotPending(OstiaryError):
    """An account was decided upon that does not await it."""

    def __init__(self) -> None:
        super().__init__("This account does not await approval: it was decided upon already, or needs none.")


class Approvals:
    """Who is let in. Every method raises `IdentityNotFound`, and `NotPending` when there is nothing to decide."""

    def __init__(self, database: Database, *, identities: Identities, outbox: Outbox, audit: Audit) -> None:
        self._database = database
        self._identities = identities
        self._outbox = outbox
        self._audit = audit

    async def approve(
        self, identity_id: UUID, *, reason: str | None = None, by: Actor, origin: Origin, now: datetime
    ) -> None:
        """Let somebody in who awaited it, and tell them."""
        await self._decide(
            identity_id, Status.ACTIVE, Action.IDENTITY_APPROVED, Template.APPROVED, reason, by, origin, now
        )

    async def reject(
        self, identity_id: UUID, *, reason: str, by: Actor, origin: Origin, now: datetime
    ) -> None:
        """Turn somebody away who awaited approval, and tell them why.

        The account is suspended rather than deleted: whoever was turned away in error can be reactivated.
        """
        await self._decide(
            identity_id,
            Status.SUSPENDED,
            Action.IDENTITY_REJECTED,
            Template.REJECTED,
            reason,
            by,
            origin,
            now,
        )

    async def _decide(
        self,
        identity_id: UUID,
        status: Status,
        action: Action,
        template: Template,
        reason: str | None,
        by: Actor,
        origin: Origin,
        now: datetime,
    ) -> None:
        async with self._database.transaction() as tx:
            identity = await self._identities.lock(tx, identity_id)
            if not await self._identities.decide(tx, identity_id, status, now=now):
                raise NotPending
            values = {"reason": reason} if reason else {}
            self._outbox.notify(tx, identity.recipient, template, values, now=now)
            event = Event(
                action,
                by,
                target_kind="identity",
                target_id=identity.external_id,
                origin=origin,
                reason=reason,
            )
            self._audit.record(tx, event, now=now)
