"""The restore guard: a database that is an older copy of itself revives nothing (F17).

A backup knows nothing of what was ended after it was taken. So a database remembers which one it is, and when it turns
out to be another, everything issued before ends. A standby that took over is another one, too; whoever was running saw
that nothing was lost, and says so. Who starts in the middle of a failover has seen nothing, and lets the others speak.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.administration import store
from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.sessions import EndReason

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.audit import Audit
    from ostiary.features.sessions import Revocations
    from ostiary.foundation.storage import Database

_JUST_NOW: Final = timedelta(minutes=1)
"""A database that was seen so lately may have had a failover; a backup is older."""
_HEARING: Final = timedelta(seconds=15)
"""How long the others may take to speak: they look every ten seconds."""
_PAUSE: Final = timedelta(milliseconds=200)


class RestoreGuard:
    """Watches which database this is."""

    def __init__(self, database: Database, *, revocations: Revocations, audit: Audit) -> None:
        self._database = database
        self._revocations = revocations
        self._audit = audit
        self._seen_at: datetime | None = None

    async def look(self, *, now: datetime) -> bool:
        """Make sure that this is the database it was, and end everything if it is not; True if it had to.

        Called at every start, before anything is answered, and every few seconds by one worker. May take fifteen
        seconds at a start right after a failover. Raises `Unavailable`.
        """
        fingerprint = await self._database.fingerprint()
        known = await self._database.fetch_one(store.KNOWN_DATABASE)
        if known is None:
            await self._database.execute(store.REMEMBER_DATABASE, fingerprint, now)
        elif known.fingerprint == fingerprint:
            if self._seen_at is not None or now > known.seen_at:
                await self._database.execute(store.SEEN, fingerprint, now)
        elif self._seen_at is not None and known.seen_at >= self._seen_at:
            # What this worker wrote last is there: a standby took over, and had everything.
            await self._database.execute(store.RECOGNISE, fingerprint, now, known.fingerprint)
        elif now - known.seen_at > _JUST_NOW or not await self._is_vouched_for(fingerprint):
            return await self._end_everything(fingerprint, known.fingerprint, now)
        self._seen_at = now
        return False

    async def _is_vouched_for(self, fingerprint: str) -> bool:
        """Wait until a worker that was running recognises this database; False if none does, or this one was one."""
        if self._seen_at is not None:
            return False
        for _ in range(_HEARING // _PAUSE):
            await asyncio.sleep(_PAUSE.total_seconds())
            known = await self._database.fetch_one(store.KNOWN_DATABASE)
            if known is not None and known.fingerprint == fingerprint:
                return True
        return False

    async def _end_everything(self, fingerprint: str, known: str, now: datetime) -> bool:
        async with self._database.transaction() as tx:
            if await tx.execute(store.RECOGNISE, fingerprint, now, known) == 0:
                # Another worker that started at the same moment did it.
                return False
            self._audit.record(
                tx,
                Event(Action.EVERYTHING_ENDED, SYSTEM, target_kind="installation", reason="restored"),
                now=now,
            )
            await self._revocations.end_everything(
                tx, sessions=True, reason=EndReason.EVERYTHING, by=SYSTEM.kind, now=now
            )
        self._seen_at = now
        return True
