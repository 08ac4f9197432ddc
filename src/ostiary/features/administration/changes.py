"""What every change by an operator has in common: one transaction, the lock, the record, and what must not happen."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ostiary.features.administration.errors import OwnAccount
from ostiary.features.audit import Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Action, Actor, Audit
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.roles import Roles
    from ostiary.foundation.storage import Database, Transaction


class Changes:
    """Opens and records changes."""

    def __init__(self, database: Database, *, identities: Identities, roles: Roles, audit: Audit) -> None:
        self._database = database
        self._identities = identities
        self._roles = roles
        self._audit = audit

    @asynccontextmanager
    async def to_identity(
        self, action: Action, identity_id: UUID, by: Actor, now: datetime, *, shuts_out: bool = False
    ) -> AsyncIterator[tuple[Transaction, Credentials]]:
        """Open the transaction of a change to a live identity, and record it there.

        Raises `IdentityNotFound`, and `OwnAccount` and `LastOperator` for what `shuts_out`.
        """
        if shuts_out and by.id == format_id(IDENTITY_PREFIX, identity_id):
            raise OwnAccount
        async with self._database.transaction() as tx:
            if shuts_out:
                await self.keep_an_operator(tx, identity_id, by, now)
            credentials = await self._identities.lock_for_change(tx, identity_id)
            self.record(tx, action, identity_id, by, now)
            yield tx, credentials

    def record(
        self,
        tx: Transaction,
        action: Action,
        identity_id: UUID,
        by: Actor,
        now: datetime,
        *,
        reason: str | None = None,
        session_id: UUID | None = None,
    ) -> None:
        """Record what was done to an identity."""
        event = Event(
            action,
            by,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, identity_id),
            session_id=session_id,
            reason=reason,
        )
        self._audit.record(tx, event, now=now)

    async def keep_an_operator(self, tx: Transaction, identity_id: UUID, by: Actor, now: datetime) -> None:
        """Make sure that another operator is left when this identity is not one any more. Raises `LastOperator`.

        Called before the identity is locked. Who sits at the machine may do it all the same: they can make another one.
        """
        if by.kind == "identity":
            await self._roles.require_another_operator(tx, identity_id, now=now)
