"""Writers and crashes at random points of a run change nothing of what comes out of it (migration R1, invariants 4 and 5)."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from contextlib import asynccontextmanager, closing

import asyncpg
import pytest
from tests.features.legacy.moving import begin, contents, differences, move, opened, plan_for
from tests.features.legacy.schedules import (
    NOW,
    OWNERS,
    SCHEMA,
    PostgreSQLWriter,
    Schedule,
    installation,
    play_all,
    rows,
)

from ostiary.foundation.storage import database_at
from ostiary.testing import auth_for_tests

SEEDS = range(1, 21)
ON_POSTGRESQL = range(1, 4)


def test_f14_inv05_schedules_of_writers_and_crashes_come_to_what_a_run_alone_comes_to():
    """No seed makes a difference in any table; the ones that would are printed."""
    failed = asyncio.run(play_all(SEEDS))

    assert failed == {}


def test_f14_inv05_and_so_do_those_on_postgresql(postgres_cluster, migrated_postgresql_template, tmp_path):
    """In place and beside, with writers that wait for nobody."""
    failed = asyncio.run(_play_on_postgresql(postgres_cluster, migrated_postgresql_template, tmp_path))

    assert failed == {}


async def _play_on_postgresql(cluster, template, folder):
    made = []

    async def create(template="template0"):
        made.append(await asyncio.to_thread(cluster.create, template=template))
        return made[-1]

    failed = {}
    first = await create(template)
    async with auth_for_tests(database_url=cluster.url(first), data=folder):
        pass
    # Nobody is connected to it now, so that it can be copied with the keys it has got.
    async with auth_for_tests(database_url=cluster.url(await create(first)), data=folder) as running:
        for seed in ON_POSTGRESQL:
            target, empty = await create(first), await create(first)
            beside = await create() if seed % 2 else target
            connection = await asyncpg.connect(cluster.url(beside))
            await connection.execute(SCHEMA)
            schedule = Schedule(running.auth, seed, lambda name=empty: cluster.url(name), _opened)
            url = cluster.url(beside)
            found = await schedule.play(url, cluster.url(target), PostgreSQLWriter(connection))
            await connection.close()
            if found:
                failed[seed] = found
    for name in made:
        await asyncio.to_thread(cluster.drop, name)
    return failed


@asynccontextmanager
async def _opened(url):
    database = database_at(url, pool_size=3)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.mark.anyio
async def test_inv04_batches_of_any_size_and_rows_of_any_order_come_to_the_same(tmp_path):
    """One owner, seven, all, or more at a time, written there in another order: the same rows here."""
    results = []
    async with installation(tmp_path) as (auth, targets):
        for number, (size, order) in enumerate(itertools.product((1, 7, OWNERS, 1000), (1, 2))):
            path = tmp_path / f"source-{number}.db"
            statements = rows(random.Random(4))
            random.Random(order).shuffle(statements)
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.executescript(f"{SCHEMA};{';'.join(statements)}")
            async with opened(f"sqlite:///{path}") as source, targets.opened(targets.copy()) as target:
                plan = await plan_for("auth-entity", source)
                await begin(target, plan, NOW)
                await move(targets.legacy(target), plan, source, batch_size=size)
                results.append(await contents(auth, target, source))

    assert all(differences(one, results[0]) == [] for one in results[1:])
    assert len(results[0]["identities"]) >= OWNERS
