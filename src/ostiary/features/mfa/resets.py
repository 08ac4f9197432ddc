"""The wish to be rid of factors one has lost: asked for, approved by an operator, and waited for.

At most one is open for an account. Whatever ends it (the owner's objection, a sign-in with a factor, an operator, its
taking effect) is won in SQL, so no two of them happen.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.mfa import store
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ostiary.features.mfa.model import FactorReset
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Statements, Transaction

OPEN_FOR: Final = timedelta(days=3)
"""How long a wish waits for an operator before it lapses."""
_FIRST_ID: Final = UUID(int=0)


class FactorResets:
    """The open wishes of one installation."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    async def request(self, tx: Transaction, identity_id: UUID, *, now: datetime) -> bool:
        """Write a wish down; False when there is an open one already."""
        reset_id = new_id(now, self._entropy)
        return await tx.execute(store.REQUEST, reset_id, identity_id, now, now - OPEN_FOR) == 1

    async def list_open(
        self, source: Statements, *, limit: int, after: UUID | None = None, now: datetime
    ) -> Sequence[FactorReset]:
        """Return up to `limit` open wishes, the oldest first, after the one with id `after`."""
        return await source.fetch_all(store.OPEN_RESETS, now - OPEN_FOR, after or _FIRST_ID, limit)

    async def find_open(self, source: Statements, reset_id: UUID, *, now: datetime) -> FactorReset | None:
        """Return an open wish."""
        return await source.fetch_one(store.FIND_OPEN, reset_id, now - OPEN_FOR)

    async def approve(
        self, tx: Transaction, reset_id: UUID, *, by: str, takes_effect_at: datetime, now: datetime
    ) -> bool:
        """Let a wish take effect later; False when it is not open, or was approved before."""
        return await tx.execute(store.APPROVE, reset_id, now, by, takes_effect_at) == 1

    async def cancel(self, tx: Transaction, reset_id: UUID, *, by: str, now: datetime) -> bool:
        """End a wish without effect; False when it is not open."""
        return await tx.execute(store.CANCEL, reset_id, now, by) == 1

    async def cancel_of(self, tx: Transaction, identity_id: UUID, *, by: str, now: datetime) -> bool:
        """End the open wish of an account without effect; False when it has none."""
        return await tx.execute(store.CANCEL_OF, identity_id, now, by) == 1

    def overtake(self, tx: Transaction, identity_id: UUID, *, now: datetime) -> None:
        """End the open wish of an account when `tx` ends: somebody has just signed in with a factor of it."""
        tx.defer(store.CANCEL_OF, identity_id, now, "sign_in")

    async def list_due(self, source: Statements, *, limit: int, now: datetime) -> Sequence[FactorReset]:
        """Return wishes whose moment has come."""
        return await source.fetch_all(store.DUE, now, limit)

    async def complete(self, tx: Transaction, reset_id: UUID, *, now: datetime) -> bool:
        """Take a due wish, whose effect belongs into the same transaction; False when it is no longer open."""
        return await tx.fetch_one(store.COMPLETE, reset_id, now) is not None

    async def purge(self, tx: Transaction, *, requested_by: datetime, limit: int) -> int:
        """Delete up to `limit` wishes from before then that are over; return how many."""
        return await tx.execute(store.PURGE_RESETS, requested_by, limit)
