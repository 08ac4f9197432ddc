"""Coming back from a provider: what Ostiary itself does once it knows who it is, beside starting a session alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from functools import partial

from benchmarks.harness import Comparison, Finding, Part, Scale, Tell, in_flight, measure
from benchmarks.servers import postgresql
from benchmarks.vault_reading import PROVIDER
from ostiary.features.audit import Origin
from ostiary.features.federation import Visit
from ostiary.features.flows import Proof, SignedIn
from ostiary.features.upstream import Arrived, UpstreamIdentity
from ostiary.features.vault import UpstreamTokens
from ostiary.foundation.secret import Secret
from ostiary.testing import AuthForTests, auth_for_tests

_NAME = "sign-in from a provider ({})"
_CLAIM = "found, let in and its tokens sealed, against starting a session for whoever was read"
_PEOPLE = 64
_IN_FLIGHT = 16


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
            arrivals = Arrivals(running)
            await arrivals.make()
            name = _NAME.format("PostgreSQL" if server else "SQLite")
            comparison = Comparison(name, _CLAIM, 320, arrivals.arrive, arrivals.start, least=_PEOPLE)
            return [await measure(comparison, scale, tell)]


class Arrivals:
    """People who come back from a provider, several at once."""

    def __init__(self, running: AuthForTests) -> None:
        self._services = running.auth.services
        self._now = running.clock.now()
        self._identities = []
        self._turns = itertools.count()

    async def make(self) -> None:
        for number in range(_PEOPLE):
            outcome = await self._arrive(number)
            self._identities.append(outcome.identity_id)

    async def arrive(self, operations: int) -> None:
        await in_flight(_IN_FLIGHT, [self._arrive_one] * operations)

    async def start(self, operations: int) -> None:
        await in_flight(_IN_FLIGHT, [self._start_one] * operations)

    async def _arrive_one(self) -> None:
        await self._arrive(next(self._turns) % _PEOPLE)

    async def _arrive(self, number: int) -> SignedIn:
        tokens = UpstreamTokens(
            Secret("a" * 1000),
            Secret("r" * 200),
            Secret("i" * 1000),
            access_token_expires_at=self._now + timedelta(hours=1),
        )
        arrived = Arrived(UpstreamIdentity("acme", str(number), profile={"name": "Ada"}), tokens)
        outcome = await self._services.federation.arrive(arrived, Visit("user", Origin()), now=self._now)
        assert isinstance(outcome, SignedIn)
        return outcome

    async def _start_one(self) -> None:
        services, identity_id = self._services, self._identities[next(self._turns) % _PEOPLE]
        facts = await services.flows.facts(services.database, identity_id, now=self._now)
        async with services.database.transaction() as tx:
            owner = await services.identities.lock_for_change(tx, identity_id)
            proof = Proof("provider", ("fed",), "acme")
            await services.flows.enter(tx, owner, proof, origin=Origin(), facts=facts, now=self._now)
