"""Signing in beside the password hash alone, and where the time beyond the hash goes."""

from __future__ import annotations

import asyncio
import cProfile
import itertools
import json
import os
import pstats
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import argon2

from benchmarks.harness import Comparison, Figure, Finding, Part, Scale, Tell, in_flight, measure
from benchmarks.servers import postgresql, processor_seconds
from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.registration import NewAccount
from ostiary.foundation.secret import Secret
from ostiary.testing import AuthForTests, auth_for_tests

PASSWORD = "a phrase that only benchmarks know"
BEYOND_THE_HASH = "sign-in: processor time beyond the hash (PostgreSQL)"
_NAME = "sign-in ({})"
_PEOPLE = 32
_OPERATIONS = 96
_LEAST = 32
# Part of the path, and what happens there; the first that fits counts. What is compiled counts where it is called.
_AREAS = (
    ("/ostiary/entrypoints/", "the door: routing, reading the body, the address limit, the answer"),
    ("/ostiary/foundation/storage/", "storage: the pool, transactions, reading rows"),
    ("/asyncpg/", "the driver"),
    ("/ostiary/foundation/jose/", "signing the access token"),
    ("/ostiary/", "the journey: decisions, ids, audit events"),
    ("/email_validator/", "checking the form of the address"),
    ("/benchmarks/", "the benchmark's own client"),
    ("/asyncio/", "the event loop, and the compiled part of the driver it calls"),
    ("/selectors.py", "the event loop, and the compiled part of the driver it calls"),
    ("/concurrent/", "handing work to the hashing threads"),
    ("/threading.py", "handing work to the hashing threads"),
)
_ELSEWHERE = "the standard library: ids, addresses, context managers, JSON"


def parts() -> list[Part]:
    """Say what can be measured here."""
    return [
        Part([_NAME.format("SQLite")], partial(_on, None)),
        Part([_NAME.format("PostgreSQL"), BEYOND_THE_HASH], partial(_on, postgresql)),
    ]


async def _on(server: Callable | None, scale: Scale, tell: Tell) -> list[Finding]:
    with server() if server else nullcontext() as running_server:
        # Honest hashes and a durable disk: what is compared is what production does.
        settings = {"passwords": {}} | ({"database_url": running_server.get_uri()} if server else {})
        async with auth_for_tests(**settings) as running:
            people = People(running)
            await people.make()
            where = "PostgreSQL" if server else "SQLite"
            result = await measure(_comparison(people, where), scale, tell)
            if server is None:
                return [result]
            operations = scale.of(_OPERATIONS * 4, least=_LEAST * 4)
            return [result, await _beyond_the_hash(people, operations, Path(running_server.pgdata), tell)]


class People:
    """Some people, who sign in eight for each hashing thread at a time, so that none has to wait for work."""

    def __init__(self, running: AuthForTests) -> None:
        self._auth = running.auth
        self._now = running.clock.now()
        self._turns = itertools.count()
        passwords = running.auth.settings.passwords
        self._threads = passwords.threads
        self._hasher = argon2.PasswordHasher(passwords.time_cost, passwords.memory_kib, 1)
        self._stored = self._hasher.hash(PASSWORD)
        self._pool = ThreadPoolExecutor(passwords.threads)

    async def make(self) -> None:
        for number in range(_PEOPLE):
            account = NewAccount("user", _email(number), None, Secret(PASSWORD), {"display_name": "Ada"})
            registration = self._auth.services.registration
            await registration.create(account, by=SYSTEM, origin=Origin(), now=self._now)

    async def sign_in(self, operations: int) -> None:
        await in_flight(self._threads * 8, [self._once] * operations)

    async def hash(self, operations: int) -> None:
        loop = asyncio.get_running_loop()
        verify = partial(self._hasher.verify, self._stored, PASSWORD)
        await asyncio.gather(*(loop.run_in_executor(self._pool, verify) for _ in range(operations)))

    async def _once(self) -> None:
        # People come from everywhere; from one address the limit would stop them.
        turn = next(self._turns)
        address = str(IPv4Address(int(IPv4Address("10.0.0.1")) + turn))
        body = json.dumps({"identifier": _email(turn % _PEOPLE), "password": PASSWORD}).encode()
        assert await _posted(self._auth, "/v1/login", body, address) == 200


def _email(number: int) -> str:
    return f"person{number}@example.org"


async def _posted(application, path: str, body: bytes, address: str) -> int:
    """Ask an ASGI application without a socket between, and return the status of its answer."""
    statuses = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": (address, 50000),
        "server": ("127.0.0.1", 8000),
    }
    await application(scope, receive, send)
    return statuses[0]


def _comparison(people: People, where: str) -> Comparison:
    return Comparison(
        _NAME.format(where),
        "against the password hash alone, on as many threads",
        _OPERATIONS,
        people.sign_in,
        people.hash,
        bar=1 / 0.95,
        least=_LEAST,
    )


async def _beyond_the_hash(people: People, operations: int, server: Path, tell: Tell) -> Figure:
    """Account for the time of all cores during sign-ins and during as many hashes alone."""
    tell(BEYOND_THE_HASH, 0.9)
    signing_in = await _accounted(people.sign_in, operations, server)
    hashing = await _accounted(people.hash, operations, server)
    # By the processor time of this thread, so that waiting costs nothing.
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    await people.sign_in(operations)
    profile.disable()
    shares = _by_area(pstats.Stats(profile))
    beyond = signing_in["loop"] + signing_in["postgresql"] + signing_in["hashing"] - hashing["hashing"]
    details = {
        "cores": os.cpu_count(),
        "sign_in_us": {name: round(spent, 1) for name, spent in signing_in.items()},
        "hash_us": {name: round(spent, 1) for name, spent in hashing.items()},
        "loop_by_area_us": {area: round(share * signing_in["loop"], 1) for area, share in shares.items()},
    }
    claim = "of one sign-in: event loop, database, and what its hash costs more than one beside nothing else"
    return Figure(BEYOND_THE_HASH, claim, beyond, "µs", details=details)


async def _accounted(
    work: Callable[[int], Awaitable[None]], operations: int, server: Path
) -> dict[str, float]:
    """Return the microseconds of processor time one operation takes, by who spends them, and what is left."""

    def clocks() -> tuple[float, ...]:
        return time.perf_counter(), time.thread_time(), time.process_time(), processor_seconds(server)

    before = clocks()
    await work(operations)
    elapsed, loop, process, database = (
        (end - begin) / operations * 1e6 for begin, end in zip(before, clocks(), strict=True)
    )
    return {
        "elapsed": elapsed,
        "hashing": process - loop,
        "loop": loop,
        "postgresql": database,
        "left": elapsed * (os.cpu_count() or 1) - process - database,
    }


def _by_area(stats: pstats.Stats) -> dict[str, float]:
    """Return the share of each area in what the profiled thread did, the largest first."""
    spent: Counter[str] = Counter()
    for (path, _, _), (_, _, own, _, callers) in stats.stats.items():  # type: ignore[attr-defined]
        if path != "~":
            spent[_area(path)] += own
        else:
            for (caller, _, _), (_, _, share, _) in callers.items():
                spent[_area(caller)] += share
    whole = sum(spent.values())
    return {area: seconds / whole for area, seconds in spent.most_common()}


def _area(path: str) -> str:
    return next((area for part, area in _AREAS if part in path), _ELSEWHERE)
