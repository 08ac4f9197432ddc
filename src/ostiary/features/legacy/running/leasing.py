"""One runner at a time: a lease that is held while somebody works, and a number no older runner can commit with."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.legacy import store
from ostiary.features.legacy.model import LegacyError, State
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.processes import holder_name, is_gone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.legacy.model import Migration
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Transaction

LASTS: Final = timedelta(seconds=30)
"""How long a runner that says nothing is believed to be alive, where nobody can look whether it is."""


class Overtaken(LegacyError):
    """Another runner has taken over."""

    def __init__(self) -> None:
        super().__init__("Another run of this migration has taken over; nothing of this batch was kept.")


class Lease:
    """The right to work on a migration."""

    def __init__(self, database: Database, clock: Clock, migration_id: UUID, fence: int) -> None:
        self._database = database
        self._clock = clock
        self.migration_id = migration_id
        self.fence = fence

    @classmethod
    async def take(cls, database: Database, clock: Clock, entropy: Entropy, migration: Migration) -> Lease:
        """Take a migration up. Raises `LegacyError` while somebody else is at it."""
        now = clock.now()
        gone = migration.holder if migration.holder is not None and is_gone(migration.holder) else None
        fence = await database.fetch_one(
            store.TAKE, migration.id, holder_name(entropy), now + LASTS, now, gone
        )
        if fence is None:
            raise LegacyError(
                "Another run is at work on this migration: wait for it, or end it. If its machine is gone, try again in "
                f"{LASTS.seconds} seconds."
            )
        return cls(database, clock, migration.id, fence)

    def hold(self, tx: Transaction, checkpoint: dict[str, Any], state: State) -> None:
        """Go on holding it as `tx` ends; raises `Overtaken` there, and nothing of `tx` is kept, if it was lost."""
        values = (self.migration_id, self.fence, self._until(), checkpoint, state)
        tx.defer(store.HOLD, *values, otherwise=Overtaken())

    async def renew(self) -> None:
        """Go on holding it. Raises `Overtaken` when it was lost."""
        values = (self.migration_id, self.fence, self._until())
        if await self._database.execute(store.RENEW, *values) == 0:
            raise Overtaken

    @asynccontextmanager
    async def renewing(self) -> AsyncIterator[None]:
        """Go on holding it for as long as the block takes, whatever it waits for. Raises `Overtaken` before it and after it."""
        await self.renew()
        renewing = asyncio.create_task(self._renew_again())
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError, OstiaryError):
                await renewing
        await self.renew()

    async def _renew_again(self) -> None:
        while True:
            await asyncio.sleep(LASTS.total_seconds() / 3)
            await self.renew()

    async def let_go(self) -> None:
        """Give it back."""
        await self._database.execute(store.LET_GO, self.migration_id, self.fence)

    def _until(self) -> datetime:
        return self._clock.now() + LASTS
