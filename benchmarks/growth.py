"""Whether the hot operations notice how many people there are: ten thousand beside millions, on one server.

The people who are visited are spread over the whole population. Each is visited once before anything is compared,
because whoever is active is not new; what that first visit costs is reported beside it.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import gettempdir
from types import MappingProxyType
from uuid import UUID

import asyncpg

from benchmarks.harness import Figure, Finding, Part, Reads, Result, Scale, Tell, percentile, spaced
from benchmarks.population import SECRET, SMALL, Population, populate
from benchmarks.servers import postgresql
from ostiary import schema
from ostiary.features.audit import Origin
from ostiary.features.identities import parse_email
from ostiary.features.sessions import Cursor, Rotated
from ostiary.foundation.bearer import BearerSecret
from ostiary.testing import AuthForTests, auth_for_tests

_VISITED = 1000
_EXPLAINED = 30
_A_ROUND = 50
_BYTES_EACH = 1400
_NEWS = 10
# Enough that upper levels of the indexes stay in memory, far too little for the tables. Only the load may go without
# a log, so the log is as small as there is one; what is acknowledged is on the disk all the same.
_SERVER = MappingProxyType(
    {"shared_buffers": "512MB", "max_wal_size": "1GB", "wal_level": "minimal", "max_wal_senders": "0"}
)


class Person:
    """Somebody in one of the two databases, and what they hold."""

    def __init__(self, population: Population, number: int) -> None:
        self.identity_id = UUID(population.identity_id(number))
        self.session_id = UUID(population.session_id(number))
        self.email = parse_email(population.email(number))
        self.refresh_token = BearerSecret("refresh", UUID(population.token_id(number)), SECRET).text


class Side:
    """One of the two databases, with an auth that runs on it."""

    def __init__(
        self, running: AuthForTests, people: Sequence[Person], connection: asyncpg.Connection, newest: int
    ) -> None:
        self.services = running.auth.services
        self.people = people
        self._now = running.clock.now()
        self._connection = connection
        self._cursor = Cursor(newest - _NEWS, newest - _NEWS)

    async def read(self, person: Person) -> None:
        """Read what `GET /v1/me` shows once the token is verified."""
        await self.services.identities.get(person.identity_id)
        assert await self.services.profiles.find("user", person.identity_id)
        assert await self.services.sessions.find(person.identity_id, person.session_id, now=self._now)

    async def refresh(self, person: Person) -> None:
        outcome = await self.services.sessions.rotate(person.refresh_token, origin=Origin(), now=self._now)
        assert isinstance(outcome, Rotated)
        person.refresh_token = outcome.tokens.refresh_token

    async def look_up(self, person: Person) -> None:
        attempt = await self.services.identities.reserve_attempt("user", person.email, now=self._now)
        assert attempt.granted
        assert attempt.credentials is not None

    async def list_sessions(self, person: Person) -> None:
        assert len(await self.services.sessions.list(person.identity_id, now=self._now)) == 1

    async def read_news(self, _person: Person) -> None:
        page = await self.services.sessions.revocations.page(self._cursor, limit=100, now=self._now)
        assert len(page.entries) == _NEWS

    async def explained(self, operation: Operation, person: Person) -> Explained:
        """Do an operation and return what its statements touched."""
        database, plans = self.services.database, []

        async def explain(connection, verb, text, parameters=(), **options):
            plans.append(await self._plan(text, parameters))
            return await type(database).ask(database, connection, verb, text, parameters, **options)

        database.ask = explain
        try:
            await operation(self, person)
        finally:
            del database.ask
        return Explained(plans)

    async def _plan(self, text: str, parameters: Sequence) -> dict:
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            plan = await self._connection.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", *parameters
            )
        finally:
            await transaction.rollback()
        # The plan alone: what planning reads of the catalogue is read once for each connection.
        return json.loads(plan)[0]["Plan"]


class Explained:
    """What an operation touched: its statements, all pages, and those of one look-up in each index, the row included."""

    def __init__(self, plans: Sequence[dict]) -> None:
        self.trips = len(plans)
        self.pages = sum(map(_buffers, plans))
        self.look_ups: dict[str, float] = defaultdict(float)
        for node in (node for plan in plans for node in _nodes(plan)):
            if "Index Name" in node and node["Actual Loops"]:
                pages = (_buffers(node) - sum(map(_buffers, node.get("Plans", ())))) / node["Actual Loops"]
                self.look_ups[node["Index Name"]] = max(self.look_ups[node["Index Name"]], pages)


def _buffers(node: dict) -> int:
    return node["Shared Hit Blocks"] + node["Shared Read Blocks"]


def _nodes(node: dict) -> Iterator[dict]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


Operation = Callable[[Side, Person], Awaitable[None]]
_OPERATIONS: dict[str, Operation] = {
    "authenticated read": Side.read,
    "refresh": Side.refresh,
    "sign-in look-up": Side.look_up,
    "list of sessions": Side.list_sessions,
    "page of revocations": Side.read_news,
}


def parts() -> list[Part]:
    """Say what can be measured here."""
    names = [
        name for operation in _OPERATIONS for name in (f"growth: {operation}", f"growth: {operation}, pages")
    ]
    return [Part([*names, "growth: round trips"], _growth)]


async def _growth(scale: Scale, tell: Tell) -> list[Finding]:
    _require_space(scale.identities)
    async with AsyncExitStack() as stack:
        server = stack.enter_context(postgresql(**_SERVER))
        small, large = [
            await stack.enter_async_context(_side(*await _made(server, name, count, tell)))
            for name, count in (("small", SMALL), ("large", scale.identities))
        ]
        explained = {
            name: [await _explained(operation, side, position) for side in (small, large)]
            for position, (name, operation) in enumerate(_OPERATIONS.items())
        }
        first, later = await _visits(small, large, scale.of(_VISITED, least=2 * _A_ROUND), tell)
    findings: list[Finding] = []
    for name in _OPERATIONS:
        findings.append(_compared(name, first[name], later[name], scale.identities))
        findings.append(_pages(name, *explained[name], scale.identities))
    trips = sum(large["trips"] - small["trips"] for small, large in explained.values())
    claim = f"more of them at {spaced(scale.identities)} than at {spaced(SMALL)} identities, all operations"
    findings.append(Figure("growth: round trips", claim, trips, "more", bar=0))
    return findings


def _require_space(identities: int) -> None:
    needed, free = identities * _BYTES_EACH, shutil.disk_usage(gettempdir()).free
    if needed > free:
        raise SystemExit(
            f"{spaced(identities)} identities take about {needed / 1e9:.0f} GB of {Path(gettempdir())}, where only "
            f"{free / 1e9:.0f} GB are free: choose fewer with --identities, or another TMPDIR."
        )


async def _made(server, name: str, count: int, tell: Tell) -> tuple[str, Population]:
    """Make a database of so many people, and return its address and who they are."""
    connection = await asyncpg.connect(server.get_uri())
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = server.get_uri(database=name)
    await schema.deploy(url)
    what = f"growth: making {spaced(count)} identities"
    population = Population(count, time.time_ns() // 1_000_000)
    await populate(url, population, lambda share: tell(what, share * 0.7))
    return url, population


@asynccontextmanager
async def _side(url: str, population: Population):
    # The same ones in every run; only every second person holds a session.
    chosen = random.Random(1).sample(range(0, population.people, 2), _VISITED + _EXPLAINED * len(_OPERATIONS))
    people = [Person(population, number) for number in chosen]
    connection = await asyncpg.connect(url)
    try:
        newest = await connection.fetchval("SELECT max(seq) FROM ostiary.revocations")
        async with auth_for_tests(database_url=url) as running:
            # What it does by itself every second would come between.
            await running.auth.services.follower.stop()
            yield Side(running, people, connection, newest)
    finally:
        await connection.close()


Times = dict[str, tuple[list[float], list[float]]]


async def _visits(small: Side, large: Side, visited: int, tell: Tell) -> tuple[Times, Times]:
    """Visit everybody three times, in both databases in turn; return the times of the first visit, and the others'."""
    first: Times = {name: ([], []) for name in _OPERATIONS}
    later: Times = {name: ([], []) for name in _OPERATIONS}
    for visit in range(3):
        for number in range(visited):
            tell("growth: visiting people", 0.7 + 0.25 * (visit + number / visited) / 3)
            for name, operation in _OPERATIONS.items():
                into = (later if visit else first)[name]
                order = ((0, small), (1, large)) if number % 2 else ((1, large), (0, small))
                for place, side in order:
                    began = time.perf_counter()
                    await operation(side, side.people[number])
                    into[place].append((time.perf_counter() - began) * 1e6)
    return first, later


def _compared(
    name: str, first: tuple[list[float], list[float]], later: tuple[list[float], list[float]], identities: int
) -> Result:
    claim = f"{spaced(identities)} identities against {spaced(SMALL)}"
    result = Result(f"growth: {name}", claim, 1.3, Reads.COST)
    small, large = later
    for start in range(0, len(small), _A_ROUND):
        result.subject_us.append(statistics.median(large[start : start + _A_ROUND]))
        result.floor_us.append(statistics.median(small[start : start + _A_ROUND]))
    result.details["identities"] = identities
    for size, times, at_first in (("small", small, first[0]), ("large", large, first[1])):
        result.details[f"{size}_p50_us"] = round(statistics.median(times), 1)
        result.details[f"{size}_p99_us"] = round(percentile(times, 0.99), 1)
        result.details[f"{size}_first_visit_us"] = round(statistics.median(at_first), 1)
    return result


async def _explained(operation: Operation, side: Side, position: int) -> dict:
    """Return the medians of what an operation touches, for people whom nobody visited before."""
    people = side.people[_VISITED + position * _EXPLAINED :][:_EXPLAINED]
    found = [await side.explained(operation, person) for person in people]
    return {
        "trips": statistics.median(each.trips for each in found),
        "pages": statistics.median(each.pages for each in found),
        "look_ups": {
            index: statistics.median(each.look_ups[index] for each in found)
            for index in sorted({index for each in found for index in each.look_ups})
        },
    }


def _pages(name: str, small: dict, large: dict, identities: int) -> Figure:
    """Say how many more pages the look-up touches that touches most more of them."""
    claim = f"more of them in one look-up, its row included, at {spaced(identities)} than at {spaced(SMALL)} identities"
    more = {index: pages - small["look_ups"].get(index, 0) for index, pages in large["look_ups"].items()}
    details = {
        "round_trips": large["trips"],
        "small_pages": small["pages"],
        "large_pages": large["pages"],
        "small_look_ups": small["look_ups"],
        "large_look_ups": large["look_ups"],
    }
    return Figure(
        f"growth: {name}, pages", claim, max(more.values(), default=0), "pages", bar=2, details=details
    )
