"""Channels: what one process says, the others hear; what they cannot hear, they know they cannot."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from tests.doubles import Wire

from ostiary.foundation.channel import LONGEST_MESSAGE, channel_at
from ostiary.foundation.channel import redis as redis_channel
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage import Query, database_at

pytestmark = pytest.mark.anyio

LONG = timedelta(seconds=30)
SHORT = timedelta(milliseconds=20)
AT_ONCE = timedelta(0)


@asynccontextmanager
async def opened(*urls: tuple[str, str | None]):
    """Open a channel for each pair of database and Redis."""
    channels = [channel_at(*each) for each in urls]
    try:
        for channel in channels:
            await channel.open()
        yield channels
    finally:
        for channel in channels:
            await channel.close()


async def heard(channel, count=1):
    """Return the first messages that arrive, however they are bundled."""
    messages = []
    async with asyncio.timeout(LONG.total_seconds()):
        while len(messages) < count:
            messages += await channel.receive(LONG) or ()
    return messages


@pytest.fixture(params=["postgresql", "redis"])
def place(request):
    """What a channel that carries messages is made from."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql_url"), None
    return "sqlite:///unused", request.getfixturevalue("redis").url


async def test_everybody_hears_what_one_says(place):
    """A message reaches every open channel, the sender's own too, as it was sent."""
    async with opened(place, place) as (here, there):
        await here.send("one")
        await there.send("zwei ü\n")

        assert sorted(await heard(here, 2)) == sorted(await heard(there, 2)) == ["one", "zwei ü\n"]


async def test_many_messages_keep_their_order(place):
    """What one sender says is heard in the order it was said, none of it lost or doubled."""
    said = [str(number) for number in range(200)]
    async with opened(place, place) as (here, there):
        for message in said:
            await here.send(message)

        assert await heard(there, 200) == said


async def test_the_longest_message_arrives_whole(place):
    """A message may be as long as the channel says."""
    longest = "x" * LONGEST_MESSAGE
    async with opened(place, place) as (here, there):
        await here.send(longest)

        assert await heard(there) == [longest]


async def test_silence_is_none_again_and_again(place):
    """Nothing said is nothing heard, and messages after a silence arrive."""
    async with opened(place, place) as (here, there):
        await there.receive(SHORT)
        silences = [await there.receive(SHORT) for _ in range(3)]
        await here.send("afterwards")

        assert silences == [None, None, None]
        assert await heard(there) == ["afterwards"]


async def test_a_silence_lasts_as_long_as_was_asked(place):
    """Waiting without messages does not become a busy loop: no answer comes while the time is not over."""
    async with opened(place) as (channel,):
        await channel.receive(SHORT)
        await channel.receive(SHORT)
        waiting = asyncio.create_task(channel.receive(LONG))
        _, still_waiting = await asyncio.wait([waiting], timeout=0.3)
        await channel.send("wake up")

        assert still_waiting == {waiting}
        assert await waiting == ["wake up"]


async def test_a_channel_that_is_not_open_says_so(place):
    """Before `open` and after `close`, sending and receiving fail; closing never does."""
    channel = channel_at(*place)
    await channel.close()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await channel.send("nobody hears this")
        with pytest.raises(Unavailable):
            await channel.receive(SHORT)
        await channel.open()
        await channel.close()
        await channel.close()


async def test_what_was_said_before_opening_is_not_heard(place):
    """A channel begins when it is opened; its own first message is not shown to its owner."""
    async with opened(place) as (here,):
        await here.send("early")
        assert await heard(here) == ["early"]
        async with opened(place) as (there,):
            await here.send("late")

            assert await heard(there) == ["late"]


# PostgreSQL.


@pytest.fixture
async def wire(postgresql_url, tmp_path_factory):
    (server,) = parse_qs(urlsplit(postgresql_url).query)["host"]
    async with Wire(Path(server), tmp_path_factory.mktemp("wire")).laid() as wire:
        yield wire


@pytest.fixture
def distant_url(postgresql_url, wire):
    """The database at the other end of a wire that can be cut."""
    return urlsplit(postgresql_url)._replace(query=f"host={wire.client_directory}").geturl()


async def test_f03_a_lost_connection_is_noticed_while_waiting(wire, distant_url):
    """Whoever waits for messages hears at once that none can come, and hears again after opening anew."""
    async with opened((distant_url, None)) as (channel,):
        waiting = asyncio.create_task(channel.receive(LONG))
        await asyncio.sleep(0)
        wire.cut()
        with pytest.raises(Unavailable):
            await waiting
        with pytest.raises(Unavailable):
            await channel.send("into nothing")
        with pytest.raises(Unavailable):
            await channel.open()
        wire.mend()
        await channel.open()
        await channel.send("again")

        assert await heard(channel) == ["again"]


async def test_a_backend_that_is_ended_by_an_operator_is_noticed(postgresql_url):
    """`pg_terminate_backend` on the listening connection ends the waiting, too."""
    ending = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ostiary-channel'"
    async with opened((postgresql_url, None)) as (channel,):
        waiting = asyncio.create_task(channel.receive(LONG))
        operator = await asyncpg.connect(postgresql_url)
        ended = await operator.fetchval(ending)
        await operator.close()

        assert ended == 1
        with pytest.raises(Unavailable):
            await waiting


class Swallowing(Wire):
    """A wire that loses what the server says without being asked, as a pooler between transactions does."""

    @staticmethod
    async def _copy(source, target):
        # A notification is one message: 'A', its length, and its content.
        try:
            while kind := await source.read(1):
                length = await source.readexactly(4)
                content = await source.readexactly(int.from_bytes(length) - 4)
                if kind != b"A":
                    target.write(kind + length + content)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        target.close()


async def test_a_pooler_that_swallows_messages_is_found_out(postgresql_url, tmp_path_factory, monkeypatch):
    """Opening through one fails with what to do, and does not pretend to hear."""
    monkeypatch.setattr("ostiary.foundation.channel.postgresql._ANSWER_LIMIT", timedelta(milliseconds=500))
    (server,) = parse_qs(urlsplit(postgresql_url).query)["host"]
    async with Swallowing(Path(server), tmp_path_factory.mktemp("pooler")).laid() as pooler:
        through = urlsplit(postgresql_url)._replace(query=f"host={pooler.client_directory}").geturl()
        database = database_at(through)
        await database.open()
        answer = await database.fetch_one(Query("SELECT 1", into=int))
        await database.close()
        channel = channel_at(through, None)

        assert answer == 1
        with pytest.raises(Unavailable, match="session mode"):
            await channel.open()


# SQLite.


@pytest.fixture
def file(tmp_path):
    """A database file with one table."""
    path = tmp_path / "ostiary.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE things (name TEXT)")
    return path


async def test_sqlite_hears_that_another_connection_committed(file):
    """A commit of anybody else is news without content, once; reading is none."""
    async with opened((f"sqlite:///{file}", None)) as (channel,):
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("INSERT INTO things VALUES ('one')")
            first = await channel.receive(LONG)
            second = await channel.receive(AT_ONCE)
            other.execute("SELECT * FROM things").fetchall()
            third = await channel.receive(AT_ONCE)
            other.execute("INSERT INTO things VALUES ('two')")
            fourth = await channel.receive(LONG)

        assert [first, second, third, fourth] == [(), None, None, ()]


async def test_sqlite_hears_another_process(file):
    """A commit of another process ends the waiting."""
    async with opened((f"sqlite:///{file}", None)) as (channel,):
        script = f"import sqlite3; c = sqlite3.connect({str(file)!r}); c.execute('DELETE FROM things'); c.execute(\"INSERT INTO things VALUES ('x')\"); c.commit()"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
        async with asyncio.timeout(LONG.total_seconds()):
            news = await channel.receive(LONG)
        await process.wait()

        assert news == ()


async def test_sqlite_a_file_that_is_not_there_cannot_be_watched(tmp_path):
    """Watching a file that does not exist fails and does not make it."""
    path = tmp_path / "nothing.db"
    channel = channel_at(f"sqlite:///{path}", None)

    with pytest.raises(Unavailable):
        await channel.open()
    with pytest.raises(Unavailable):
        await channel.receive(AT_ONCE)
    assert not path.exists()


async def test_sqlite_sending_needs_nothing(file):
    """The commit itself is the message; saying more changes nothing."""
    async with opened((f"sqlite:///{file}", None)) as (channel,):
        await channel.send("anything")

        assert await channel.receive(AT_ONCE) is None


# Redis.


async def test_f06_a_killed_redis_is_noticed_while_waiting(redis):
    """Whoever waits hears at once that Redis is gone, and hears again once it is back."""
    async with opened(("sqlite:///unused", redis.url)) as (channel,):
        waiting = asyncio.create_task(channel.receive(LONG))
        await asyncio.sleep(0)
        redis.kill()
        with pytest.raises(Unavailable):
            await waiting
        with pytest.raises(Unavailable):
            await channel.send("into nothing")
        with pytest.raises(Unavailable):
            await channel.open()
        redis.start()
        await channel.open()
        await channel.send("again")

        assert await heard(channel) == ["again"]


async def test_f06_a_frozen_redis_is_noticed_after_a_silence(redis, monkeypatch):
    """A server that neither answers nor closes is found out by asking; sending and opening do not wait for ever."""
    monkeypatch.setattr(redis_channel, "_ANSWER_LIMIT", timedelta(milliseconds=200))
    async with opened(("sqlite:///unused", redis.url)) as (channel,):
        redis.freeze()
        with pytest.raises(Unavailable):
            await channel.send("into nothing")
        with pytest.raises(Unavailable):
            await channel.receive(SHORT)
        with pytest.raises(Unavailable):
            await channel.open()
        redis.thaw()
        await channel.open()
        await channel.send("again")

        assert "again" in await heard(channel)
