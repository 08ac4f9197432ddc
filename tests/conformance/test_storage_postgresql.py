"""What only PostgreSQL can suffer: lost wires, shutdowns, limits, a pool that runs dry."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from tests.doubles import Wire

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage import OutcomeUnknown, Query, Unstorable
from ostiary.foundation.storage.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio

TABLE: Query[Any] = Query("CREATE TABLE notes (text text NOT NULL)")
ADD: Query[Any] = Query("INSERT INTO notes (text) VALUES ($1)")
NOTES = Query("SELECT text FROM notes ORDER BY text", into=str)
NUMBER = Query("SELECT pg_backend_pid() AS pid", into=int)
SLEEP: Query[Any] = Query("SELECT pg_sleep(60)")
DIVIDE: Query[Any] = Query("INSERT INTO notes (text) VALUES ((1 / $1::int)::text)")


@pytest.fixture
async def database(postgresql_url):
    database = PostgreSQL(postgresql_url)
    await database.open()
    await database.execute(TABLE)
    yield database
    await database.close()


@pytest.fixture
async def administrator(postgresql_url):
    """A connection of its own, to look at the server and to harm it."""
    connection = await asyncpg.connect(postgresql_url)
    yield connection
    await connection.close()


@pytest.fixture
async def wire(postgresql_url, tmp_path_factory):
    (server,) = parse_qs(urlsplit(postgresql_url).query)["host"]
    async with Wire(Path(server), tmp_path_factory.mktemp("wire")).laid() as wire:
        yield wire


@pytest.fixture
async def distant(postgresql_url, wire):
    """The database at the other end of a wire that can be cut."""
    parts = urlsplit(postgresql_url)
    database = PostgreSQL(parts._replace(query=f"host={wire.client_directory}").geturl())
    await database.open()
    await database.execute(TABLE)
    yield database
    await database.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("application_name", "ostiary"),
        ("timezone", "UTC"),
        ("statement_timeout", "5s"),
        ("transaction_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "5s"),
        ("synchronous_commit", "on"),
    ],
)
async def test_every_session_has_its_limits(database, setting, value):
    """The server itself bounds what a session may do, and keeps to it after transactions and failures."""
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            raise ZeroDivisionError

    assert await database.fetch_one(Query(f"SHOW {setting}", into=str)) == value


async def test_f09_a_slow_statement_is_ended(postgresql_url):
    """A statement that outlasts its limit is Unavailable, and the database goes on working."""
    database = PostgreSQL(postgresql_url, statement_timeout=timedelta(milliseconds=100))
    await database.open()

    with pytest.raises(Unavailable):
        await database.execute(SLEEP)

    assert await database.fetch_one(NUMBER)
    await database.close()


async def test_f09_an_empty_pool_is_unavailable(postgresql_url):
    """Whoever gets no connection in time is told so, and gets one when it is free again."""
    database = PostgreSQL(postgresql_url, pool_size=1, statement_timeout=timedelta(milliseconds=200))
    await database.open()

    async with database.transaction() as tx:
        await tx.fetch_one(NUMBER)
        with pytest.raises(Unavailable):
            await database.fetch_one(NUMBER)

    assert await database.fetch_one(NUMBER)
    await database.close()


async def test_f09_a_deadlock_is_unavailable(database):
    """Of two transactions that wait for each other one is told to try again, the other commits."""
    await database.execute(ADD, "a")
    await database.execute(ADD, "b")
    lock: Query[Any] = Query("UPDATE notes SET text = text WHERE text = $1")
    both_hold_one = asyncio.Barrier(2)

    async def take(first: str, second: str) -> None:
        async with database.transaction() as tx:
            await tx.execute(lock, first)
            await both_hold_one.wait()
            await tx.execute(lock, second)

    outcomes = await asyncio.gather(take("a", "b"), take("b", "a"), return_exceptions=True)

    assert sorted(type(outcome) for outcome in outcomes if outcome) == [Unavailable]


async def test_a_terminated_session_is_unavailable_then_replaced(database, administrator):
    """A statement whose session is ended by the server is Unavailable; the next one has a new session."""
    process = await database.fetch_one(NUMBER)

    async def work() -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD, "a")
            await administrator.execute("SELECT pg_terminate_backend($1, 5000)", process)
            await tx.execute(ADD, "b")

    with pytest.raises(Unavailable) as caught:
        await work()

    assert not isinstance(caught.value, OutcomeUnknown)
    assert await database.fetch_one(NUMBER) != process
    assert await database.fetch_all(NOTES) == []


async def test_an_idle_session_that_was_terminated_is_replaced(database, administrator):
    """A session the server ended while nobody used it costs the next caller nothing but a new one."""
    process = await database.fetch_one(NUMBER)
    await administrator.execute("SELECT pg_terminate_backend($1, 5000)", process)

    outcome = (await asyncio.gather(database.fetch_one(NUMBER), return_exceptions=True))[0]

    assert isinstance(outcome, Unavailable) or outcome != process
    assert await database.fetch_one(NUMBER) != process


async def test_f09_a_session_that_ended_unnoticed_keeps_no_place_in_the_pool(
    postgresql_url, wire, administrator
):
    """A caller who meets a session with nothing but the server's last word in it leaves its place to the next."""
    distant = urlsplit(postgresql_url)._replace(query=f"host={wire.client_directory}").geturl()
    database = PostgreSQL(distant, pool_size=1, statement_timeout=timedelta(seconds=1))
    await database.open()
    process = await database.fetch_one(NUMBER)
    wire.hides_ends = True
    await administrator.execute("SELECT pg_terminate_backend($1, 5000)", process)
    for _ in range(3):
        # Long enough for the last word to arrive; it is on its way already.
        await administrator.execute("SELECT 1")

    with pytest.raises(Unavailable):
        await database.fetch_one(NUMBER)
    wire.hides_ends = False

    assert await database.fetch_one(NUMBER) != process
    await database.close()


async def test_f09_closing_ends_though_the_server_is_silent(postgresql_url, wire):
    """A server that takes leave of nobody keeps no worker from ending, and is nobody's error then."""
    distant = urlsplit(postgresql_url)._replace(query=f"host={wire.client_directory}").geturl()
    database = PostgreSQL(distant, statement_timeout=timedelta(milliseconds=200))
    await database.open()
    wire.hides_ends = True

    await database.close()

    assert database.connections().open == 0


async def test_f05_a_server_that_became_read_only_is_unavailable(database, administrator):
    """A demoted primary refuses changes: that is Unavailable, and the session is not used again."""
    process = await database.fetch_one(NUMBER)
    await database.execute(Query("SET default_transaction_read_only = on"))

    with pytest.raises(Unavailable):
        await database.execute(ADD, "a")

    assert await database.fetch_one(NUMBER) != process
    assert await database.execute(ADD, "b") == 1


async def test_a_server_that_is_away_is_unavailable_until_it_returns(distant, wire):
    """While the server cannot be reached every call is Unavailable; when it is back they work, without a restart."""
    wire.cut()

    for _ in range(3):
        with pytest.raises(Unavailable):
            await distant.fetch_all(NOTES)
    wire.mend()

    assert await distant.execute(ADD, "a") == 1


async def test_opening_before_the_server_is_there_heals(postgresql_url, wire):
    """Opening says that the server is away, and the database works as soon as it is there."""
    database = PostgreSQL(urlsplit(postgresql_url)._replace(query=f"host={wire.client_directory}").geturl())
    wire.cut()

    with pytest.raises(Unavailable):
        await database.open()
    wire.mend()

    assert await database.fetch_one(NUMBER)
    await database.close()


@pytest.mark.parametrize(
    "url", ["postgresql://nobody:hunter2@127.0.0.1:1/x", "postgresql://x:hunter2@host:port/x"]
)
async def test_a_url_that_leads_nowhere_is_not_quoted(url):
    """A URL that cannot be used is reported without its password."""
    with pytest.raises(Unavailable) as caught:
        await PostgreSQL(url).open()

    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_f04_a_wire_cut_while_committing_leaves_the_outcome_unknown(distant, wire):
    """A transaction whose COMMIT was not answered is never called failed: here it did happen."""
    wire.cut_after = b"COMMIT"

    with pytest.raises(OutcomeUnknown):
        async with distant.transaction() as tx:
            await tx.execute(ADD, "a")
    wire.mend()

    assert await distant.fetch_all(NOTES) == ["a"]


async def test_f04_a_wire_cut_during_a_single_change_leaves_its_outcome_unknown(distant, wire):
    """A statement that commits by itself and was not answered is never called failed: here it did happen."""
    wire.cut_after = b"mark of this row"

    with pytest.raises(OutcomeUnknown):
        await distant.execute(ADD, "mark of this row")
    wire.mend()

    assert await distant.fetch_all(NOTES) == ["mark of this row"]


async def test_f04_a_wire_cut_before_committing_is_a_plain_failure(distant, wire):
    """A transaction whose connection broke before COMMIT was sent did not happen, and that is what is said."""

    async def work() -> None:
        async with distant.transaction() as tx:
            await tx.execute(ADD, "a")
            wire.cut_after = b"mark of this row"
            await tx.execute(ADD, "mark of this row")

    with pytest.raises(Unavailable) as caught:
        await work()
    wire.mend()

    assert not isinstance(caught.value, OutcomeUnknown)
    assert await distant.fetch_all(NOTES) == []


async def test_f04_a_wire_cut_while_reading_is_a_plain_failure(distant, wire):
    """A look-up changes nothing, so its outcome is never in doubt."""
    wire.cut_after = b"mark of this row"

    with pytest.raises(Unavailable) as caught:
        await distant.fetch_one(Query("SELECT text FROM notes WHERE text = $1", into=str), "mark of this row")
    wire.mend()

    assert not isinstance(caught.value, OutcomeUnknown)


async def test_f04_a_session_ended_by_its_own_commit_leaves_the_outcome_unknown(database):
    """A session the server ends in the middle of COMMIT says nothing about the outcome."""
    await database.execute(
        Query(
            """
            CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END$$;
            CREATE CONSTRAINT TRIGGER fall AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION fall();
            """
        )
    )

    with pytest.raises(OutcomeUnknown):
        async with database.transaction() as tx:
            await tx.execute(ADD, "a")

    assert await database.fetch_all(NOTES) == []


async def test_cancelling_a_running_statement_leaves_a_clean_connection(postgresql_url):
    """A statement cancelled on its way is ended on the server, and its connection serves the next."""
    database = PostgreSQL(postgresql_url, pool_size=1)
    await database.open()
    process = await database.fetch_one(NUMBER)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await database.execute(SLEEP)

    assert await database.fetch_one(NUMBER) == process
    await database.close()


@pytest.mark.parametrize("how", ["alone", "at once", "deferred"])
async def test_a_division_by_zero_is_refused_as_any_value_that_does_not_fit(database, how):
    """An application's own mistake has one name wherever it is made, and keeps nothing."""

    async def work() -> None:
        if how == "alone":
            await database.execute(DIVIDE, 0)
            return
        async with database.transaction() as tx:
            tx.defer(ADD, "kept by nobody")
            if how == "at once":
                await tx.execute(DIVIDE, 0)
            else:
                tx.defer(DIVIDE, 0)

    with pytest.raises(Unstorable):
        await work()

    assert await database.fetch_all(NOTES) == []


class Asked(PostgreSQL):
    """A database that remembers what it sent."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sent: list[str] = []

    async def ask(self, connection, verb, text, parameters=(), *, commits=False):
        self.sent.append(text.split(maxsplit=1)[0])
        return await super().ask(connection, verb, text, parameters, commits=commits)


@pytest.mark.parametrize(
    ("at_once", "deferred", "sent"),
    [
        (0, 0, []),
        (0, 1, ["INSERT"]),
        (0, 16, ["WITH"]),
        (0, 17, ["BEGIN", "WITH", "INSERT", "COMMIT"]),
        (1, 0, ["BEGIN", "INSERT", "COMMIT"]),
        (1, 5, ["BEGIN", "INSERT", "WITH", "COMMIT"]),
    ],
)
async def test_deferred_changes_are_sent_together(postgresql_url, at_once, deferred, sent):
    """This is what leaves for the server: what the counting double of the other tests says is so."""
    database = Asked(postgresql_url)
    await database.open()
    await database.execute(TABLE)
    database.sent.clear()

    async with database.transaction() as tx:
        for _ in range(at_once):
            await tx.execute(ADD, "at once")
        for _ in range(deferred):
            tx.defer(ADD, "deferred")
    what_was_sent = list(database.sent)
    notes = await database.fetch_all(NOTES)
    await database.close()

    assert what_was_sent == sent
    assert len(notes) == at_once + deferred
