"""The right to work on a task, which ends by itself when its worker does."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from ostiary.features.maintenance import store
from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from ostiary.foundation.storage import Database, Transaction

    Progress = Callable[[int], None]

# A batch is one transaction, which ends within five seconds; a worker that is silent for this long is gone.
LEASE: Final = timedelta(minutes=1)


class LeaseLost(OstiaryError):
    """Another worker took the task over; what this one had under way was rolled back."""

    def __init__(self) -> None:
        super().__init__("Another worker has taken this task over, so this one stopped.")


class Stopped(OstiaryError):
    """This worker is about to end; what the task has done so far is kept."""

    def __init__(self) -> None:
        super().__init__("It was stopped.")


class Lease:
    """The right to work on one task: each batch renews it and is counted in its own transaction."""

    def __init__(
        self,
        database: Database,
        run_id: UUID,
        *,
        now: datetime,
        batch_size: int,
        on_progress: Progress | None,
        closing: asyncio.Event,
    ) -> None:
        self._database = database
        self._started = monotonic()
        self._closing = closing
        self._on_progress = on_progress
        self.run_id: Final = run_id
        self.now: Final = now
        self.batch_size: Final = batch_size
        self.removed = 0

    def moment(self) -> datetime:
        """Return the present moment: `now`, and what has passed since."""
        return self.now + timedelta(seconds=monotonic() - self._started)

    async def batch(self, work: Callable[[Transaction], Awaitable[int]]) -> int:
        """Do one bounded piece of work, which returns how many rows it removed, and count them.

        Raises `LeaseLost`, and then the work is rolled back, and `Stopped`, and then it was not begun.
        """
        if self._closing.is_set():
            raise Stopped
        async with self._database.transaction() as tx:
            removed = await work(tx)
            if await tx.execute(store.RENEW, self.run_id, self.moment() + LEASE, removed) == 0:
                raise LeaseLost
        self.removed += removed
        if self._on_progress is not None:
            self._on_progress(self.removed)
        # Whoever waits for the event loop goes first.
        await asyncio.sleep(0)
        return removed

    async def renew(self) -> None:
        """Keep the lease during work that is not in batches, at least every half minute. Raises `LeaseLost`."""
        if await self._database.execute(store.RENEW, self.run_id, self.moment() + LEASE, 0) == 0:
            raise LeaseLost
