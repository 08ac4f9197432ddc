"""Whether the hot operations notice how many people there are: ten thousand beside millions, on one server.

The people who are visited are spread over the whole population. Each is visited once before anything is compared,
because whoever is active is not new; what that first visit costs is reported beside it.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import gettempdir
from types import MappingProxyType

import asyncpg

from benchmarks.harness import Figure, Finding, Part, Reads, Result, Scale, Tell, percentile
from benchmarks.population import SECRET, populate
from benchmarks.servers import postgresql
from ostiary import schema
from ostiary.features.audit import Origin
from ostiary.features.identities import parse_email
from ostiary.features.sessions import Rotated
from ostiary.foundation.bearer import BearerSecret
from ostiary.testing import AuthForTests, auth_for_tests

SMALL = 10_000
_VISITED = 1000
_EXPLAINED = 30
_A_ROUND = 50
_BYTES_EACH = 2500
# Enough that upper levels of the indexes stay in memory, far too little for the tables.
_SERVER = MappingProxyType({"shared_buffers": "512MB", "max_wal_size": "4GB"})


class Person:
    """Somebody in one of the two databases, and what they hold."""

    def __init__(self, row: asyncpg.Record) -> None:
        self.identity_id = row["identity_id"]
        self.email = parse_email(row["email"])
        self.refresh_token = BearerSecret("refresh", row["token_id"], SECRET).text


class Side:
    """One of the two databases, with an auth that runs on it."""

    def __init__(
        self, running: AuthForTests, people: Sequence[Person], connection: asyncpg.Connection
    ) -> None:
        self.services = running.auth.services
        self.people = people
        self._now = running.clock.now()
        self._connection = connection

    async def look_up(self, person: Person) -> None:
        attempt = await self.services.identities.reserve_attempt("user", person.email, now=self._now)
        assert attempt.granted
        assert attempt.credentials is not None

    async def refresh(self, person: Person) -> None:
        outcome = await self.services.sessions.rotate(person.refresh_token, origin=Origin(), now=self._now)
        assert isinstance(outcome, Rotated)
        person.refresh_token = outcome.tokens.refresh_token

    async def list_sessions(self, person: Person) -> None:
        assert len(await self.services.sessions.list(person.identity_id, now=self._now)) == 1

    async def roles(self, person: Person) -> None:
        await self.services.roles.granted(self.services.database, person.identity_id, now=self._now)

    async def catch_up(self, _person: Person) -> None:
        await self.services.sessions.revocations.catch_up(now=self._now)

    async def pages_and_trips(self, operation: Operation, person: Person) -> tuple[int, int]:
        """Do an operation and return how many pages its statements touch, and how many there are."""
        database, pages = self.services.database, []

        async def explained(connection, verb, text, parameters=(), **options):
            pages.append(await self._pages(text, parameters))
            return await type(database).ask(database, connection, verb, text, parameters, **options)

        database.ask = explained
        try:
            await operation(self, person)
        finally:
            del database.ask
        return sum(pages), len(pages)

    async def _pages(self, text: str, parameters: Sequence) -> int:
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            plan = await self._connection.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", *parameters
            )
        finally:
            await transaction.rollback()
        # The plan alone: what planning reads of the catalogue is read once for each connection.
        root = json.loads(plan)[0]["Plan"]
        return root["Shared Hit Blocks"] + root["Shared Read Blocks"]


Operation = Callable[[Side, Person], Awaitable[None]]
_OPERATIONS: dict[str, Operation] = {
    "look-up by e-mail": Side.look_up,
    "refresh": Side.refresh,
    "list of sessions": Side.list_sessions,
    "roles": Side.roles,
    "catch-up of revocations": Side.catch_up,
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
        sides = []
        for name, count in (("small", SMALL), ("large", scale.identities)):
            url = await _made(server, name, count, tell)
            sides.append(await stack.enter_async_context(_side(url, count)))
        small, large = sides
        first, later = await _visits(small, large, scale.of(_VISITED, least=_A_ROUND), tell)
        findings: list[Finding] = []
        trips = 0
        for name, operation in _OPERATIONS.items():
            tell(f"growth: {name}, pages", 0.95)
            times = _compared(name, first[name], later[name], scale.identities)
            pages, more_trips = await _pages(name, operation, small, large, scale.identities)
            findings += [times, pages]
            trips += more_trips
        claim = f"more of them at {_spaced(scale.identities)} than at {_spaced(SMALL)}, all operations"
        findings.append(Figure("growth: round trips", claim, trips, "more", bar=0))
    return findings


def _require_space(identities: int) -> None:
    needed, free = identities * _BYTES_EACH, shutil.disk_usage(gettempdir()).free
    if needed > free:
        raise SystemExit(
            f"{_spaced(identities)} identities take about {needed / 1e9:.0f} GB of {Path(gettempdir())}, where only "
            f"{free / 1e9:.0f} GB are free: choose fewer with --identities, or another TMPDIR."
        )


async def _made(server, name: str, count: int, tell: Tell) -> str:
    """Make a database of so many people, and return its address."""
    connection = await asyncpg.connect(server.get_uri())
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = server.get_uri(database=name)
    await schema.deploy(url)
    what = f"growth: making {_spaced(count)} identities"
    await populate(url, count, now=datetime.now(UTC), tell=lambda share: tell(what, share * 0.7))
    return url


@asynccontextmanager
async def _side(url: str, count: int):
    numbers = sorted(Random(1).sample(range(count), min(count, _VISITED + _EXPLAINED)))
    connection = await asyncpg.connect(url)
    try:
        # By their places in the index, since nothing else says who is how far along.
        rows = await connection.fetch(
            """
            WITH numbered AS MATERIALIZED (
                SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM ostiary.identities
            )
            SELECT person.id AS identity_id, person.email, token.id AS token_id
              FROM numbered JOIN ostiary.identities AS person USING (id)
              JOIN ostiary.sessions AS session ON session.identity_id = person.id
              JOIN ostiary.refresh_tokens AS token ON token.session_id = session.id
             WHERE n = ANY($1::bigint[])
            """,
            numbers,
        )
        people = [Person(row) for row in rows]
        Random(2).shuffle(people)
        async with auth_for_tests(database_url=url) as running:
            # What it does by itself every second would come between.
            await running.auth.services.follower.stop()
            yield Side(running, people, connection)
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
    claim = f"{_spaced(identities)} identities against {_spaced(SMALL)}"
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


async def _pages(
    name: str, operation: Operation, small: Side, large: Side, identities: int
) -> tuple[Figure, int]:
    """Return how many more pages the operation touches in the large database, and how many more round trips it makes."""
    found = []
    for side in (small, large):
        counted = [await side.pages_and_trips(operation, person) for person in side.people[-_EXPLAINED:]]
        found.append([statistics.median(each) for each in zip(*counted, strict=True)])
    (small_pages, small_trips), (large_pages, large_trips) = found
    claim = f"more of them at {_spaced(identities)} than at {_spaced(SMALL)}"
    details = {"small_pages": small_pages, "large_pages": large_pages, "round_trips": large_trips}
    figure = Figure(
        f"growth: {name}, pages", claim, large_pages - small_pages, "pages", bar=2, details=details
    )
    return figure, int(large_trips - small_trips)


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")
