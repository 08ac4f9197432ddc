"""F14: whoever moves a system here is killed at each point of it, stopped, overtaken or cut off, and the next one finishes."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from contextlib import closing
from functools import partial

import pytest
from tests.faults.mortal import Death, Job, die_at
from tests.faults.test_disk_full import FullDisk
from tests.features.legacy.moving import begin, contents, differences, move, opened, plan_for
from tests.features.legacy.schedules import NOW, SCHEMA, Watched

from ostiary.features.legacy import ExitCode, LegacyError, State
from ostiary.features.legacy.running.leasing import Lease, Overtaken
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.ids import new_id
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

OWNERS = 3
BATCH = 2
WEAK = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
FORGET = Query("DELETE FROM ostiary.legacy_migrations")
FORGET_PEOPLE = Query("DELETE FROM ostiary.identities")
FORGET_MAP = Query("DELETE FROM ostiary.legacy_identities")
DONE = Query("SELECT count(*) FROM ostiary.legacy_roots", into=int)


@pytest.fixture
def source_url(tmp_path):
    """A small system: people with a role, a session, and one address that two of them claim."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO role VALUES (1, 'customer')")
        for key in range(1, OWNERS + 1):
            connection.execute(
                'INSERT INTO "user" VALUES (?, ?, ?, NULL, NULL, ?, NULL, ?, ?, NULL)',
                (key, f"Person {key}", f"p{max(key, 2)}@example.org", "email", "2024-01-01", "2024-01-01"),
            )
            connection.execute("INSERT INTO user_role VALUES (?, ?, 1)", (key, key))
            row = (key, key, f"token of {key}", "2030-01-01 00:00:00")
            connection.execute("INSERT INTO token VALUES (?, ?, NULL, ?, ?)", row)
    return f"sqlite:///{path}"


@pytest.fixture
def settings(migrated_url, tmp_path):
    """The settings that the survivor and the killed share."""
    return {"database_url": migrated_url, "data": tmp_path, "passwords": WEAK}


@pytest.fixture
async def running(settings):
    async with auth_for_tests(**settings) as started:
        started.clock.move(NOW - started.clock.now())
        yield started


async def migrate(url, auth):
    """Run the migration; what it asks of its source counts like what it asks of its target."""
    database = auth.services.database

    async def step():
        await database.call(asyncio.sleep(0))

    async with opened(url) as source:
        plan = await plan_for("auth-entity", source)
        await move(auth.services.legacy, plan, Watched(source, step), batch_size=BATCH)


async def start_again(database, source, now):
    """Take everything away, and begin the migration."""
    for query in (FORGET_PEOPLE, FORGET_MAP, FORGET):
        await database.execute(query)
    await source.capture.remove()
    await begin(database, await plan_for("auth-entity", source), now)


async def test_f14_inv05_a_migration_killed_at_any_call_ends_as_if_it_never_was(
    settings, running, source_url
):
    """What a batch made and how far it came are there together or not at all, and the next run comes to the same."""
    auth, database = running.auth, running.auth.services.database
    legacy, died = auth.services.legacy, 0
    async with opened(source_url) as source:
        plan = await plan_for("auth-entity", source)
        await start_again(database, source, NOW)
        await move(legacy, plan, source, batch_size=BATCH)
        expected = await contents(auth, database, source)
        # Every call in turn, and one of the three moments at each: the next time it is another one's turn.
        for call in itertools.count(1):
            await start_again(database, source, NOW)
            death = Death(call, ("before", "during", "after")[call % 3])
            if not await die_at(death, Job(settings, NOW, partial(migrate, source_url))):
                break
            died += 1
            migration = await legacy.under_way()
            known = await database.fetch_one(DONE)
            again = []
            await move(legacy, plan, source, batch_size=BATCH, tell=again.append)

            assert migration.checkpoint.get("done", 0) == known, death
            if known < OWNERS:
                assert migration.state is not State.BACKFILLED, death
            # Whoever had been taken over was not taken over again: one is looked at twice, whose address is contested.
            assert sum(progress.owners for progress in again) <= OWNERS - known + 2, death
            assert differences(await contents(auth, database, source), expected) == [], death

    assert died > 50


async def test_f14_inv15_progress_only_grows_and_a_run_that_was_stopped_says_so(running, source_url):
    """It ends with how commands end that can be resumed, is not done, and goes on where it stopped."""
    auth, stop, heard = running.auth, asyncio.Event(), []

    def tell(progress):
        heard.append(progress.done)
        if len(heard) == 1:
            stop.set()

    async with opened(source_url) as source:
        plan = await plan_for("auth-entity", source)
        with pytest.raises(LegacyError, match="Interrupted") as interrupted:
            await move(auth.services.legacy, plan, source, batch_size=1, tell=tell, stop=stop)
        between = await auth.services.legacy.under_way()
        state = await move(auth.services.legacy, plan, source, batch_size=1, tell=tell)

    assert interrupted.value.exit_code == ExitCode.INTERRUPTED
    assert between.state is not State.BACKFILLED
    assert state is State.BACKFILLED
    assert heard == sorted(heard)
    assert heard[-1] == OWNERS


async def test_f14_inv13_of_sixteen_runners_one_runs(running, source_url):
    """The others are told that somebody is at it, and what comes out is what one alone makes."""
    auth = running.auth
    async with opened(source_url) as source:
        plan = await plan_for("auth-entity", source)
        await begin(auth.services.database, plan, NOW)

        outcomes = await asyncio.gather(
            *(move(auth.services.legacy, plan, source, batch_size=1) for _ in range(16)),
            return_exceptions=True,
        )
        known = await auth.services.database.fetch_one(DONE)

    refused = [outcome for outcome in outcomes if isinstance(outcome, LegacyError)]
    assert [outcome for outcome in outcomes if outcome is State.BACKFILLED]
    assert len(refused) + outcomes.count(State.BACKFILLED) == 16
    assert len(refused) >= 8
    assert all("Another run is at work" in str(error) for error in refused)
    assert known == OWNERS


async def test_f14_inv13_whoever_was_overtaken_keeps_nothing_more(running, source_url):
    """The batch that was under way as another took over is not kept, and the other one's work is whole."""
    auth, database = running.auth, running.auth.services.database
    taken, turn = [], asyncio.Lock()

    async def overtake():
        async with turn:
            if taken or (await database.fetch_one(DONE)) < 2:
                return
            running.move(minutes=5)
            tools, current = auth.services.legacy.tools, await auth.services.legacy.under_way()
            taken.append(await Lease.take(database, tools.clock, tools.entropy, current))
            taken.append(await database.fetch_one(DONE))

    async with opened(source_url) as source:
        plan = await plan_for("auth-entity", source)
        with pytest.raises(Overtaken):
            await move(auth.services.legacy, plan, Watched(source, overtake), batch_size=1)
        kept = await database.fetch_one(DONE)
        await taken[0].let_go()
        state = await move(auth.services.legacy, plan, source, batch_size=1)

    assert kept == taken[1]
    assert state is State.BACKFILLED


async def test_inv12_a_changed_source_or_plan_is_refused_and_nothing_is_written(running, source_url):
    """Between plan and run, and between two runs: exit code 3."""
    auth, database = running.auth, running.auth.services.database
    path = source_url.removeprefix("sqlite:///")
    async with opened(source_url) as source:
        plan = await plan_for("auth-entity", source)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute('ALTER TABLE "user" ADD COLUMN pin varchar')
        with pytest.raises(LegacyError) as before:
            await move(auth.services.legacy, plan, source)
        nothing = await auth.services.legacy.current()
        changed = await plan_for("auth-entity", source)
        await move(auth.services.legacy, changed, source, until=State.CAPTURING)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute('ALTER TABLE "user" ADD COLUMN pin_2 varchar')
        with pytest.raises(LegacyError) as between:
            await move(auth.services.legacy, changed, source)
        with pytest.raises(LegacyError) as other:
            await move(auth.services.legacy, plan, source)

    assert nothing is None
    assert {error.value.exit_code for error in (before, between, other)} == {ExitCode.DRIFT}
    assert await database.fetch_one(DONE) == 0


async def test_f14_a_source_or_target_that_is_lost_mid_batch_stops_a_run_that_can_go_on(running, source_url):
    """The error says which; everything is there or nothing of a batch, and the next run finishes, whatever the clock did."""
    auth, database = running.auth, running.auth.services.database
    async with opened(source_url) as source:
        plan = await plan_for("auth-entity", source)
        await begin(database, plan, NOW)
        lost, state = 0, None
        while state is None:
            calls = itertools.count(1)

            async def lose(calls=calls, lost_after=5 + 5 * lost):
                if next(calls) >= lost_after:
                    raise Unavailable("The source does not answer.")

            try:
                state = await move(auth.services.legacy, plan, Watched(source, lose), batch_size=1)
            except Unavailable:
                lost += 1
                # Nobody can look whether a runner in this very process is gone; its lease is waited for.
                running.move(hours=1 if lost % 3 else -1)

    assert lost > 2
    assert state is State.BACKFILLED
    assert await database.fetch_one(DONE) == OWNERS


@pytest.mark.parametrize("table", ["legacy_roots", "identities", "legacy_bearers"])
async def test_f08_f14_a_full_disk_stops_a_run_that_goes_on_when_there_is_room(running, source_url, table):
    """Nothing of the batch is kept that did not fit, the error says to try again, and room is all it takes."""
    auth, database = running.auth, running.auth.services.database
    disk = FullDisk(database)
    async with opened(source_url) as source:
        plan = await plan_for("auth-entity", source)
        await begin(database, plan, NOW)
        await disk.fill(table)
        with pytest.raises(Unavailable):
            await _until_full(auth, plan, source)
        kept, migration = await database.fetch_one(DONE), await auth.services.legacy.under_way()
        await disk.clear(table)
        running.move(minutes=5)
        state = await move(auth.services.legacy, plan, source, batch_size=BATCH)

    assert migration.checkpoint.get("done", 0) == kept < OWNERS
    assert state is State.BACKFILLED
    assert await database.fetch_one(DONE) == OWNERS


async def _until_full(auth, plan, source):
    """Fill the free pages of a small file first, so that the run is what finds no room."""
    while auth.services.database.dialect == "sqlite":
        try:
            await auth.services.database.execute(Query("INSERT INTO ostiary.roles (id, name) VALUES ($1, $2)"),
                                                 new_id(NOW, Entropy()), f"role-{Entropy().token_bytes(900).hex()}")  # fmt: skip
        except Unavailable:
            break
    await move(auth.services.legacy, plan, source, batch_size=BATCH)
