"""How large an installation is, and how its clean-up does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.maintenance import store
from ostiary.features.maintenance.model import Figures, TaskFigures

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.maintenance.service import Maintenance
    from ostiary.features.outbox import Messages
    from ostiary.features.sessions import SessionUpkeep
    from ostiary.features.vault import Vault
    from ostiary.foundation.storage import Database


class Statistics:
    """The monitoring figures of one installation."""

    def __init__(
        self,
        database: Database,
        *,
        sessions: SessionUpkeep,
        messages: Messages,
        vault: Vault,
        maintenance: Maintenance,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._messages = messages
        self._vault = vault
        self._maintenance = maintenance

    async def figures(self, *, now: datetime) -> Figures:
        """Measure everything. Counts read whole indexes, so ask now and then, not every second."""
        # Not look-ups, so not on the event loop: on SQLite a transaction works in a thread of its own.
        async with self._database.transaction() as tx:
            revocations = await self._sessions.revocations.figures(tx, now=now)
            sessions = await self._sessions.figures(tx, now=now)
            messages = await self._messages.figures(tx)
            vault = await self._vault.figures(tx)
            database_bytes = await tx.fetch_one(store.DATABASE_BYTES) or 0
            knows_sizes = await tx.fetch_one(store.KNOWS_SIZES)
            tables = await tx.fetch_all(store.TABLES) if knows_sizes else []
            indexes = await tx.fetch_all(store.INDEXES) if knows_sizes else []
        sizes = {table.name: table.bytes for table in tables}
        done = [
            TaskFigures(
                run.task, run.finished_at, (run.finished_at - run.started_at).total_seconds(), run.removed
            )
            for run in await self._maintenance.last_done()
            if run.finished_at is not None
        ]
        return Figures(
            as_of=now,
            database_bytes=database_bytes,
            revocations=revocations,
            revocations_bytes=sizes.get("revocations"),
            sessions=sessions,
            sessions_bytes=sizes.get("sessions"),
            messages=messages,
            vault=vault,
            tables=tables,
            indexes=indexes,
            maintenance=done,
        )
