"""The shared cache: keeps what may be lost, shows nothing, and never makes anybody wait for long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
from tests.redis_server import answers, lose

from ostiary.foundation.cache import SharedCache
from ostiary.foundation.entropy import Entropy

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG = timedelta(seconds=30)
KEY = b"k" * 32


@dataclass(frozen=True)
class Thing:
    name: str
    made_at: datetime


THING = Thing("a thing nobody may read", NOW)


@pytest.fixture
async def cache(redis):
    opened = SharedCache(redis.url, KEY, Entropy())
    yield opened
    await opened.close()


async def kept(cache, *place, value=THING):
    await cache.keep(*place, value=value, good_for=MINUTE, now=NOW)


async def test_what_is_kept_is_found_and_forgotten(cache):
    """A copy is found at its place until it is forgotten."""
    await kept(cache, "thing", 1)
    found = await cache.find("thing", 1, into=Thing, now=NOW)
    elsewhere = await cache.find("thing", 2, into=Thing, now=NOW)
    cache.forget("thing", 1)
    await cache.close()

    assert (found, elsewhere) == (THING, None)
    assert await cache.find("thing", 1, into=Thing, now=NOW) is None


async def test_a_copy_is_good_for_its_time_whatever_redis_says(cache):
    """To the microsecond, by the clock of whoever asks: a copy that Redis kept for too long is not believed."""
    await kept(cache, "thing")

    assert await cache.find("thing", into=Thing, now=NOW + MINUTE - timedelta(microseconds=1)) == THING
    assert await cache.find("thing", into=Thing, now=NOW + MINUTE) is None


async def test_s4_redis_sees_neither_what_is_kept_nor_for_whom(cache, redis):
    """Names are keyed digests and values are sealed."""
    await kept(cache, "session", "192.0.2.7")
    await cache.count("rate limit", "192.0.2.7", at_least=1, keep=MINUTE)

    content = redis.content()

    assert content.count(b"ostiary:") == 2
    assert b"192.0.2.7" not in content
    assert b"nobody may read" not in content


async def test_a_copy_opens_only_at_its_place_and_for_its_installation(cache, redis):
    """Whoever can write to Redis can neither move a copy nor make one, and another installation reads none."""
    import redis as driver

    await kept(cache, "thing", 1)
    with driver.Redis.from_url(redis.url) as client:
        (name,) = client.keys()
        value = client.get(name)
        await kept(cache, "thing", 2, value=Thing("another", NOW))
        client.set(name, b"\x01 something that was never sealed")
        forged = await cache.find("thing", 1, into=Thing, now=NOW)
        for each in list(client.scan_iter()):
            client.set(each, value)
    moved = await cache.find("thing", 2, into=Thing, now=NOW)
    other = SharedCache(redis.url, b"o" * 32, Entropy())
    foreign = await other.find("thing", 1, into=Thing, now=NOW)
    await other.close()

    assert (forged, moved, foreign) == (None, None, None)
    assert await cache.find("thing", 1, into=Thing, now=NOW) == THING


async def test_a_copy_of_another_shape_is_none(cache):
    """What a newer release kept in another form is read from the database instead."""
    await cache.keep("thing", value={"unlike": "a thing"}, good_for=MINUTE, now=NOW)

    assert await cache.find("thing", into=Thing, now=NOW) is None


async def test_counters_are_shared_and_never_smaller_than_known(cache, redis):
    """Counting is one step for everybody, and a smaller count is raised to what the asker knows."""
    other = SharedCache(redis.url, KEY, Entropy())
    counts = await asyncio.gather(
        *(each.count("hits", at_least=1, keep=MINUTE) for each in (cache, other) for _ in range(8))
    )
    redis.flush()
    raised = await other.count("hits", at_least=17, keep=MINUTE)
    await other.close()

    assert sorted(counts) == list(range(1, 17))
    assert raised == 17
    assert await cache.count("hits", at_least=1, keep=MINUTE) == 18


async def test_f06_without_redis_every_call_answers_at_once_and_it_is_found_again(cache, redis, monkeypatch):
    """A killed server is a miss, not an error; a second after it is started again it is used again."""
    await kept(cache, "thing")
    redis.kill()
    missed = await cache.find("thing", into=Thing, now=NOW)
    await kept(cache, "thing")
    uncounted = await cache.count("hits", at_least=1, keep=MINUTE)
    cache.forget("thing")
    await cache.close()
    redis.start()
    monkeypatch.setattr("ostiary.foundation.cache.monotonic", lambda: monotonic() + 1)
    await kept(cache, "thing")

    assert (missed, uncounted) == (None, None)
    assert await cache.find("thing", into=Thing, now=NOW) == THING


async def test_f06_late_answers_are_nobodys(cache, redis, monkeypatch):
    """What a frozen server answers after its time is never taken for the answer to another question."""
    things = {number: Thing(str(number), NOW) for number in range(8)}
    for number, thing in things.items():
        await kept(cache, number, value=thing)
    lose(redis, "freeze", monkeypatch)
    async with asyncio.timeout(LONG.total_seconds()):
        late = await asyncio.gather(*(cache.find(number, into=Thing, now=NOW) for number in things))
    redis.thaw()
    monkeypatch.setattr("ostiary.foundation.cache._ANSWER_LIMIT", LONG)
    await answers(cache, monkeypatch)

    found = {number: await cache.find(number, into=Thing, now=NOW) for number in things}
    assert set(late) == {None}
    assert found == things
