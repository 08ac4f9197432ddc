"""Reading: what operators look at, the newest first and page by page. Nothing is decided by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.sessions import store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.features.sessions.model import RevocationRecord, SessionRecord
    from ostiary.foundation.storage import Database, Statements

_LAST_ID: Final = UUID(int=(1 << 128) - 1)
_LAST_SEQ: Final = (1 << 63) - 1


class SessionReading:
    """The sessions and revocations of one installation, ended and expired ones among them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sessions(
        self, *, of: UUID | None = None, limit: int, before: UUID | None = None
    ) -> Sequence[SessionRecord]:
        """Return the newest `limit` sessions, of one identity or of everybody, older than `before` if given."""
        if of is None:
            return await self._database.fetch_all(store.RECORDS, before or _LAST_ID, limit)
        return await self._database.fetch_all(store.RECORDS_OF_IDENTITY, before or _LAST_ID, limit, of)

    async def owner(self, statements: Statements, session_id: UUID) -> UUID | None:
        """Return whose session it is; None when there is none of this id."""
        return await statements.fetch_one(store.OWNER, session_id)

    async def revocations(self, *, limit: int, before: int | None = None) -> Sequence[RevocationRecord]:
        """Return the newest `limit` revocations, older than number `before` if given."""
        return await self._database.fetch_all(store.REVOCATIONS, before or _LAST_SEQ, limit)
