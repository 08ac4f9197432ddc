"""Issuing, consuming and finding challenges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.challenges import store
from ostiary.features.challenges.model import TOKEN_KIND, Challenge, Consumed, Purpose
from ostiary.foundation.bearer import BearerSecret, InvalidBearerSecret
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction


class Challenges:
    """The one-time secrets of one installation."""

    def __init__(self, database: Database, entropy: Entropy) -> None:
        self._database = database
        self._entropy = entropy

    async def issue(
        self,
        tx: Transaction,
        purpose: Purpose,
        *,
        identity_id: UUID | None,
        destination: str,
        lifetime: timedelta,
        now: datetime,
    ) -> Secret:
        """Make a challenge, superseding any live one for the same owner, purpose and destination."""
        token = BearerSecret.new(TOKEN_KIND, new_id(now, self._entropy), self._entropy)
        issue = store.ISSUE_TO_NOBODY if identity_id is None else store.ISSUE_TO_IDENTITY
        await tx.execute(
            issue, token.id, identity_id, purpose, destination, token.digest, now, now + lifetime
        )
        return token.text

    async def consume(
        self, tx: Transaction, purpose: Purpose, presented: Secret, *, now: datetime
    ) -> Consumed | None:
        """Use a challenge up and return what it stood for.

        None when it is malformed, unknown, used, expired or made for another purpose; which one is not said.
        """
        try:
            token = BearerSecret.parse(TOKEN_KIND, presented)
        except InvalidBearerSecret:
            return None
        return await tx.fetch_one(store.CONSUME, token.id, token.digest, purpose, now)

    async def cancel(self, tx: Transaction, identity_id: UUID) -> None:
        """Take every live challenge away from an identity: whatever it was for has to be asked for anew."""
        await tx.execute(store.CANCEL, identity_id)

    async def find_active(self, identity_id: UUID, purpose: Purpose, *, now: datetime) -> Sequence[Challenge]:
        """Return an identity's live challenges of one purpose, by one indexed query."""
        return await self._database.fetch_all(store.FIND_ACTIVE, identity_id, purpose, now)

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` challenges that had expired by then, used or not; return how many."""
        return await tx.execute(store.PURGE, expired_by, limit)
