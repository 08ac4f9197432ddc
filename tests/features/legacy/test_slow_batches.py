"""A batch that takes longer than a transaction may is made smaller until it fits; what comes out is the same."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.doubles import CountingDatabase
from tests.features.legacy.migrating import execute
from tests.features.legacy.moving import begin, conserved, contents, differences, move, opened, plan_for
from tests.features.legacy.systems import NOW, build

from ostiary.features.legacy import Legacy, State
from ostiary.foundation.storage import Query, TookTooLong
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

FORGET = [
    Query(f"DELETE FROM ostiary.{name}")
    for name in ("login_history", "identities", "legacy_identities", "legacy_migrations")
]


class SlowTransaction:
    """A transaction that has no time for many owners at once."""

    def __init__(self, inner, most, sizes):
        self._inner = inner
        self._most = most
        self._sizes = sizes

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def load(self, table, columns, rows):
        if table == "legacy_roots":
            self._sizes.append(len(rows))
            if len(rows) > self._most:
                raise TookTooLong
        await self._inner.load(table, columns, rows)


class SlowDatabase(CountingDatabase):
    """A database of slow transactions; `sizes` is of how many owners each was."""

    def __init__(self, inner, most):
        super().__init__(inner)
        self._most = most
        self.sizes = []

    @asynccontextmanager
    async def transaction(self):
        async with super().transaction() as tx:
            yield SlowTransaction(tx, self._most, self.sizes)


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request, tmp_path):
    """Where a system can be written, and where it has to come to."""
    there = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    return there or f"sqlite:///{tmp_path}/old.db", request.getfixturevalue(f"migrated_{request.param}_url")


@pytest.fixture
async def moving(places, tmp_path):
    """A started installation on either database, and a system to move there."""
    there, here = places
    await build("auth-entity", "dirty").write(there)
    async with auth_for_tests(database_url=here, data=tmp_path) as running:
        running.clock.move(NOW - running.clock.now())
        yield running, there


async def test_inv04_a_batch_that_takes_too_long_is_halved_until_it_fits(moving):
    """Every owner comes over once and alike, those who changed meanwhile too, and the checkpoint never runs ahead."""
    running, url = moving
    auth, heard = running.auth, []
    tools = auth.services.legacy.tools
    async with opened(url) as source:
        plan = await plan_for("auth-entity", source)
        await begin(tools.database, plan, NOW)
        await move(auth.services.legacy, plan, source, batch_size=7)
        expected = await contents(auth, tools.database, source)
        for query in FORGET:
            await tools.database.execute(query)
        await source.capture.remove()
        await begin(tools.database, plan, NOW)
        slow = SlowDatabase(tools.database, 3)
        legacy = Legacy(replace(tools, database=slow))
        await move(legacy, plan, source, batch_size=50, until=State.CAPTURING)
        await execute(url, 'UPDATE "user" SET name = name')

        state = await move(legacy, plan, source, batch_size=50, tell=heard.append)

        assert await conserved(tools.database, source) == {}
        assert differences(await contents(auth, tools.database, source), expected) == []
    assert state is State.BACKFILLED
    assert max(slow.sizes) > 3
    assert max(progress.owners for progress in heard) <= 3
    done = [progress.done for progress in heard]
    assert done == sorted(done)


async def test_an_owner_who_takes_too_long_alone_stops_a_run_that_can_go_on(moving):
    """There is nothing left to halve: what fitted is kept, and the next run goes on behind it."""
    running, url = moving
    tools = running.auth.services.legacy.tools
    async with opened(url) as source:
        plan = await plan_for("auth-entity", source)
        await move(running.auth.services.legacy, plan, source, until=State.CAPTURING)
        with pytest.raises(TookTooLong):
            await move(Legacy(replace(tools, database=SlowDatabase(tools.database, 0))), plan, source)
        kept = await tools.database.fetch_one(Query("SELECT count(*) FROM ostiary.legacy_roots", into=int))
        running.move(minutes=5)
        state = await move(running.auth.services.legacy, plan, source)

        assert await conserved(tools.database, source) == {}
    assert (kept, state) == (0, State.BACKFILLED)
