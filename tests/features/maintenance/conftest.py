"""The tasks of a started installation, and rows of any age."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from tests.factories import insert, registered

from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id, parse_id

_numbers = itertools.count(1_000_000)
FAR = timedelta(days=1000)


@pytest.fixture
def maintenance(auth):
    return auth.services.maintenance


@pytest.fixture
def rows(auth):
    return Rows(auth)


class Rows:
    """Makes rows of every table that is purged; `moment` is the one that decides about them."""

    def __init__(self, auth) -> None:
        self.auth = auth
        self.now = auth.clock.now()
        self._identity = None

    async def identity(self):
        """Return somebody's id, always the same."""
        if self._identity is None:
            principal = self.auth.verify((await registered(self.auth)).tokens.access_token.reveal())
            self._identity = parse_id("idn", principal.identity_id)
        return self._identity

    async def revocations(self, moment):
        number = next(_numbers)
        await insert(self.auth, "revocations", seq=number, kind="token", subject=str(number), expires_at=moment,
                     revoked_at=self.now)  # fmt: skip

    async def challenges(self, moment):
        await insert(self.auth, "challenges", id=self.id(), purpose="bootstrap", destination=str(next(_numbers)),
                     format="link", secret_digest=b"x", max_attempts=1, created_at=moment, expires_at=moment)  # fmt: skip

    async def rate_limits(self, moment):
        await insert(
            self.auth, "rate_limits", key=str(next(_numbers)).encode(), count=3, window_ends_at=moment
        )

    async def unknown_identifiers(self, moment):
        await insert(
            self.auth, "unknown_identifiers", subject=str(next(_numbers)).encode(), expires_at=moment
        )

    async def maintenance_runs(self, moment):
        await insert(self.auth, "maintenance_runs", id=self.id(moment), task="runs", holder="somebody",
                     started_at=moment, leased_until=moment, finished_at=moment, outcome="done")  # fmt: skip

    async def audit_events(self, moment):
        number = next(_numbers)
        await insert(self.auth, "audit_events", id=self.id(moment), seq=number, occurred_at=moment, action="a:b:c",
                     success=True)  # fmt: skip

    async def login_history(self, moment):
        await insert(self.auth, "login_history", id=self.id(moment), occurred_at=moment, success=True)

    async def delivered_messages(self, moment):
        await self._message(moment, delivered_at=moment)

    async def dead_messages(self, moment):
        await self._message(moment, failed_at=moment)

    async def _message(self, moment, **values):
        await insert(self.auth, "outbox", id=self.id(moment), topic="email", subject="approved", created_at=moment,
                     available_at=moment, attempts=1, **values)  # fmt: skip

    async def session(self, **moments):
        """Add a session, used now and living for long unless said otherwise; return its id."""
        session_id, now = self.id(), self.now
        values = {"authenticated_at": now, "created_at": now, "updated_at": now, "last_used_at": now,
                  "idle_expires_at": now + FAR, "expires_at": now + FAR}  # fmt: skip
        await insert(
            self.auth, "sessions", id=session_id, identity_id=await self.identity(), **values | moments
        )
        return session_id

    async def token(self, session_id, *, issued_at, consumed_at):
        await insert(self.auth, "refresh_tokens", id=self.id(issued_at), session_id=session_id, secret_digest=b"x",
                     issued_at=issued_at, expires_at=self.now + FAR, consumed_at=consumed_at)  # fmt: skip

    def id(self, moment=None):
        return new_id(moment or self.now, Entropy())
