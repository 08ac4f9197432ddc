"""Sessions of the other system that were exchanged here, on the way back."""

from __future__ import annotations

import httpx2
import pytest
from tests.features.legacy.returning import PASSWORDS, journey
from tests.features.legacy.systems import build

from ostiary.features.sessions import EndReason
from ostiary.foundation.ids import parse_id
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio


@pytest.fixture
async def target(migrated_url, tmp_path):
    """A started installation that nobody uses yet."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, passwords=PASSWORDS) as started:
        yield started


@pytest.fixture
async def soaking(target, tmp_path):
    """A market that was cut over, and the token of a live session of its people."""
    url = f"sqlite:///{tmp_path}/legacy.db"
    await build("auth-entity", "clean").write(url)
    async with journey(target, "auth-entity", url) as going:
        await going.run()
        await going.cut_over()
        rows = "SELECT token FROM token WHERE type = 'session' AND \"expiresAt\" > '2030' ORDER BY id LIMIT 1"
        live = await going.there(rows) or await going.there(rows.replace("'2030'", "''"))
        yield going, live[0][0]


async def exchange(going, token):
    """Exchange a token over HTTP."""
    auth = going.running.auth
    transport = httpx2.ASGITransport(app=auth)
    async with httpx2.AsyncClient(transport=transport, base_url=auth.settings.public_url) as client:
        return await client.post("/v1/legacy/exchange", json={"token": token})


async def good_there(going, token):
    """Say whether the other system knows a token."""
    return bool(await going.there("SELECT id FROM token WHERE token = $1", token))


async def test_a_session_that_was_exchanged_goes_on_over_there(soaking):
    """Whoever exchanged it and is signed in here is signed in there once it goes back, and here once it goes forward."""
    going, token = soaking
    first = await exchange(going, token)
    await going.roll_back()
    there = await good_there(going, token)
    await going.run()
    await going.cut_over()

    assert first.status_code == 200
    assert there
    assert (await exchange(going, token)).status_code == 200


async def test_a_session_that_ended_after_it_was_exchanged_is_over_there_as_well(soaking):
    """Ending what an old session was exchanged for ends that one, too: going back revives nothing."""
    going, token = soaking
    tokens = (await exchange(going, token)).json()["tokens"]
    principal = going.running.auth.verify(tokens["access_token"])
    services = going.running.auth.services
    owner = parse_id("idn", principal.identity_id)
    async with services.database.transaction() as tx:
        await services.sessions.end_all(
            tx, owner, reason=EndReason.PASSWORD_CHANGED, now=going.running.clock.now()
        )
    going.running.move(seconds=1)
    await going.roll_back()

    assert not await good_there(going, token)
