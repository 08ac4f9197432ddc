"""Exchange: a session that another system began ends here, so that one of ours goes on for it.

Only a session without tokens of ours: whatever was exchanged is over, and every other token of it with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.sessions import store
from ostiary.features.sessions.endings import EndReason

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.sessions.model import TakenOver
    from ostiary.features.sessions.service import Sessions
    from ostiary.foundation.storage import Transaction


class SessionExchange:
    """The sessions of one installation that were begun elsewhere."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def take_over(
        self, tx: Transaction, identity_id: UUID, session_id: UUID, *, now: datetime
    ) -> TakenOver | None:
        """End a live session of this identity, which `tx` has locked, and return what goes on of it.

        None when there is no such session, or it is over, or has ever had a token of ours.
        """
        found = await tx.fetch_one(store.LIVE_FROM_ELSEWHERE, session_id, identity_id, now)
        if found is not None:
            await self._sessions.end(tx, identity_id, session_id, reason=EndReason.EXCHANGED, now=now)
        return found
