"""F06: Redis is killed, flushed, sent back to an older state or hangs under two workers; it decided nothing before."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from anyio.lowlevel import checkpoint
from tests.factories import ORIGIN, attempt, registered, rotate
from tests.redis_server import LOSSES, RedisServer, answers, lose

from ostiary.features.flows import SignedIn
from ostiary.features.sessions import Caller, Refused, Rotated
from ostiary.foundation.limits import Rate
from ostiary.testing import auth_for_tests
from ostiary.verifier import RevokedToken

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
RATE = Rate(3, timedelta(minutes=1))
# Long for a test, short for a request: nothing waits for as long as Redis hangs.
BOUND = 60


@dataclass
class Installation:
    """Two workers of one installation, and their Redis."""

    here: Any
    there: Any
    redis: RedisServer

    def __iter__(self):
        return iter((self.here, self.there))

    async def hit(self, worker) -> bool:
        """Use the shared limit of a worker once; return whether it was allowed."""
        limits = worker.services.http._pipeline._memory_limits
        return await limits.hit("refresh", "192.0.2.7", RATE, now=worker.clock.now()) is None


@asynccontextmanager
async def door(auth):
    transport = httpx2.ASGITransport(app=auth)
    async with httpx2.AsyncClient(transport=transport, base_url=auth.settings.public_url) as client:
        yield client


@pytest.fixture
async def installation(migrated_url, tmp_path, redis, monkeypatch):
    shared = {
        "database_url": migrated_url,
        "data": tmp_path,
        "redis_url": redis.url,
        "revocation": {"catch_up_interval": "50ms", "poll_interval": "50ms"},
    }
    monkeypatch.setattr("ostiary.foundation.channel.redis._ANSWER_LIMIT", timedelta(seconds=1))
    async with auth_for_tests(**shared) as here, auth_for_tests(**shared) as there:
        yield Installation(here.auth, there.auth, redis)


async def me(auth, tokens):
    """Ask who is signed in."""
    async with door(auth) as client, asyncio.timeout(BOUND):
        headers = {"Authorization": f"Bearer {tokens.access_token.reveal()}"}
        return await client.get("/v1/me", headers=headers)


async def log_out(auth, tokens):
    caller = Caller.of(auth.verify(tokens.access_token.reveal()), ORIGIN)
    async with asyncio.timeout(BOUND):
        await auth.services.account.log_out(caller, refresh_token=None, now=auth.clock.now())


async def heard_of_the_end(auth, tokens):
    """Wait until a worker refuses an access token because of what it heard or read by itself."""
    revocations = auth.services.sessions.revocations
    async with asyncio.timeout(BOUND):
        while True:
            news = revocations.news()
            try:
                auth.verify(tokens.access_token.reveal())
            except RevokedToken:
                return
            await news.wait()


async def assert_dead(installation, tokens):
    """No worker takes the tokens, over HTTP or beside it."""
    for worker in installation:
        with pytest.raises(RevokedToken):
            worker.verify(tokens.access_token.reveal())
        assert (await me(worker, tokens)).status_code == 401
        async with asyncio.timeout(BOUND):
            assert isinstance(await rotate(worker, tokens.refresh_token), Refused)


@pytest.mark.parametrize("loss", LOSSES)
async def test_f06_revoked_tokens_stay_revoked(installation, monkeypatch, loss):
    """What was ended before Redis was lost is dead at both workers afterwards."""
    tokens = (await registered(installation.here, EMAIL)).tokens
    shown = [(await me(worker, tokens)).status_code for worker in installation]
    await log_out(installation.here, tokens)
    await heard_of_the_end(installation.there, tokens)

    lose(installation.redis, loss, monkeypatch)

    assert shown == [200, 200]
    await assert_dead(installation, tokens)


async def test_f06_an_older_redis_revives_nothing(installation, monkeypatch):
    """A dump from before the logout and before the limit closed, restored after it, opens neither."""
    tokens = (await registered(installation.here, EMAIL)).tokens
    await me(installation.here, tokens)
    await installation.hit(installation.here)
    installation.redis.save()
    for _ in range(3):
        await installation.hit(installation.here)
    closed = await installation.hit(installation.there)
    await log_out(installation.here, tokens)
    await heard_of_the_end(installation.there, tokens)

    installation.redis.kill()
    installation.redis.start()
    for worker in installation:
        await answers(worker.services.cache, monkeypatch)

    assert closed is False
    assert [await installation.hit(worker) for worker in installation] == [False, False]
    await assert_dead(installation, tokens)


@pytest.mark.parametrize("loss", LOSSES)
async def test_f06_without_redis_everything_works_and_ends_are_heard(installation, monkeypatch, loss):
    """Signing in, refreshing and showing oneself go on, and a logout reaches the other worker by the database."""
    await registered(installation.here, EMAIL)

    lose(installation.redis, loss, monkeypatch)

    async with asyncio.timeout(BOUND):
        signed_in = await attempt(installation.here, EMAIL)
        assert isinstance(signed_in, SignedIn)
        refreshed = await rotate(installation.there, signed_in.tokens.refresh_token)
        assert isinstance(refreshed, Rotated)
    assert [(await me(worker, refreshed.tokens)).status_code for worker in installation] == [200, 200]
    await log_out(installation.here, refreshed.tokens)
    await heard_of_the_end(installation.there, refreshed.tokens)
    await assert_dead(installation, refreshed.tokens)


@pytest.mark.parametrize("loss", LOSSES)
async def test_f06_closed_limits_stay_closed(installation, monkeypatch, loss):
    """A limit the workers used up together stays closed at both of them."""
    allowed = [await installation.hit(installation.here) for _ in range(3)]
    closed = await installation.hit(installation.there)

    lose(installation.redis, loss, monkeypatch)

    assert (allowed, closed) == ([True, True, True], False)
    assert [await installation.hit(worker) for worker in installation] == [False, False]


async def test_f06_when_redis_is_back_workers_hear_each_other_again(installation, monkeypatch):
    """The channel opens anew and the cache answers, without anybody's doing."""
    followers = [worker.services.follower for worker in installation]
    installation.redis.kill()
    async with asyncio.timeout(BOUND):
        while any(follower.hears for follower in followers):
            await checkpoint()
        installation.redis.start()
        while not all(follower.hears for follower in followers):
            await checkpoint()
    for worker in installation:
        await answers(worker.services.cache, monkeypatch)
    tokens = (await registered(installation.here, EMAIL)).tokens
    await me(installation.here, tokens)
    kept = installation.redis.content()
    await log_out(installation.here, tokens)
    await heard_of_the_end(installation.there, tokens)

    assert kept.count(b"ostiary:") == 2
    await assert_dead(installation, tokens)


async def test_f06_a_worker_starts_without_redis(migrated_url, tmp_path, redis):
    """Redis is no condition for starting: the worker is ready, and signs people in."""
    redis.kill()
    shared = {"database_url": migrated_url, "data": tmp_path, "redis_url": redis.url}
    async with auth_for_tests(**shared) as running, door(running.auth) as client:
        tokens = (await registered(running.auth, EMAIL)).tokens

        assert (await client.get("/readyz")).status_code == 200
        assert (await me(running.auth, tokens)).status_code == 200


async def test_s4_redis_holds_nothing_that_opens_or_names_anybody(installation):
    """Neither tokens, nor addresses, nor ids are found in it, however it is searched."""
    person = await registered(installation.here, EMAIL)
    tokens = person.tokens
    shown = (await me(installation.here, tokens)).json()
    await installation.hit(installation.here)

    content = installation.redis.content()

    assert content.count(b"ostiary:") == 2
    for secret in (
        tokens.access_token.reveal(),
        tokens.refresh_token.reveal(),
        shown["session"]["id"],
        shown["session"]["ip_address"],
        shown["session"]["device_label"],
        EMAIL,
    ):
        assert secret.encode() not in content
    assert tokens.session_id.bytes not in content
