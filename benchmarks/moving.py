"""Moving the people of another system here: how fast, in how much memory, and what an interruption costs.

Every one of them has a linked account with two tokens that are sealed on the way.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.harness import Comparison, Figure, Finding, Part, Scale, Tell, measure, spaced
from benchmarks.old_system import ACCESS_TOKEN, PROFILE, REFRESH_TOKEN, fill_postgresql, fill_sqlite, key_of
from benchmarks.servers import postgresql
from ostiary.app import Ostiary
from ostiary.features.legacy import Decisions, Pace, Plan, load_profile
from ostiary.features.legacy.rows.aggregates import Owners
from ostiary.features.legacy.running.capture import capturing_of
from ostiary.foundation.foreign import Source, source_at

if TYPE_CHECKING:
    from ostiary.features.legacy import Legacy

_MOVING = "moving people"
_IN_PLACE = f"{_MOVING}, in place (SQLite)"
_MEMORY = f"{_MOVING}, memory"
_RESUMING = f"{_MOVING}, twice after a kill"
_CAPTURED = f"{_MOVING}, an UPDATE over there that is noted"
_PEOPLE = 20_000
_MANY, _MOST = 100_000, 1_000_000
_BATCH = Pace().batch_size
# 5 000 a second.
_MOST_MICROSECONDS = 200
_MOST_MEGABYTES = 200
_UPDATES = 1000
# Those that a run writes for these people, in the order of their references.
_TABLES = ("identities", "users", "linked_accounts", "legacy_identities", "legacy_roots")
_EMPTY = "TRUNCATE ostiary.identities, ostiary.legacy_roots, ostiary.legacy_identities CASCADE"
_ANEW = f"{_EMPTY}; UPDATE ostiary.legacy_migrations SET state = 'expanded', checkpoint = '{{}}'"
# Counts what a transaction wrote that was never committed, too.
_WRITTEN = (
    "SELECT n_tup_ins FROM pg_stat_user_tables WHERE schemaname = 'ostiary' AND relname = 'legacy_roots'"
)
_OTHERS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def parts() -> list[Part]:
    """Say what can be measured here."""
    return [
        Part([f"{_MOVING} (PostgreSQL)", f"{_MOVING}, each (PostgreSQL)"], _moving),
        Part([_IN_PLACE], _in_place),
        Part([_MEMORY], _memory),
        Part([_RESUMING], _resuming),
        Part([_CAPTURED], _captured),
    ]


async def _moving(scale: Scale, tell: Tell) -> list[Finding]:
    people = scale.of(_PEOPLE)
    with _two_databases() as (there, here), tempfile.TemporaryDirectory() as folder:
        await fill_postgresql(there, people)
        async with _planned(there, here, Path(folder)) as (legacy, plan, source):
            connection = await asyncpg.connect(here)

            async def move(_: int) -> float:
                await connection.execute(_ANEW)
                return await _timed_run(legacy, plan, source)

            await move(people)
            written = {name: await connection.fetch(f"SELECT * FROM ostiary.{name}") for name in _TABLES}
            archives = [row["archive"] for row in written["legacy_roots"]]

            async def copy(_: int) -> float:
                await connection.execute(_EMPTY)
                began = time.perf_counter()
                for start in range(0, people, _BATCH):
                    _seal(archives[start : start + _BATCH])
                    async with connection.transaction():
                        for name, rows in written.items():
                            part = rows[start : start + _BATCH]
                            await connection.copy_records_to_table(name, schema_name="ostiary", records=part)
                return time.perf_counter() - began

            claim = "read, derived, sealed and written, against sealing alone and COPY of what it wrote"
            comparison = Comparison(f"{_MOVING} (PostgreSQL)", claim, people, move, copy)
            found = await measure(comparison, Scale(min(scale.rounds, 5), 1, scale.identities), tell)
            await connection.close()
    microseconds = statistics.median(found.subject_us)
    each = Figure(
        f"{_MOVING}, each (PostgreSQL)",
        f"{spaced(people)} people with two tokens each; two servers' worth of work and the client share two cores",
        microseconds,
        "µs",
        bar=_MOST_MICROSECONDS,
        details={"identities_per_second": round(1e6 / microseconds), "fastest_us": min(found.subject_us)},
    )
    return [found, each]


async def _in_place(scale: Scale, tell: Tell) -> list[Finding]:
    people, taken = scale.of(_PEOPLE), []
    for turn in range(min(scale.rounds, 3)):
        tell(_IN_PLACE, turn / 3)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "app.db"
            fill_sqlite(path, people)
            url = f"sqlite:///{path}"
            async with _planned(url, url, Path(folder)) as (legacy, plan, source):
                taken.append(await _timed_run(legacy, plan, source) / people * 1e6)
    microseconds = statistics.median(taken)
    claim = f"{spaced(people)} people with two tokens each, in one file"
    details = {"identities_per_second": round(1e6 / microseconds)}
    return [Figure(_IN_PLACE, claim, microseconds, "µs", details=details)]


async def _memory(scale: Scale, tell: Tell) -> list[Finding]:
    sizes = (scale.of(_MANY), _MOST) if scale.share == 1 else (scale.of(_MANY),)
    findings: list[Finding] = []
    for turn, people in enumerate(sizes):
        tell(_MEMORY, turn / len(sizes))
        with _two_databases() as (there, here), tempfile.TemporaryDirectory() as folder:
            await fill_postgresql(there, people)
            for what, name in (("plan", "planning"), ("run", "running")):
                began = time.perf_counter()
                with _apart(what, there, here, folder) as process:
                    said, _ = await asyncio.to_thread(process.communicate)
                seconds = time.perf_counter() - began
                findings.append(
                    Figure(
                        f"{_MEMORY}, {name} {spaced(people)}",
                        "of the whole process at its most",
                        json.loads(said.splitlines()[-1])["kilobytes"] / 1024,
                        "MB",
                        bar=_MOST_MEGABYTES,
                        details={"seconds": round(seconds, 1)},
                    )
                )
    return findings


async def _resuming(scale: Scale, tell: Tell) -> list[Finding]:
    people, again = scale.of(_PEOPLE, least=4000), []
    rounds = min(scale.rounds, 5)
    with _two_databases() as (there, here), tempfile.TemporaryDirectory() as folder:
        await fill_postgresql(there, people)
        async with _planned(there, here, Path(folder)):
            pass
        connection = await asyncpg.connect(here)
        for turn in range(rounds):
            tell(_RESUMING, turn / rounds)
            await connection.execute(_ANEW)
            await connection.execute("SELECT pg_stat_reset()")
            for work in (_kill_midway, subprocess.Popen.wait):
                with _apart("run", there, here, folder) as process:
                    await asyncio.to_thread(work, process)
            # A server's process reports what it wrote when its client is gone.
            for _ in range(200):
                if not await connection.fetchval(_OTHERS):
                    break
                await asyncio.sleep(0.05)
            again.append(await connection.fetchval(_WRITTEN) - people)
        await connection.close()
    claim = f"of {spaced(people)} people; {rounds} times killed on the way and run again, the worst"
    return [Figure(_RESUMING, claim, max(again), "people", bar=_BATCH, details={"each": again})]


def _kill_midway(process: subprocess.Popen[str]) -> None:
    """Kill it somewhere within the batch that follows its second."""
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
    time.sleep(0.15)
    process.kill()
    process.wait()


async def _captured(scale: Scale, tell: Tell) -> list[Finding]:
    with _two_databases() as (noted, plain):
        for url in (noted, plain):
            await fill_postgresql(url, _UPDATES)
        source = source_at(noted)
        await source.open()
        owners = Owners(load_profile(PROFILE), await source.tables(), key=bytes(32))
        await source.capture.install(capturing_of(owners))
        await source.close()
        connections = [await asyncpg.connect(url) for url in (noted, plain)]
        numbers = count()

        async def update(connection: asyncpg.Connection, operations: int) -> None:
            for _ in range(operations):
                number = next(numbers)
                await connection.execute(
                    'UPDATE "User" SET name = $1 WHERE id = $2', f"Person {number}", key_of(number % _UPDATES)
                )

        works = [partial(update, connection) for connection in connections]
        found = await measure(Comparison(_CAPTURED, "against one that is not", _UPDATES, *works), scale, tell)
        for connection in connections:
            await connection.close()
    return [found]


@contextmanager
def _two_databases() -> Iterator[tuple[str, str]]:
    with postgresql() as server:
        for name in ("there", "here"):
            server.psql(f"CREATE DATABASE {name};")
        yield server.get_uri(database="there"), server.get_uri(database="here")


@contextmanager
def _apart(what: str, there: str, here: str, folder: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.moving_apart", what, there, here, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


@asynccontextmanager
async def _planned(there: str, here: str, folder: Path) -> AsyncIterator[tuple[Legacy, Plan, Source]]:
    source = source_at(there)
    await source.open()
    async with Ostiary(run_worker=False, database_url=here, data=folder / "data") as auth:
        legacy, profile = auth.services.legacy, load_profile(PROFILE)
        plan = await legacy.plan(source, profile, Decisions(), folder / "plan", tell=lambda *_: None)
        yield legacy, plan, source
    await source.close()


async def _timed_run(legacy: Legacy, plan: Plan, source: Source) -> float:
    began = time.perf_counter()
    await legacy.run(plan, source, pace=Pace(), tell=lambda _: None, stop=asyncio.Event())
    return time.perf_counter() - began


def _seal(archives: Sequence[bytes]) -> None:
    """Seal as much as a run does: two tokens of each, and their rows."""
    cipher, place = AESGCM(bytes(32)), bytes(130)
    tokens = ACCESS_TOKEN.encode(), REFRESH_TOKEN.encode()
    for archive in archives:
        for plain in (*tokens, archive):
            cipher.encrypt(os.urandom(12), plain, place)
