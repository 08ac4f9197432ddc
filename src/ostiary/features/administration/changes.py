"""What every change by an operator has in common: one transaction, the lock, the record, and what must not happen."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from ostiary.features.administration.errors import LastOperator, OwnAccount
from ostiary.features.audit import Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.roles import OPERATOR
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Action, Actor, Audit
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.roles import Roles
    from ostiary.foundation.storage import Database, Transaction

OPERATORS_ARE: Final = "admin"
"""The kind of account that may administer."""


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

        Called before the identity is locked: operators who shut each other out at the same time take turns here. Who
        sits at the machine may do it all the same, as they can make another operator.
        """
        if by.kind != "identity":
            return
        held = await self._roles.granted(tx, identity_id, now=now)
        if all(grant.role != OPERATOR for grant in held):
            return
        await self._roles.lock(tx, OPERATOR)
        is_left = await self._roles.has_equal(tx, OPERATOR, identity_id, entity_type=OPERATORS_ARE, now=now)
        if not is_left:
            raise LastOperator
