"""A process that stands still between two calls, as a function's container does: what it knows when it goes on."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.factories import ORIGIN

from ostiary import Ostiary
from ostiary.features.sessions import Caller
from ostiary.foundation.storage import Query
from ostiary.testing import MovableClock, auth_for_tests
from ostiary.verifier import RevocationsStale, RevokedToken

WEAK = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
END_CONNECTIONS = Query(
    postgresql="SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    sqlite="SELECT 0",
    into=int,
)


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def frozen(migrated_url, tmp_path, clock):
    """An installation on an event loop that runs only while it is called."""
    auth = Ostiary(database_url=migrated_url, data=tmp_path, clock=clock, run_worker=False, passwords=WEAK)
    with asyncio.Runner() as runner:
        runner.run(auth.start())
        yield auth, runner
        runner.run(auth.stop())


@pytest.fixture
def elsewhere(migrated_url, tmp_path):
    """Runs something on another installation on the same database."""

    def run(act):
        async def acted():
            async with auth_for_tests(database_url=migrated_url, data=tmp_path) as running:
                return await act(running)

        return asyncio.run(acted())

    return run


def test_f12_what_was_revoked_during_the_pause_is_known_at_the_first_call(frozen, elsewhere):
    """A token that is dead elsewhere is refused as soon as the call has caught up, however short the pause was."""
    auth, runner = frozen

    async def sign_in_and_out(running):
        ada = await running.signed_in("ada")
        caller = Caller.of(ada.principal, ORIGIN)
        await running.auth.services.account.log_out(caller, refresh_token=None, now=running.clock.now())
        return ada.access_token

    token = elsewhere(sign_in_and_out)
    assert auth.verify(token)

    runner.run(auth.catch_up())

    with pytest.raises(RevokedToken):
        auth.verify(token)


def test_f12_after_a_long_pause_nobody_is_believed_before_the_call_has_caught_up(frozen, elsewhere, clock):
    """What is known is too old to be trusted; then it is new, also where the server had hung up meanwhile."""
    auth, runner = frozen

    async def sign_in_and_hang_up(running):
        ada = await running.signed_in("ada")
        await running.auth.services.database.fetch_one(END_CONNECTIONS)
        return ada.access_token

    runner.run(auth.catch_up())
    token = elsewhere(sign_in_and_hang_up)
    clock.move(timedelta(minutes=10))
    with pytest.raises(RevocationsStale):
        auth.verify(token)

    runner.run(auth.catch_up())

    assert auth.verify(token)
