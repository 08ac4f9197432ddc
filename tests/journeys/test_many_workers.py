"""Several workers on one database: what one ends, the others refuse without asking."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.factories import ORIGIN, rotate

from ostiary import Ostiary
from ostiary.features.administration import RestoreGuard
from ostiary.features.audit import SYSTEM
from ostiary.features.sessions import Caller, Refused, Rotated
from ostiary.foundation.clock import SystemClock
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests
from ostiary.verifier import RevokedToken

pytestmark = pytest.mark.anyio

# Nobody asks the database in these tests: what is known was said.
ONLY_TOLD = {"catch_up_interval": "1h", "poll_interval": "1h", "max_age": "2h"}


@pytest.fixture
async def workers(migrated_url, tmp_path):
    """Two workers that hear each other."""
    shared = {"database_url": migrated_url, "data": tmp_path, "revocation": ONLY_TOLD}
    async with auth_for_tests(**shared) as one, auth_for_tests(**shared) as two:
        for each in (one, two):
            await heard(lambda each=each: each.auth.services.follower.hears)
        yield one, two


async def heard(condition):
    """Wait until something is so; a minute is for ever."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another worker's memory
            await asyncio.sleep(0.005)


class Stubborn:
    """A channel that accepts everything and hears nothing, and whose driver makes its own failure of a cancellation."""

    def __init__(self) -> None:
        self.sending = asyncio.Event()

    async def open(self) -> None:
        """Be there."""

    async def receive(self, within: timedelta) -> None:
        await asyncio.sleep(within.total_seconds())

    async def send(self, _message: str) -> None:
        try:
            self.sending.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Unavailable("The connection broke.") from None

    async def close(self) -> None:
        """Be there no more."""


def is_dead(worker, token):
    try:
        worker.auth.verify(token)
    except RevokedToken:
        return True
    return False


async def test_ses_05_what_one_worker_ends_another_refuses_because_it_was_told(workers):
    """A logout is pushed: the other worker refuses the token without having asked the database."""
    one, two = workers
    ada = await one.signed_in("ada")
    assert not is_dead(two, ada.access_token)

    await one.auth.services.account.log_out(
        Caller.of(ada.principal, ORIGIN), refresh_token=None, now=one.clock.now()
    )

    assert is_dead(one, ada.access_token)
    await heard(lambda: is_dead(two, ada.access_token))


async def test_a_thousand_endings_are_told(workers):
    """More than fits into one message arrives in several."""
    one, two = workers
    people = [await one.signed_in(f"person{number}") for number in range(3)]
    revocations, now = one.auth.services.sessions.revocations, one.clock.now()
    of = Caller.of(people[0].principal, ORIGIN).identity_id

    async with one.auth.services.database.transaction() as tx:
        for number in range(200):
            await revocations.end_token(tx, f"token{number}", of=of, reason="logout", by=None, now=now)

    live = two.auth.services.sessions.revocations.live
    await heard(lambda: len(live) >= 200)


async def test_f06_a_channel_that_swallows_a_cancellation_keeps_nobody_from_ending(running):
    """Commands end, and so do workers, although messages were on their way when the channel broke."""
    ada = await running.signed_in("ada")
    follower, channel = running.auth.services.follower, Stubborn()
    await follower.stop()
    follower._channel = channel
    await follower.start()
    await heard(lambda: follower.hears)
    await running.auth.services.account.log_out(
        Caller.of(ada.principal, ORIGIN), refresh_token=None, now=running.clock.now()
    )
    await channel.sending.wait()

    async with asyncio.timeout(30):
        await follower.stop()

    assert not follower.hears


async def test_f12_a_compromised_key_is_dropped_by_every_worker_at_once(workers):
    """Retiring a key elsewhere ends the tokens it signed here, those from before and those forged since."""
    one, two = workers
    ada = await one.signed_in("ada")
    (kid,) = two.auth.services.signing_keys.public

    await one.auth.services.administration.retire_compromised_key(kid, by=SYSTEM, now=one.clock.now())
    await one.auth.services.follower.keys_changed()

    await heard(lambda: kid not in two.auth.services.signing_keys.public)
    # SQLite's listeners notice the commit, and read the keys when they see that everything was ended.
    for worker in workers:
        with pytest.raises(Exception, match="token"):
            worker.auth.verify(ada.access_token)
        assert isinstance(await rotate(worker.auth, ada.refresh_token), Rotated | Refused)


async def test_f17_a_restored_database_revives_nothing(migrated_url, tmp_path):
    """A database that is not the one it was ends everything that was issued before, once, and says so in the log."""
    shared = {"database_url": migrated_url, "data": tmp_path}
    async with auth_for_tests(**shared) as before:
        ada = await before.signed_in("ada")
        database = before.auth.services.database
        await database.execute(
            Query("UPDATE ostiary.restore_guard SET fingerprint = 'another database', seen_at = $1"),
            before.clock.now() - timedelta(minutes=2),
        )

    async with auth_for_tests(**shared) as after, auth_for_tests(**shared) as second:
        after.move(seconds=2)
        second.move(seconds=2)
        dead = [is_dead(worker, ada.access_token) for worker in (after, second)]
        refreshed = await rotate(after.auth, ada.refresh_token)
        again = await after.signed_in("ada")
        ended = Query("SELECT count(*) FROM ostiary.audit_events WHERE reason = 'restored'", into=int)

        assert dead == [True, True]
        assert isinstance(refreshed, Refused)
        assert not is_dead(after, again.access_token)
        assert await after.auth.services.database.fetch_one(ended) == 1


async def test_f17_a_standby_that_took_over_ends_nothing(running):
    """Whoever was running sees that what it wrote last is there, and takes the other database for what it is."""
    ada = await running.signed_in("ada")
    guard, database = running.auth.services.restore_guard, running.auth.services.database
    await database.execute(Query("UPDATE ostiary.restore_guard SET fingerprint = 'the primary that died'"))
    running.move(seconds=10)

    ended = await guard.look(now=running.clock.now())

    assert ended is False
    assert not is_dead(running, ada.access_token)


async def test_f03_who_starts_in_a_failover_waits_for_those_who_saw_it(running):
    """A command or a server that starts before the others looked does not take the standby for an old copy."""
    ada = await running.signed_in("ada")
    services = running.auth.services
    await services.database.execute(
        Query("UPDATE ostiary.restore_guard SET fingerprint = 'the primary that died'")
    )
    newcomer = RestoreGuard(
        services.database, revocations=services.sessions.revocations, audit=services.audit
    )
    running.move(seconds=10)

    ended = await asyncio.gather(
        newcomer.look(now=running.clock.now()), services.restore_guard.look(now=running.clock.now())
    )

    assert ended == [False, False]
    assert not is_dead(running, ada.access_token)


async def test_f17_one_that_lost_what_was_written_ends_everything(running):
    """A database that went back in time under a running worker is no standby that took over."""
    ada = await running.signed_in("ada")
    guard, database = running.auth.services.restore_guard, running.auth.services.database
    running.move(seconds=10)
    await guard.look(now=running.clock.now())
    earlier = running.clock.now() - timedelta(seconds=5)
    await database.execute(
        Query("UPDATE ostiary.restore_guard SET fingerprint = 'an older copy', seen_at = $1"), earlier
    )
    running.move(seconds=10)

    assert await guard.look(now=running.clock.now()) is True

    assert is_dead(running, ada.access_token)


class OffClock(SystemClock):
    """The machine's clock, set wrongly."""

    def __init__(self, off: timedelta) -> None:
        self._off = off

    def now(self):
        return super().now() + self._off


@pytest.mark.parametrize("hours", [1, -1])
async def test_f07_a_worker_whose_clock_is_off_issues_nothing(migrated_url, tmp_path, hours):
    """Nothing is signed, refreshed or let in by a clock that is off; what load balancers ask is answered."""
    import httpx2

    weak = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
    shared = {"database_url": migrated_url, "data": tmp_path, "run_worker": False, "passwords": weak}
    login = {"email": "ada@example.org", "password": "a phrase that only tests know"}
    async with Ostiary(**shared) as right, Ostiary(clock=OffClock(timedelta(hours=hours)), **shared) as off:
        doors = [
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=auth), base_url=auth.settings.public_url)
            for auth in (right, off)
        ]
        tokens = (await doors[0].post("/v1/register", json=login)).json()["tokens"]
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        body = {"identifier": login["email"], "password": login["password"]}
        refresh = {"refresh_token": tokens["refresh_token"]}

        refused = [
            (await doors[1].post("/v1/login", json=body)).status_code,
            (await doors[1].post("/v1/refresh", json=refresh)).status_code,
            (await doors[1].get("/v1/me", headers=headers)).status_code,
        ]
        ready = await doors[1].get("/readyz")
        alive = await doors[1].get("/healthz")
        with pytest.raises(Unavailable):
            off.services.gate.require_right_clock(now=off.clock.now())
        still = await doors[0].post("/v1/refresh", json=refresh)

    assert refused == [503, 503, 503]
    assert (ready.status_code, ready.json()["clock"]) == (503, "failed")
    assert alive.status_code == 200
    assert still.status_code == 200
