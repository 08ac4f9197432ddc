"""An attempt to sign in: counted before it is looked at, and recorded when it fails, alike for whomever it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import OSTIARY, Login
from ostiary.features.identities import Attempt, InvalidAddress, parse_identifier
from ostiary.features.sign_in.model import Refusal, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.identities import Identities
    from ostiary.features.sign_in.model import PasswordSignIn
    from ostiary.foundation.storage import Database

_METHOD = "password"


class Attempts:
    """The attempts at passwords, those that providers keep included: one budget for all of them (ABU-01)."""

    def __init__(self, database: Database, *, identities: Identities, audit: Audit) -> None:
        self._database = database
        self._identities = identities
        self._audit = audit

    async def reserve(self, attempt: PasswordSignIn, now: datetime) -> Attempt:
        """Count one attempt, and read what it is compared with."""
        try:
            identifier = parse_identifier(attempt.identifier)
        except InvalidAddress:
            # Nobody can hold it, so there is nothing to guess; what follows still costs the same.
            return Attempt(granted=True, credentials=None, locked_until=None)
        return await self._identities.reserve_attempt(attempt.entity_type, identifier, now=now)

    async def refuse(
        self,
        reason: Refusal,
        reserved: Attempt,
        *,
        provider: str | None = None,
        said: str | None = None,
        origin: Origin,
        now: datetime,
    ) -> Refused:
        """Record a failure, with the same statements whoever it concerns; `said` is what a `provider` gave as reason."""
        identity_id = reserved.credentials.id if reserved.credentials else None
        login = Login.refused(identity_id, _METHOD, said or reason, origin, provider=provider or OSTIARY)
        async with self._database.transaction() as tx:
            self._audit.sign_in_refused(tx, login, now=now)
        return Refused(reason, retry_after=reserved.retry_after(now) if reason is Refusal.LOCKED else None)
