"""Approving and rejecting newcomers of the kinds that need it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ostiary.features.audit import Action, Actor, Event
from ostiary.features.identities import Identity, Status
from ostiary.features.outbox import Template
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.storage import Transaction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.identities import Identities
    from ostiary.features.outbox import Outbox
    from ostiary.foundation.storage import Database


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a newcomer; `by` is the operator, `idn_…`, or None for a command."""

    is_approved: bool
    reason: str | None
    by: str | None
    at: datetime


OnDecided = Callable[[Transaction, Identity, Decision], Awaitable[None]]
"""`await hook(tx, identity, decision)`: what the application keeps follows, in the transaction that decides."""


@dataclass(frozen=True, slots=True)
class DecisionHook:
    """What the application does when somebody of a kind, or of any, was decided upon."""

    run: OnDecided
    entity_type: str | None

    def concerns(self, identity: Identity) -> bool:
        """Say whether it is for this newcomer."""
        return self.entity_type in {None, identity.entity_type}


class NotPending(OstiaryError):
    """An account was decided upon that does not await it."""

    def __init__(self) -> None:
        super().__init__("This account does not await approval: it was decided upon already, or needs none.")


class Approvals:
    """Who is let in.

    Every method raises `IdentityNotFound`, `NotPending` when there is nothing to decide, and whatever the application's
    hooks raise: nothing is decided then.
    """

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        outbox: Outbox,
        audit: Audit,
        hooks: Sequence[DecisionHook],
    ) -> None:
        self._database = database
        self._hooks = hooks
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
            decision = Decision(status is Status.ACTIVE, reason, by.id, now)
            for hook in self._hooks:
                if hook.concerns(identity):
                    await hook.run(tx, identity, decision)
