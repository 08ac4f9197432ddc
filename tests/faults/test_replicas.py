"""F03, F05: a server that is not the writer is never asked, and what no standby holds is not shown."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.faults.harness.clusters import Cluster

from ostiary.foundation.channel.postgresql import PostgreSQLChannel
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage import OutcomeUnknown, Query
from ostiary.foundation.storage.postgresql import PostgreSQL
from ostiary.schema.connection import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

pytestmark = pytest.mark.anyio
ADD: Query[Any] = Query("INSERT INTO noted VALUES (1)")
COUNT = Query("SELECT count(*) FROM noted", into=int)
FOLLOWS = Query("SELECT pg_is_in_recovery()", into=bool)
SERVER = Query("SELECT setting FROM pg_settings WHERE name = 'data_directory'", into=str)
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@asynccontextmanager
async def started(making: Awaitable[Cluster]) -> AsyncIterator[Cluster]:
    made = await making
    try:
        await made.start()
        yield made
    finally:
        await made.remove()


@pytest.fixture(scope="module")
async def cluster():
    """A primary that nobody changes."""
    async with started(Cluster.made()) as made:
        yield made


@pytest.fixture(scope="module")
async def replica(cluster):
    """Its replica."""
    async with started(cluster.copy()) as copy:
        yield copy


@pytest.fixture
async def doomed():
    """A primary that something will happen to."""
    async with started(Cluster.made()) as made:
        yield made


@pytest.fixture
async def lonely():
    """A primary whose synchronous standby cannot be reached."""
    async with started(Cluster.made("synchronous_standby_names = '*'")) as made:
        await made.run("SET synchronous_commit = local", "CREATE TABLE noted (number integer)")
        yield made


@pytest.fixture
async def without_standby(lonely):
    """Storage that waits for half a second."""
    async with opened(lonely.url) as database:
        yield database


@asynccontextmanager
async def opened(url: str, seconds: float = 0.5) -> AsyncIterator[PostgreSQL]:
    database = PostgreSQL(url, statement_timeout=timedelta(seconds=seconds))
    try:
        await database.open()
        yield database
    finally:
        await database.close()


def of_both(first: Cluster, second: Cluster) -> str:
    return f"postgresql://postgres@/postgres?host={first.folder},{second.folder}"


async def waits(cluster: Cluster, count: int) -> None:
    """Return once so many commits wait for the standby."""
    async with asyncio.timeout(30):
        while await cluster.value(WAITING) != count:
            pass


async def refuses(database: PostgreSQL) -> None:
    """Return once a read was not believed: a server reads its settings a moment after it was told to."""
    async with asyncio.timeout(30):
        with suppress(Unavailable):
            while True:
                await database.fetch_one(FOLLOWS)


async def test_f05_a_replica_is_not_the_database(replica):
    """A server that only replays another's changes is refused: revocations it has not replayed would be unknown."""
    with pytest.raises(Unavailable, match="standby or read-only"):
        async with opened(replica.url):
            raise AssertionError("A replica was taken for the database.")


async def test_f05_a_replica_has_no_schema_to_look_at(replica):
    """What the schema's commands say holds for the server that takes writes, so they ask no other."""
    with pytest.raises(Unavailable, match="standby or read-only"):
        async with connect(replica.url):
            raise AssertionError("A replica was taken for the database.")


@pytest.mark.parametrize("form", ["query", "address"])
async def test_f05_of_several_servers_the_primary_is_asked(cluster, replica, form):
    """A URL may name every server of a failover cluster, in any order and in both of libpq's ways."""
    url = of_both(replica, cluster)
    if form == "address":
        folders = ",".join(quote(str(each.folder), safe="") for each in (replica, cluster))
        url = f"postgresql://postgres@{folders}/postgres"

    async with opened(url) as database:
        server = await database.fetch_one(SERVER)

    assert server is not None
    assert server.startswith(str(cluster.folder))


async def test_f05_messages_between_workers_are_heard_at_the_primary(cluster, replica):
    """A standby cannot be listened to, so the channel, too, finds the primary."""
    channel = PostgreSQLChannel(of_both(replica, cluster))
    await channel.open()
    await channel.send("news")

    heard = await channel.receive(timedelta(seconds=10))
    await channel.close()

    assert heard == ["news"]


async def test_f03_the_promoted_standby_is_found_by_itself(doomed):
    """After a failover the same URL leads to the successor, without a restart."""
    async with (
        started(doomed.copy()) as standby,
        opened(of_both(doomed, standby), seconds=5) as database,
    ):
        before = await database.fetch_one(SERVER)
        await doomed.stop("immediate")
        await standby.promote()
        # It may learn of the end by this call.
        with suppress(Unavailable):
            await database.fetch_one(SERVER)
        after = await database.fetch_one(SERVER)

    assert before is not None
    assert before.startswith(str(doomed.folder))
    assert after is not None
    assert after.startswith(str(standby.folder))


async def test_f03_a_silent_server_leaves_time_for_the_others(cluster, tmp_path_factory):
    """A machine that lost its power refuses nothing: connections to it hang, and the primary is found all the same."""
    folder = tmp_path_factory.mktemp("silent")
    loop = asyncio.get_running_loop()
    silent = await loop.create_unix_server(asyncio.Protocol, folder / ".s.PGSQL.5432")
    url = f"postgresql://postgres@/postgres?host={folder},{cluster.folder}"

    async with silent, opened(url, seconds=2) as database:
        follows = await database.fetch_one(FOLLOWS)

    assert follows is False


async def test_f05_reads_of_a_primary_that_was_made_read_only_are_not_believed(doomed):
    """Somebody demoted it because another takes the writes now: what it says over open connections is old."""
    async with opened(doomed.url) as database:
        assert await database.fetch_one(FOLLOWS) is False
        await doomed.run(
            "ALTER SYSTEM SET default_transaction_read_only = on",
            "SELECT pg_reload_conf()",
        )
        await refuses(database)

        with pytest.raises(Unavailable, match="standby or read-only"):
            await database.fetch_one(FOLLOWS)


async def test_f03_a_change_given_up_while_it_waits_for_the_standby_is_not_shown(without_standby):
    """Whoever asks again must not be told of a change that a failover would take back."""
    with pytest.raises(OutcomeUnknown):
        await without_standby.execute(ADD)

    shown = await without_standby.fetch_one(COUNT)

    assert shown == 0


async def test_f03_a_transaction_given_up_while_it_waits_for_the_standby_is_not_shown(without_standby):
    """COMMIT is given up in the same way as a single change."""
    with pytest.raises(OutcomeUnknown):
        async with without_standby.transaction() as tx:
            await tx.execute(ADD)

    shown = await without_standby.fetch_one(COUNT)

    assert shown == 0


@pytest.mark.parametrize("kind", ["statement", "transaction"])
async def test_f03_a_caller_who_leaves_while_it_waits_for_the_standby_shows_nothing(
    lonely, without_standby, kind
):
    """A request whose client hung up ends the wait for its answer, and not the server's wait for the standby."""

    async def add() -> None:
        if kind == "statement":
            await without_standby.execute(ADD)
            return
        async with without_standby.transaction() as tx:
            await tx.execute(ADD)

    adding = asyncio.create_task(add())
    await waits(lonely, 1)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding

    shown = await without_standby.fetch_one(COUNT)

    assert shown == 0
    assert await lonely.value(WAITING) == 1


async def test_f03_what_was_given_up_is_shown_when_a_standby_holds_it(lonely, without_standby):
    """The wait ends by itself when the standby is back, or is no longer asked for, and the change is there."""
    with pytest.raises(OutcomeUnknown):
        await without_standby.execute(ADD)
    await lonely.run(
        "SET synchronous_commit = local",
        "ALTER SYSTEM SET synchronous_standby_names = ''",
        "SELECT pg_reload_conf()",
    )
    await waits(lonely, 0)

    shown = await without_standby.fetch_one(COUNT)

    assert shown == 1
