"""Reading a live token that needs no refresh, beside selecting and opening it: what the record of the reading costs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from functools import partial

from benchmarks.harness import Comparison, Finding, Part, Scale, Tell, in_flight, measure
from benchmarks.servers import postgresql
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.live_tokens import Reader
from ostiary.features.registration import NewAccount
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.foundation.secret import Secret
from ostiary.testing import AuthForTests, auth_for_tests

_NAME = "live token ({})"
_CLAIM = "read, used and recorded, against selected and opened"
_PEOPLE = 64
_IN_FLIGHT = 32
_READER = Reader(SYSTEM, "to measure it")
_HERE = "https://provider.example"
PROVIDER = {
    "kind": "oauth2",
    "client_id": "ostiary",
    "authorization_endpoint": f"{_HERE}/authorize",
    "token_endpoint": f"{_HERE}/token",
    "userinfo_endpoint": f"{_HERE}/userinfo",
}


def parts() -> list[Part]:
    """Say what can be measured here."""
    return [
        Part([_NAME.format("SQLite")], partial(_on, None)),
        Part([_NAME.format("PostgreSQL")], partial(_on, postgresql)),
    ]


async def _on(server: Callable | None, scale: Scale, tell: Tell) -> list[Finding]:
    with server() if server else nullcontext() as running_server:
        own = {"database_url": running_server.get_uri()} if server else {}
        async with auth_for_tests(providers={"acme": PROVIDER}, **own) as running:
            accounts = Accounts(running)
            await accounts.make()
            name = _NAME.format("PostgreSQL" if server else "SQLite")
            comparison = Comparison(name, _CLAIM, 640, accounts.read, accounts.open, least=_PEOPLE)
            return [await measure(comparison, scale, tell)]


class Accounts:
    """The accounts of some people at a provider, read by many callers at once."""

    def __init__(self, running: AuthForTests) -> None:
        self._services = running.auth.services
        self._now = running.clock.now()
        self._ids = []
        self._turns = itertools.count()

    async def make(self) -> None:
        for number in range(_PEOPLE):
            account = NewAccount("user", f"person{number}@example.org", None, None, {"display_name": "Ada"})
            made = await self._services.registration.create(
                account, by=SYSTEM, origin=Origin(), now=self._now
            )
            tokens = UpstreamTokens(
                Secret("a" * 1000),
                Secret("r" * 200),
                access_token_expires_at=self._now + timedelta(days=1),
                scope="calendar",
            )
            async with self._services.database.transaction() as tx:
                account_id = self._services.vault.link(
                    tx,
                    identity_id=made.id,
                    entity_type="user",
                    provider="acme",
                    provider_account_id=str(number),
                    profile={},
                    linked_by=LinkedBy.INTENT,
                    tokens=tokens,
                    now=self._now,
                )
            self._ids.append(account_id)

    async def read(self, operations: int) -> None:
        await in_flight(_IN_FLIGHT, [self._read_one] * operations)

    async def open(self, operations: int) -> None:
        await in_flight(_IN_FLIGHT, [self._open_one] * operations)

    async def _read_one(self) -> None:
        await self._services.live_tokens.access_token(self._next(), reader=_READER, now=self._now)

    async def _open_one(self) -> None:
        assert await self._services.vault.tokens(self._services.database, self._next()) is not None

    def _next(self):
        return self._ids[next(self._turns) % _PEOPLE]
