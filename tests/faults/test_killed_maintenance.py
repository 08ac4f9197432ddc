"""F01: whoever cleans up is killed at each point of it, and the next one goes on with what is left."""

from __future__ import annotations

import itertools
from datetime import timedelta
from functools import partial

import pytest
from tests.factories import count, insert
from tests.faults.mortal import Death, Job, die_at, maintain

from ostiary.features.maintenance import Finished, Held, Outcome
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

ROWS = 3
COUNTED = Query("SELECT CAST(coalesce(sum(removed), 0) AS bigint) FROM ostiary.maintenance_runs", into=int)
OUTCOMES = Query("SELECT coalesce(outcome, 'running') FROM ostiary.maintenance_runs", into=str)
WAIT_FOR_LOCKS = Query("UPDATE ostiary.challenges SET max_attempts = max_attempts")
FORGET = Query("DELETE FROM ostiary.maintenance_runs")


@pytest.fixture
def settings(migrated_url, tmp_path):
    """The settings that the survivor and the killed share: batches of two rows."""
    weak = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
    return {
        "database_url": migrated_url,
        "data": tmp_path,
        "passwords": weak,
        "maintenance": {"batch_size": 2},
    }


@pytest.fixture
async def running(settings):
    async with auth_for_tests(**settings) as started:
        yield started


async def test_f01_a_killed_run_is_taken_over_and_the_counts_add_up(running, settings):
    """Wherever it is killed: what it counted is what is gone, its lease holds a minute, and the next one finishes."""
    auth, now = running.auth, running.clock.now()
    died = 0
    for turn in itertools.count():
        call, moment = 1 + turn // 3, ("before", "during", "after")[turn % 3]
        await auth.services.database.execute(FORGET)
        for number in range(ROWS):
            await insert(auth, "challenges", id=new_id(now, Entropy()), purpose="bootstrap",
                         destination=f"{call}{moment}{number}", format="link", secret_digest=b"x", max_attempts=1,
                         created_at=now, expires_at=now - timedelta(days=2))  # fmt: skip
        death = Death(call, moment)
        if not await die_at(death, Job(settings, now, partial(maintain, "challenges"))):
            break
        died += 1
        # PostgreSQL notices a dead client a moment later, and until then a run passes over what that one had locked.
        await auth.services.database.execute(WAIT_FOR_LOCKS)
        survivor = auth.services.maintenance
        left = await count(auth, "challenges")
        counted = await auth.services.database.fetch_one(COUNTED)
        holds = "running" in await auth.services.database.fetch_all(OUTCOMES)

        too_soon = await survivor.run("challenges", now=now + timedelta(seconds=30))
        later = await survivor.run("challenges", now=now + timedelta(minutes=2))

        assert left + counted == ROWS, death
        assert isinstance(too_soon, Held if holds else Finished), death
        assert later.outcome is Outcome.DONE, death
        assert await count(auth, "challenges") == 0, death
        assert await auth.services.database.fetch_one(COUNTED) == ROWS, death
        assert "running" not in await auth.services.database.fetch_all(OUTCOMES), death
    assert died > 40
