"""Using legacy bearers up, and forgetting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.legacy_bearers import store
from ostiary.features.legacy_bearers.model import digests_of

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.legacy_bearers.model import Bearer
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Transaction


class LegacyBearers:
    """The tokens that another system handed out; `key` is 32 bytes kept outside the database."""

    def __init__(self, *, key: bytes) -> None:
        self._key = key

    async def consume(self, tx: Transaction, presented: Secret, *, now: datetime) -> Bearer | None:
        """Use a token up and return what it stood for; its owner is locked until `tx` ends.

        None when it is unknown, used or expired; which one is not said.
        """
        return await tx.fetch_one(store.CONSUME, *digests_of(self._key, presented), now)

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` tokens that had expired by then, used or not; return how many."""
        return await tx.execute(store.PURGE, expired_by, limit)
