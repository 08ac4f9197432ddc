"""What servers in processes of their own do: answer while people sign in, and hold memory."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

from benchmarks.harness import (
    Comparison,
    Figure,
    Finding,
    Part,
    Reads,
    Result,
    Scale,
    Tell,
    in_flight,
    measure,
    timed,
)
from benchmarks.servers import Client, free_port, postgresql, resident, serving
from ostiary import Ostiary
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.flows import SignedIn
from ostiary.features.registration import NewAccount
from ostiary.features.sign_in import PasswordSignIn
from ostiary.foundation.secret import Secret

PASSWORD = "a phrase that only benchmarks know"
_BESIDE = "GET /v1/me beside two people signing in"
_MEMORY = "memory of a worker"
_READERS = 8
_SIGNERS = 2
_WORKERS = 2
_WARM_UP = 1000
# People sign in from everywhere; from one address the limit would stop them.
_ADDRESSES = itertools.count(int(IPv4Address("10.0.0.1")))


def parts() -> list[Part]:
    """Say what can be measured here."""
    return [Part([_BESIDE], _beside), Part([_MEMORY], _memory)]


class Crowd:
    """Connections to one server: some that read, and some that sign in."""

    def __init__(self, token: str, readers: list[Client], signers: list[Client]) -> None:
        self._token = token
        self._readers = readers
        self._signers = signers
        self.signed_in = 0

    async def read(self, operations: int) -> None:
        free = list(self._readers)

        async def once() -> None:
            client = free.pop()
            assert await client.ask("GET", "/v1/me", self._token) == 200
            free.append(client)

        await in_flight(len(self._readers), [once] * operations)

    async def sign_in(self, number: int, times: int | None = None) -> None:
        for _ in itertools.repeat(None) if times is None else range(times):
            address, email = str(IPv4Address(next(_ADDRESSES))), _email(number)
            status = await self._signers[number].ask(
                "POST", "/v1/login", address=address, identifier=email, password=PASSWORD
            )
            assert status == 200
            self.signed_in += 1

    async def read_beside_sign_ins(self, operations: int) -> float:
        people = [asyncio.create_task(self.sign_in(number)) for number in range(len(self._signers))]
        # Both are at their first hash before anybody counts.
        await asyncio.sleep(0.05)
        try:
            return await timed(self.read(operations))
        finally:
            # Each ends with the answer under way: nothing is left in its connection.
            for person in people:
                person.cancel()
            await asyncio.gather(*people, return_exceptions=True)
            await self._reconnect()

    async def _reconnect(self) -> None:
        for client in self._signers:
            client.close()
            await client.open()


@asynccontextmanager
async def _crowd(workers: int) -> AsyncIterator[tuple[Crowd, int]]:
    """Serve on PostgreSQL, and connect to it; also says in which process it is served."""
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ostiary-bench-")))
        database = stack.enter_context(postgresql()).get_uri()
        port = free_port()
        issuer = f"http://127.0.0.1:{port}"
        variables = {
            "OSTIARY_DATABASE_URL": database,
            "OSTIARY_PUBLIC_URL": issuer,
            "OSTIARY_TRUSTED_PROXIES": "127.0.0.1/32",
        }
        process = stack.enter_context(serving(port, data, workers=workers, **variables))
        token = await _prepared(data, issuer, database)
        clients = [Client(port) for _ in range(_READERS + _SIGNERS)]
        for client in clients:
            await client.open()
            stack.callback(client.close)
        yield Crowd(token, clients[:_READERS], clients[_READERS:]), process


async def _prepared(data: Path, issuer: str, database_url: str) -> str:
    """Make the people who sign in, and return an access token of one of them."""
    async with Ostiary(public_url=issuer, data=data, database_url=database_url) as auth:
        services, now = auth.services, auth.clock.now()
        for number in range(_SIGNERS):
            account = NewAccount("user", _email(number), None, Secret(PASSWORD), {"display_name": "Ada"})
            await services.registration.create(account, by=SYSTEM, origin=Origin(), now=now)
        attempt = PasswordSignIn("user", _email(0), Secret(PASSWORD))
        outcome = await services.sign_in.with_password(attempt, origin=Origin(), now=now)
        assert isinstance(outcome, SignedIn)
        return outcome.tokens.access_token.reveal()


def _email(number: int) -> str:
    return f"person{number}@example.org"


async def _beside(scale: Scale, tell: Tell) -> list[Finding]:
    async with _crowd(workers=1) as (crowd, _):
        comparison = Comparison(
            _BESIDE,
            "against the same requests alone, over HTTP at `ostiary serve` on PostgreSQL",
            4000,
            crowd.read_beside_sign_ins,
            crowd.read,
            reads=Reads.RATE,
            bar=0.5,
            least=1200,
        )
        result: Result = await measure(comparison, scale, tell)
        return [result]


async def _memory(scale: Scale, tell: Tell) -> list[Finding]:
    async with _crowd(_WORKERS) as (crowd, process):
        tell(_MEMORY, 0.5)
        await crowd.read(scale.of(_WARM_UP))
        await asyncio.gather(*(crowd.sign_in(number, times=5) for number in range(_SIGNERS)))
        await crowd.read(scale.of(_WARM_UP))
        held = [resident(worker) / 1e6 for worker in _workers_of(process)]
    assert len(held) == _WORKERS
    claim = f"resident, each of {_WORKERS} workers on PostgreSQL after reads and sign-ins"
    return [Figure(_MEMORY, claim, statistics.mean(held), "MB", details={"workers": _WORKERS})]


def _workers_of(process: int) -> list[int]:
    """Return the processes that a server with several workers started for them. Linux only."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
