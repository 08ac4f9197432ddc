"""What operators see and do of the outbox; what messages say stays sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.outbox import store
from ostiary.features.outbox.errors import MessageNotFound
from ostiary.features.outbox.model import OutboxFigures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ostiary.features.outbox.model import Entry, State, Topic
    from ostiary.foundation.storage import Database, Statements, Transaction

_LAST_ID: Final = UUID(int=(1 << 128) - 1)


class Messages:
    """The messages of one installation, from the outside."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, state: State, *, topic: Topic | None = None, limit: int, before: UUID | None = None
    ) -> Sequence[Entry]:
        """Return the newest `limit` messages in a state, older than `before` if given."""
        return await self._database.fetch_all(store.LIST, state, topic, before or _LAST_ID, limit)

    async def retry(self, tx: Transaction, message_id: UUID, *, now: datetime) -> Entry:
        """Send a message at the next opportunity, and give it all its attempts back. Raises `MessageNotFound`."""
        entry = await tx.fetch_one(store.RETRY, message_id, now)
        if entry is None:
            raise MessageNotFound
        return entry

    async def retry_dead(self, tx: Transaction, topic: Topic | None, *, now: datetime) -> int:
        """Do so with every dead message that still says something; return how many those were."""
        return len(await tx.fetch_all(store.RETRY_DEAD, now, topic))

    async def figures(self, statements: Statements) -> OutboxFigures:
        """Count what waits and what is dead."""
        return await statements.fetch_one(store.FIGURES) or OutboxFigures(0, 0, None)

    async def purge(self, tx: Transaction, *, delivered_by: datetime, failed_by: datetime, limit: int) -> int:
        """Delete up to `limit` messages delivered by then, and as many that died by then; return how many."""
        delivered = await tx.execute(store.PURGE_DELIVERED, delivered_by, limit)
        return delivered + await tx.execute(store.PURGE_DEAD, failed_by, limit)
