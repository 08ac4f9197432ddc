"""F02 of live tokens: whoever refreshes is killed at each point of it, and what can be kept is kept (VLT-04)."""

from __future__ import annotations

import itertools
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.faults.mortal import Death, Job, die_at
from tests.vaulted import READER, account_of, events, linked, provider_listening, read, tokens_of

from ostiary.features.live_tokens import TokenReason, TokenRefused
from ostiary.testing import auth_for_tests

if TYPE_CHECKING:
    from uuid import UUID

    from ostiary import Ostiary

pytestmark = pytest.mark.anyio

LATE = timedelta(seconds=30)
ENDED = "linked_account:grant:ended"
MOMENTS = ("before", "during", "after")


async def refresh(account_id: UUID, auth: Ostiary) -> None:
    """Read a token that has to be refreshed."""
    await auth.services.live_tokens.access_token(account_id, reader=READER, now=auth.clock.now())


async def refusal(running, account_id):
    """Return why there is no token, None if there is one."""
    try:
        await read(running, account_id)
    except TokenRefused as refused:
        return refused.reason
    return None


@pytest.fixture
async def provider():
    async with provider_listening() as listening:
        yield listening


@pytest.fixture
def settings(migrated_url, tmp_path, provider):
    """The settings that the survivor and the killed share."""
    weak = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
    return {"database_url": migrated_url, "data": tmp_path, "passwords": weak, **provider.installation()}


async def deaths(running, settings, provider):
    """Kill a worker at each point of a refresh, and yield the account, where it died, and how often it had asked."""
    for turn in itertools.count():
        death = Death(1 + turn // 3, MOMENTS[turn % 3])
        account_id = await linked(running, provider, left=-LATE)
        asked = provider.refreshes
        if not await die_at(death, Job(settings, running.clock.now(), partial(refresh, account_id))):
            return
        # When the claim of the dead has ended.
        running.move(seconds=31)
        yield account_id, death, provider.refreshes - asked


async def test_vlt_04_f02_a_killed_refresh_loses_nothing_where_the_provider_forgives(settings, provider):
    """Wherever it was killed, the next one that asks gets a live token, and the refresh token is the provider's newest."""
    provider.forgives_reuse = True
    died = asked_again = 0
    async with auth_for_tests(**settings) as running:
        async for account_id, death, asked in deaths(running, settings, provider):
            before = provider.refreshes
            live = await read(running, account_id)

            kept = await tokens_of(running, account_id)
            assert live.access_token == kept.access_token, death
            assert kept.refresh_token.reveal() in provider._refresh, death
            assert not (await account_of(running, account_id)).needs_reconnection, death
            died += 1
            asked_again += asked == 1 and provider.refreshes > before
    assert died >= 9
    assert asked_again > 0


async def test_vlt_04_f02_a_killed_refresh_is_found_out_where_the_provider_is_strict(settings, provider):
    """Between its answer and COMMIT alone a refresh token is lost, and the log says that this is why."""
    lost = kept = 0
    async with auth_for_tests(**settings) as running:
        async for account_id, death, asked in deaths(running, settings, provider):
            known = len(await events(running, ENDED))

            reason = await refusal(running, account_id)

            assert reason in {None, TokenReason.NEEDS_RECONNECTION}, death
            assert reason is None or asked == 1, death
            newest = await events(running, ENDED)
            assert len(newest) == known + (reason is not None), death
            assert {event.reason for event in newest} <= {"refresh_interrupted"}, death
            lost += reason is not None
            kept += reason is None
    assert lost > 0
    assert kept > lost
