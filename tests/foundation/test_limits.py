"""Rate limits: counted atomically, the same in SQL and in memory."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ostiary.foundation.limits import MemoryLimits, Rate, SqlLimits
from ostiary.foundation.storage import database_at

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RATE = Rate(3, timedelta(minutes=1))


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def counted_in(request):
    """Where the counters live: None for memory, else the URL of a database."""
    return None if request.param == "memory" else request.getfixturevalue(f"migrated_{request.param}_url")


@pytest.fixture
async def limits(counted_in):
    if counted_in is None:
        yield MemoryLimits()
        return
    database = database_at(counted_in)
    await database.open()
    yield SqlLimits(database, b"k" * 32)
    await database.close()


async def test_one_too_many_waits_for_the_window_to_end(limits):
    """The hits of a window are counted from its first one, and the refused one is told when it ends."""
    waits = [await limits.hit("login", "192.0.2.1", RATE, now=NOW + timedelta(seconds=s)) for s in range(4)]

    assert waits == [None, None, None, timedelta(seconds=57)]


async def test_a_new_window_begins_exactly_at_the_end_of_the_old(limits):
    """A microsecond before its end a window still counts; at its end the next one begins."""
    for _ in range(3):
        await limits.hit("login", "192.0.2.1", RATE, now=NOW)

    before = await limits.hit("login", "192.0.2.1", RATE, now=NOW + timedelta(seconds=60, microseconds=-1))
    after = await limits.hit("login", "192.0.2.1", RATE, now=NOW + timedelta(seconds=60))

    assert before == timedelta(microseconds=1)
    assert after is None


async def test_subjects_and_names_are_counted_apart(limits):
    """Neither another address nor another limit pays for this one."""
    for _ in range(4):
        await limits.hit("login", "192.0.2.1", RATE, now=NOW)

    assert await limits.hit("login", "192.0.2.2", RATE, now=NOW) is None
    assert await limits.hit("register", "192.0.2.1", RATE, now=NOW) is None


async def test_abu_02_sixteen_at_once_count_as_sixteen(migrated):
    """Counting and deciding are one step: of sixteen parallel hits exactly the allowed ones pass."""
    limits = SqlLimits(migrated, b"k" * 32)

    waits = await asyncio.gather(*(limits.hit("login", "192.0.2.1", RATE, now=NOW) for _ in range(16)))

    assert waits.count(None) == 3


async def test_memory_stays_bounded():
    """However many subjects come, the counters in memory do not grow without end."""
    limits = MemoryLimits()
    for number in range(10_500):
        await limits.hit("refresh", str(number), RATE, now=NOW)

    assert len(limits._windows) <= 10_000
