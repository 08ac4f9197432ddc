"""What becomes of sessions and refresh tokens that are over, and how many there are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.sessions import store
from ostiary.features.sessions.endings import EndReason
from ostiary.features.sessions.model import SessionFigures
from ostiary.foundation.ids import first_id_at, format_id

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.audit import Audit
    from ostiary.features.sessions.service import Sessions
    from ostiary.foundation.storage import Transaction

_FIRST_ID: Final = UUID(int=0)
_MILLISECOND: Final = timedelta(milliseconds=1)
_RECENTLY: Final = timedelta(days=7)


class SessionUpkeep:
    """The upkeep of one installation's sessions, a portion in each transaction."""

    def __init__(self, *, sessions: Sessions, audit: Audit) -> None:
        self._sessions = sessions
        self.revocations: Final = sessions.revocations
        self._audit = audit

    async def end_stale(self, tx: Transaction, *, unused_since: datetime, limit: int, now: datetime) -> int:
        """End up to `limit` sessions that were not used since then; return how many."""
        stale = await tx.fetch_all(store.LOCK_STALE, unused_since, limit)
        for session in stale:
            await self._sessions.end(tx, session.identity_id, session.id, reason=EndReason.STALE, now=now)
            self._audit.record(
                tx,
                Event(
                    Action.SESSION_ENDED,
                    SYSTEM,
                    target_kind="identity",
                    target_id=format_id(IDENTITY_PREFIX, session.identity_id),
                    session_id=session.id,
                    reason=EndReason.STALE,
                ),
                now=now,
            )
        return len(stale)

    async def purge(self, tx: Transaction, *, expired_by: datetime, ended_by: datetime, limit: int) -> int:
        """Delete some of the sessions that had expired or ended by then, with their tokens; return how many rows.

        Their history is told first when they were over. Zero says that none is left.
        """
        for moment, purge_tokens, purge_sessions in (
            (expired_by, store.PURGE_TOKENS_OF_EXPIRED, store.PURGE_EXPIRED),
            (ended_by, store.PURGE_TOKENS_OF_ENDED, store.PURGE_ENDED),
        ):
            tokens = await tx.execute(purge_tokens, moment, limit)
            if tokens >= limit:
                return tokens
            purged = await tx.fetch_all(purge_sessions, moment, limit)
            for session in purged:
                if session.ended_at is None:
                    self._audit.session_ended(tx, session.id, now=session.over_at)
            if tokens + len(purged):
                return tokens + len(purged)
        return 0

    async def purge_spent(
        self, tx: Transaction, *, spent_by: datetime, after: UUID | None, limit: int
    ) -> tuple[int, UUID | None]:
        """Delete spent refresh tokens among the next `limit` or so; return how many, and after which id to go on.

        The id is None at the end. Whoever presents a purged token is refused as unknown (docs/decisions/0011).
        """
        first, bound = after or _FIRST_ID, first_id_at(spent_by + _MILLISECOND)
        end = await tx.fetch_one(store.SPENT_WINDOW_ENDS, first, bound, limit)
        return await tx.execute(store.PURGE_SPENT, first, end or bound, spent_by), end

    async def figures(self, tx: Transaction, *, now: datetime) -> SessionFigures:
        """Count the sessions."""
        return await tx.fetch_one(store.FIGURES, now, now - _RECENTLY) or SessionFigures(0, 0, 0)
