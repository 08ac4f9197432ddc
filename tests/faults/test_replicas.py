"""F03, F05: a server that is not the writer is never asked, and what no standby holds is not shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.faults.harness.clusters import Cluster

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage import Query, database_at
from ostiary.foundation.storage.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio
ADD = Query("INSERT INTO noted VALUES (1)")
COUNT = Query("SELECT count(*) FROM noted", into=int)


@pytest.fixture
async def cluster():
    made = await Cluster.made()
    await made.start()
    yield made
    await made.remove()


@pytest.fixture
async def replica(cluster):
    copy = await cluster.copy()
    await copy.start()
    yield copy
    await copy.remove()


@pytest.fixture
async def without_standby(cluster):
    """Storage that waits for half a second, on a primary whose synchronous standby cannot be reached."""
    await cluster.run("CREATE TABLE noted (number integer)")
    await cluster.run("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await cluster.stop()
    await cluster.start()
    database = PostgreSQL(cluster.url, statement_timeout=timedelta(milliseconds=500))
    await database.open()
    yield database
    await database.close()


async def test_f05_a_replica_is_not_the_database(replica):
    """A server that only replays another's changes is refused: revocations it has not replayed would be unknown."""
    database = database_at(replica.url)
    try:
        with pytest.raises(Unavailable):
            await database.open()
    finally:
        await database.close()


async def test_f03_a_change_given_up_while_it_waits_for_the_standby_is_not_shown(without_standby):
    """Whoever asks again must not be told of a change that a failover would take back."""
    with pytest.raises(Unavailable):
        await without_standby.execute(ADD)

    shown = await without_standby.fetch_one(COUNT)

    assert shown == 0
