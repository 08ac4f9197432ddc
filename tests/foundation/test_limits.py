"""Rate limits: counted atomically, the same in SQL and in memory."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.redis_server import LOSSES, RedisServer, answers, lose

from ostiary.foundation.cache import SharedCache
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.limits import MemoryLimits, Rate, SharedLimits, SqlLimits
from ostiary.foundation.storage import database_at

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RATE = Rate(3, timedelta(minutes=1))


@pytest.fixture(params=["memory", "redis", "sqlite", "postgresql"])
def counted_in(request):
    """Where the counters live: None for memory, else a Redis or the URL of a database."""
    if request.param == "memory":
        return None
    return request.getfixturevalue("redis" if request.param == "redis" else f"migrated_{request.param}_url")


@pytest.fixture
async def limits(counted_in):
    if counted_in is None:
        yield MemoryLimits()
        return
    if isinstance(counted_in, RedisServer):
        cache = SharedCache(counted_in.url, b"k" * 32, Entropy())
        yield SharedLimits(cache)
        await cache.close()
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


@pytest.fixture
async def workers(redis):
    """The shared limits of two workers."""
    caches = [SharedCache(redis.url, b"k" * 32, Entropy()) for _ in range(2)]
    yield [SharedLimits(cache) for cache in caches]
    for cache in caches:
        await cache.close()


async def hits(limits, times, *, at=NOW):
    """Hit so many times, and return which hits were allowed."""
    return [await limits.hit("refresh", "192.0.2.1", RATE, now=at) is None for _ in range(times)]


async def test_workers_count_together_through_redis(workers):
    """What one worker allowed is missing from the other's count, and all of it is back in the next window."""
    here, there = workers

    first, second = await hits(here, 2), await hits(there, 2)
    after = await hits(there, 1, at=NOW + timedelta(minutes=1))

    assert (first, second, after) == ([True, True], [True, False], [True])


@pytest.mark.parametrize("loss", LOSSES)
async def test_f06_what_was_closed_stays_closed_whatever_happens_to_redis(workers, redis, loss, monkeypatch):
    """A limit that two workers closed together opens at none of them when Redis forgets, dies or hangs."""
    here, there = workers
    await hits(here, 3)
    assert await hits(there, 1) == [False]

    lose(redis, loss, monkeypatch)

    assert await hits(there, 2) == [False, False]
    assert await hits(here, 2) == [False, False]


@pytest.mark.parametrize("loss", LOSSES)
async def test_f06_no_worker_alone_allows_more_than_without_redis(workers, redis, loss, monkeypatch):
    """Whenever Redis is lost, one worker's own count goes on."""
    here, _ = workers
    before = await hits(here, 2)

    lose(redis, loss, monkeypatch)

    assert before + await hits(here, 2) == [True, True, True, False]


async def test_f06_a_stale_copy_of_redis_is_raised_to_what_workers_know(workers, redis, monkeypatch):
    """A counter restored from an older dump counts on from what any worker that asks has seen."""
    here, there = workers
    await hits(here, 1)
    redis.save()
    await hits(here, 1)
    redis.kill()
    redis.start()
    for limits in workers:
        await answers(limits._cache, monkeypatch)

    allowed = await hits(here, 1) + await hits(there, 1)

    assert allowed == [True, False]


async def test_f06_a_redis_that_was_away_counts_again(workers, redis, monkeypatch):
    """After an outage workers count together again, the outage's hits included."""
    here, there = workers
    redis.kill()
    await hits(here, 2)
    redis.start()
    for limits in workers:
        await answers(limits._cache, monkeypatch)

    assert await hits(here, 1) == [True]
    assert await hits(there, 1) == [False]
