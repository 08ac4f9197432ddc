"""Who keeps what several owners claim: the plan and the run come to the same, however the run is cut into batches."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from ostiary.features.legacy import Decisions, Duplicates, Pace, layout_of, load_profile
from ostiary.foundation.foreign import source_at
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

PHONES = [f"+4144668180{number}" for number in range(6)]
EMAILS = [f"{name}@example.org" for name in "abcdef"]
HERE = Query(
    "SELECT coalesce(email_normalized, '') || ' ' || coalesce(phone, '') || ' ' || entity_id"
    " FROM ostiary.identities ORDER BY entity_id",
    into=str,
)
COUNTS = Query("SELECT counts FROM ostiary.legacy_roots", into=dict)


def people(seed):
    """Make people who share addresses at random, and in chains: the key says nothing about who came first."""
    draw = random.Random(seed)
    found = []
    for number in range(14):
        one = {"user_id": str(number), "created_at": f"2020-01-{draw.randint(1, 20):02}T00:00:00Z"}
        if draw.random() < 0.8:
            one["email"] = draw.choice(EMAILS)
        if draw.random() < 0.8:
            one["phone_number"] = draw.choice(PHONES)
        found.append(one)
    return found


async def both(folder, database_url, seed, decided, batch_size):
    """Plan and run a migration, and return the totals of both, and who has what in the end."""
    profile, legacy_file = load_profile("auth0-export"), folder / "users.ndjson"
    legacy_file.write_text("".join(json.dumps(one) + "\n" for one in people(seed)))
    source = source_at("files:", layout=layout_of(profile, {"users": legacy_file}))
    await source.open()
    async with auth_for_tests(database_url=database_url, data=folder) as started:
        legacy, database = started.auth.services.legacy, started.auth.services.database
        plan = await legacy.plan(
            source, profile, Decisions(duplicates=decided), folder / "plan", tell=lambda *_: None
        )
        await legacy.run(
            plan, source, pace=Pace(batch_size=batch_size), tell=lambda _: None, stop=asyncio.Event()
        )
        made = [0, 0, 0]
        for counts in await database.fetch_all(COUNTS):
            made = [old + new for old, new in zip(made, counts["users"], strict=True)]
        here = await database.fetch_all(HERE)
    await source.close()
    total = plan.totals["users"]
    return [total.mapped, total.quarantined, total.dropped], made, here, plan


@pytest.mark.parametrize("decided", list(Duplicates))
@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize("seed", range(4))
async def test_plan_and_run_settle_alike(migrated_sqlite_url, tmp_path, seed, batch_size, decided):
    """Batches of any size come to what was planned: nobody has an address twice, and whoever was first has it."""
    planned, made, here, plan = await both(tmp_path, migrated_sqlite_url, seed, decided, batch_size)

    assert made == planned
    assert len(here) == plan.report["people"]["identities"]
