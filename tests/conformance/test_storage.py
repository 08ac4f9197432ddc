"""One suite for both databases: whatever is promised by the storage protocol holds on either."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import UUID

import anyio
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.doubles import CountingDatabase

from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.storage import (
    Query,
    ReferenceViolation,
    RuleViolation,
    TransactionFailed,
    UniqueViolation,
    Unstorable,
    database_at,
)

pytestmark = pytest.mark.anyio

# The database keeps nothing between examples that they could notice.
examples = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, slots=True)
class Thing:
    id: UUID
    label: str
    kind: Colour | None
    count: int
    seen_at: datetime | None
    raw: bytes | None
    data: dict[str, Any] | None
    is_on: bool | None


TABLE: Query[Any] = Query(
    postgresql="""
    CREATE SCHEMA ostiary;
    CREATE TABLE ostiary.things (
        id uuid CONSTRAINT pk_things_id PRIMARY KEY, label text NOT NULL, kind text,
        count bigint NOT NULL DEFAULT 0 CHECK (count >= 0), seen_at timestamptz, raw bytea, data jsonb, is_on boolean,
        parent_id uuid REFERENCES ostiary.things (id), CONSTRAINT uq_things_kind_label UNIQUE (kind, label));
    """,
    sqlite="""
    CREATE TABLE ostiary.things (
        id BLOB PRIMARY KEY NOT NULL, label TEXT NOT NULL, kind TEXT,
        count INTEGER NOT NULL DEFAULT 0 CHECK (count >= 0), seen_at INTEGER, raw BLOB, data TEXT, is_on INTEGER,
        parent_id BLOB REFERENCES ostiary_things (id), UNIQUE (kind, label)) WITHOUT ROWID
    """,
)
COLUMNS = "id, label, kind, count, seen_at, raw, data, is_on"
INSERT = Query(
    f"INSERT INTO ostiary.things ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {COLUMNS}",
    into=Thing,
)
ADD: Query[Any] = Query("INSERT INTO ostiary.things (id, label, kind) VALUES ($1, $2, $3)")
FIND = Query(f"SELECT {COLUMNS} FROM ostiary.things WHERE id = $1", into=Thing)
LABELS = Query("SELECT label FROM ostiary.things ORDER BY label", into=str)
COUNT = Query("SELECT count FROM ostiary.things WHERE id = $1", into=int)
SET_COUNT: Query[Any] = Query("UPDATE ostiary.things SET count = $2 WHERE id = $1")
INCREMENT = Query("UPDATE ostiary.things SET count = count + 1 WHERE id = $1 RETURNING count", into=int)
BROKEN: Query[Any] = Query("SELECT * FROM ostiary.nothing", into=int)

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

MOMENT = Query(postgresql="SELECT $1::timestamptz AS at", sqlite="SELECT $1 AS at", into=datetime)
TEXT = Query(postgresql="SELECT $1::text AS text", sqlite="SELECT $1 AS text", into=str)
JSON = Query(postgresql="SELECT $1::jsonb AS data", sqlite="SELECT $1 AS data", into=dict)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture
async def things(database):
    await database.execute(TABLE)
    return database


async def test_every_type_comes_back_as_it_went_in(things):
    """A row read back equals the values written, each in its own type."""
    thing = Thing(ONE, "Ünïcödé 🚪", Colour.RED, 2**62, NOON, b"\0\xff", {"a": [1, None, "x"]}, True)

    await things.fetch_one(INSERT, *(getattr(thing, name) for name in COLUMNS.split(", ")))
    found = await things.fetch_one(FIND, ONE)

    assert found == thing
    assert isinstance(found.id, UUID)
    assert isinstance(found.kind, Colour)
    assert found.seen_at.utcoffset() == timedelta(0)
    assert found.is_on is True


async def test_many_rows_are_loaded_at_once(things):
    """Rows that are loaded come back as those that are inserted, with what the transaction does beside."""
    loaded = [
        Thing(UUID(int=number), f"thing {number} 🚪", None, number, NOON, b"\0", {"n": number}, False)
        for number in range(1, 300)
    ]
    rows = [[getattr(thing, name) for name in COLUMNS.split(", ")] for thing in loaded]

    async with things.transaction() as tx:
        await tx.load("things", COLUMNS.split(", "), rows)
        await tx.execute(ADD, UUID(int=1000), "beside", None)

    assert await things.fetch_one(FIND, UUID(int=299)) == loaded[-1]
    assert len(await things.fetch_all(LABELS)) == 300


async def test_a_load_that_breaks_a_rule_keeps_nothing(things):
    """A row that is there already refuses the whole load, by the name of the rule, and the transaction is lost."""
    await things.execute(ADD, TWO, "first", None)

    with pytest.raises(UniqueViolation) as refused:
        async with things.transaction() as tx:
            await tx.load("things", ["id", "label"], [[ONE, "one"], [TWO, "two"]])

    assert refused.value.constraint == "pk_things_id"
    assert await things.fetch_all(LABELS) == ["first"]


async def test_null_comes_back_as_none(things):
    """What was None stays None in every type."""
    found = await things.fetch_one(INSERT, ONE, "x", None, 0, None, None, None, None)

    assert found == Thing(ONE, "x", None, 0, None, None, None, None)


async def test_no_row_is_none_or_empty(things):
    """An answer without rows is None, or an empty list."""
    assert await things.fetch_one(FIND, ONE) is None
    assert await things.fetch_all(LABELS) == []


@examples
@given(moment=st.timedeltas(timedelta(days=-300_000), timedelta(days=300_000)).map(NOON.__add__))
@example(moment=datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
async def test_moments_keep_every_microsecond(database, moment):
    """A moment comes back equal, to the microsecond, in UTC."""
    assert await database.fetch_one(MOMENT, moment) == moment


async def test_a_moment_of_another_zone_is_the_same_moment(database):
    """The zone a moment is written in does not change it."""
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))

    assert await database.fetch_one(MOMENT, elsewhere) == NOON


async def test_a_moment_without_zone_is_refused(database):
    """A moment that does not say its zone is stored nowhere."""
    with pytest.raises(Unstorable):
        await database.fetch_one(MOMENT, NOON.replace(tzinfo=None))


@examples
@given(text=st.text())
@example(text="a\0b")
async def test_text_is_kept_or_refused_whole(database, text):
    """Text comes back equal; text with a NUL is refused by either database."""
    if "\0" in text:
        with pytest.raises(Unstorable):
            await database.fetch_one(TEXT, text)
    else:
        assert await database.fetch_one(TEXT, text) == text


@examples
@given(value=st.dictionaries(st.text(max_size=8), json_values, max_size=4))
@example(value={"key": "a\0b"})
@example(value={"a\0b": 1})
@example(value={"key": "\\u0000"})
@example(value={"key": "\\\\u0000"})
@example(value={"key": "\\\0"})
async def test_json_is_kept_or_refused_whole(database, value):
    """JSON comes back equal; JSON with a NUL in any text is refused by either database."""
    if _has_nul(value):
        with pytest.raises(Unstorable):
            await database.fetch_one(JSON, value)
    else:
        assert await database.fetch_one(JSON, value) == value


def _has_nul(value):
    if isinstance(value, dict):
        return any(map(_has_nul, value)) or any(map(_has_nul, value.values()))
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value


@pytest.mark.parametrize(
    "value", ["half a pair \ud800", {"key": "\ud800"}, 2**64], ids=["text", "json", "number"]
)
async def test_what_does_not_fit_is_refused_without_being_quoted(things, value):
    """A value the database cannot hold is refused, and the message does not repeat it."""
    query = {str: TEXT, dict: JSON, int: SET_COUNT}[type(value)]

    with pytest.raises(Unstorable) as caught:
        await things.execute(query, *([ONE, value] if query is SET_COUNT else [value]))

    assert str(value)[:8] not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_parameters_are_bound_by_number(things):
    """`$2` before `$1` binds the second parameter, not the first."""
    await things.execute(ADD, ONE, "x", None)

    await things.execute(Query("UPDATE ostiary.things SET count = $2 WHERE id = $1"), ONE, 7)

    assert await things.fetch_one(COUNT, ONE) == 7


async def test_one_parameter_may_serve_twice(things):
    """A parameter named twice is given once."""
    await things.execute(
        Query("INSERT INTO ostiary.things (id, label, kind) VALUES ($1, $2, $2)"), ONE, "red"
    )

    assert (await things.fetch_one(FIND, ONE)).kind is Colour.RED


async def test_on_conflict_returns_the_row_that_stands(things):
    """An upsert answers with the row as it is afterwards."""
    upsert = Query(
        """
        INSERT INTO ostiary.things (id, label, kind, count) VALUES ($1, $2, 'red', 1)
        ON CONFLICT (kind, label) DO UPDATE SET count = ostiary.things.count + 1 RETURNING count
        """,
        into=int,
    )

    assert await things.fetch_one(upsert, ONE, "x") == 1
    assert await things.fetch_one(upsert, TWO, "x") == 2


@pytest.mark.parametrize(
    ("text", "touched"),
    [
        ("UPDATE ostiary.things SET count = 1", 2),
        ("UPDATE ostiary.things SET count = 1 WHERE label = 'nobody'", 0),
        ("UPDATE ostiary.things SET count = 1 RETURNING id", 2),
        ("DELETE FROM ostiary.things WHERE label = 'a'", 1),
        (
            "WITH chosen AS (SELECT 'a' AS label) DELETE FROM ostiary.things WHERE label IN (SELECT label FROM chosen)",
            1,
        ),
        ("SELECT id FROM ostiary.things", 2),
        ("SELECT id FROM ostiary.things WHERE label = 'nobody'", 0),
    ],
)
async def test_execute_counts_the_rows_it_touched(things, text, touched):
    """The count is of the rows the statement touched, whatever its shape."""
    await things.execute(ADD, ONE, "a", None)
    await things.execute(ADD, TWO, "b", None)

    assert await things.execute(Query(text)) == touched


SCRIPT = Query(
    postgresql="""
    WITH added AS (INSERT INTO ostiary.things (id, label, count) VALUES ($1, $2, 0)),
         raised AS (UPDATE ostiary.things SET count = $4 WHERE id = $3 RETURNING count)
    SELECT count FROM raised
    """,
    sqlite=[
        "INSERT INTO ostiary.things (id, label, count) VALUES ($1, $2, 0)",
        "UPDATE ostiary.things SET count = $4 WHERE id = $3 RETURNING count",
    ],
    into=int,
)


async def test_a_script_answers_with_its_last_statement(things):
    """Several statements on one database answer like the one statement on the other."""
    await things.execute(ADD, ONE, "a", None)

    assert await things.fetch_one(SCRIPT, TWO, "b", ONE, 9) == 9
    assert await things.fetch_all(LABELS) == ["a", "b"]


async def test_a_script_ends_with_the_first_row(things):
    """A statement that answers with a row ends a script; the ones after it do not run."""
    spend_or_add = Query(
        postgresql="""
        WITH spent AS (UPDATE ostiary.things SET count = 1 WHERE id = $1 RETURNING label),
             added AS (INSERT INTO ostiary.things (id, label) SELECT $1, $2 WHERE NOT EXISTS (SELECT FROM spent)
                       RETURNING label)
        SELECT label FROM spent UNION ALL SELECT label FROM added
        """,
        sqlite=[
            "UPDATE ostiary.things SET count = 1 WHERE id = $1 RETURNING label",
            "INSERT INTO ostiary.things (id, label) VALUES ($1, $2) RETURNING label",
        ],
        into=str,
    )

    assert await things.fetch_one(spend_or_add, ONE, "first") == "first"
    assert await things.fetch_one(spend_or_add, ONE, "second") == "first"
    assert await things.fetch_all(LABELS) == ["first"]


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a transaction"])
async def test_a_script_happens_whole_or_not_at_all(things, inside):
    """When its last statement fails, nothing of a script is kept."""
    await things.execute(ADD, ONE, "a", None)

    async def run_inside() -> None:
        async with things.transaction() as tx:
            await tx.fetch_one(SCRIPT, TWO, "b", ONE, -1)

    with pytest.raises(RuleViolation):
        await (run_inside() if inside else things.fetch_one(SCRIPT, TWO, "b", ONE, -1))

    assert await things.fetch_all(LABELS) == ["a"]


async def test_a_transaction_is_kept_when_its_block_ends(things):
    """Statements of a transaction see each other in order, and the rest of the world sees them after the end."""
    async with things.transaction() as tx:
        await tx.execute(ADD, ONE, "a", None)
        await tx.execute(INCREMENT, ONE)
        second = await tx.fetch_one(INCREMENT, ONE)
        inside = await tx.fetch_all(LABELS)

    assert second == 2
    assert inside == ["a"]
    assert await things.fetch_one(COUNT, ONE) == 2


async def test_a_transaction_is_undone_when_its_block_raises(things):
    """Whatever exception leaves the block, nothing is kept, and the exception arrives unchanged."""

    async def work() -> None:
        async with things.transaction() as tx:
            await tx.execute(ADD, ONE, "a", None)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await work()

    assert await things.fetch_all(LABELS) == []


async def test_a_swallowed_error_does_not_commit(things):
    """A block that hides the failure of a statement keeps nothing and says so."""
    await things.execute(ADD, ONE, "a", "red")

    async def work() -> None:
        async with things.transaction() as tx:
            await tx.execute(ADD, TWO, "b", "red")
            with pytest.raises(UniqueViolation):
                await tx.execute(ADD, THREE, "a", "red")

    with pytest.raises(TransactionFailed):
        await work()

    assert await things.fetch_all(LABELS) == ["a"]


async def test_nothing_runs_after_a_failed_statement(things):
    """A transaction in which a statement failed refuses every further one."""

    async def work() -> None:
        async with things.transaction() as tx:
            with pytest.raises(RuleViolation):
                await tx.execute(ADD, ONE, None, None)
            await tx.execute(ADD, ONE, "a", None)

    with pytest.raises(TransactionFailed):
        await work()

    assert await things.fetch_all(LABELS) == []


async def test_on_commit_is_called_once_the_change_is_kept(things):
    """What was to be done on commit is done after the block, in order, and not before."""
    called: list[str] = []

    async with things.transaction() as tx:
        tx.on_commit(lambda: called.append("first"))
        tx.on_commit(lambda: called.append("second"))
        await tx.execute(ADD, ONE, "a", None)
        before = list(called)

    assert before == []
    assert called == ["first", "second"]


async def test_on_commit_is_not_called_when_nothing_is_kept(things):
    """A transaction that is rolled back does nothing of what was to be done on commit."""
    called: list[str] = []

    async def work() -> None:
        async with things.transaction() as tx:
            tx.on_commit(lambda: called.append("never"))
            await tx.execute(ADD, ONE, None, None)

    with pytest.raises(RuleViolation):
        await work()

    assert called == []


async def test_a_transaction_is_over_after_its_block(things):
    """A transaction kept beyond its block can do nothing."""
    async with things.transaction() as tx:
        pass

    with pytest.raises(RuntimeError, match="ended"):
        await tx.execute(ADD, ONE, "a", None)


async def test_a_transaction_is_invisible_until_it_ends(things):
    """While a transaction is open, others read the value before it, without waiting."""
    await things.execute(ADD, ONE, "a", None)

    async with things.transaction() as tx:
        await tx.execute(SET_COUNT, ONE, 5)
        before = await things.fetch_one(COUNT, ONE)

    assert before == 0
    assert await things.fetch_one(COUNT, ONE) == 5


@pytest.mark.parametrize(
    ("row", "constraint"),
    [((TWO, "a", "red"), "uq_things_kind_label"), ((ONE, "b", "red"), "pk_things_id")],
    ids=["unique", "primary key"],
)
async def test_a_unique_violation_names_the_constraint(things, row, constraint):
    """Both databases call a broken rule of uniqueness by its name in the schema, and quote no value."""
    await things.execute(ADD, ONE, "a", "red")

    with pytest.raises(UniqueViolation) as caught:
        await things.execute(ADD, *row)

    assert caught.value.constraint == constraint
    assert caught.value.__suppress_context__


async def test_a_unique_index_over_an_expression_is_named_too(things):
    """An index over an expression is a rule of uniqueness like any other."""
    await things.execute(
        Query(
            postgresql="CREATE UNIQUE INDEX uq_things_label ON ostiary.things (lower(label)) WHERE count = 0",
            sqlite="CREATE UNIQUE INDEX ostiary_uq_things_label ON ostiary.things (lower(label)) WHERE count = 0",
        )
    )
    await things.execute(ADD, ONE, "a", None)

    with pytest.raises(UniqueViolation) as caught:
        await things.execute(ADD, TWO, "A", None)

    assert caught.value.constraint == "uq_things_label"


async def test_a_reference_to_nothing_is_refused(things):
    """Foreign keys hold on both databases, for the row that points and the row pointed at."""
    point: Query[Any] = Query("INSERT INTO ostiary.things (id, label, parent_id) VALUES ($1, 'x', $2)")
    await things.execute(ADD, ONE, "a", None)
    await things.execute(point, TWO, ONE)

    with pytest.raises(ReferenceViolation):
        await things.execute(point, THREE, UUID(int=99))
    with pytest.raises(ReferenceViolation):
        await things.execute(Query("DELETE FROM ostiary.things WHERE id = $1"), ONE)


async def test_a_broken_rule_does_not_quote_the_row(things):
    """A refused row is not repeated in the error: it may hold secrets."""
    await things.execute(ADD, ONE, "hunter2", None)

    with pytest.raises(RuleViolation) as caught:
        await things.execute(SET_COUNT, ONE, -1)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_concurrent_transactions_lose_nothing(things):
    """Sixteen transactions that each add one add sixteen."""
    await things.execute(ADD, ONE, "a", None)

    async def add() -> None:
        async with things.transaction() as tx:
            await tx.fetch_one(INCREMENT, ONE)

    await asyncio.gather(*(add() for _ in range(16)))

    assert await things.fetch_one(COUNT, ONE) == 16


async def test_single_use_has_one_winner(things):
    """Of sixteen callers who spend the same row, one gets it."""
    await things.execute(ADD, ONE, "a", None)
    spend = Query(
        "UPDATE ostiary.things SET is_on = TRUE WHERE id = $1 AND is_on IS NULL RETURNING id", into=UUID
    )

    answers = await asyncio.gather(*(things.fetch_one(spend, ONE) for _ in range(16)))

    assert [answer for answer in answers if answer] == [ONE]


@pytest.fixture
async def complaints():
    """What the event loop had to complain about."""
    heard: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: heard.append(context["message"]))
    yield heard
    loop.set_exception_handler(None)


async def test_a_cancelled_transaction_leaves_no_lock(things, complaints):
    """A task cancelled inside a transaction leaves the row as it was, and free."""
    await things.execute(ADD, ONE, "a", None)
    is_inside = asyncio.Event()

    async def work() -> None:
        async with things.transaction() as tx:
            await tx.execute(SET_COUNT, ONE, 5)
            is_inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await is_inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await things.fetch_one(INCREMENT, ONE) == 1
    assert complaints == []


async def test_a_cancelled_scope_leaves_no_lock(things, complaints):
    """A scope that cancels every wait of its task, the roll-back's too, leaves the row as it was, and free."""
    await things.execute(ADD, ONE, "a", None)

    with anyio.CancelScope() as scope:
        async with things.transaction() as tx:
            await tx.execute(SET_COUNT, ONE, 5)
            scope.cancel()
            await tx.execute(SET_COUNT, ONE, 6)

    assert await things.fetch_one(INCREMENT, ONE) == 1
    assert complaints == []


@pytest.mark.parametrize("steps", range(12))
async def test_cancelling_at_any_moment_does_no_harm(things, complaints, steps):
    """Wherever a task is cancelled its transaction happens whole or not at all, and the next one works."""
    await things.execute(ADD, ONE, "a", None)

    async def work() -> None:
        async with things.transaction() as tx:
            await tx.execute(INCREMENT, ONE)
            await tx.execute(INCREMENT, ONE)

    tasks = [asyncio.create_task(work()) for _ in range(4)]
    for _ in range(steps):
        await anyio.lowlevel.checkpoint()
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    count = await things.fetch_one(INCREMENT, ONE)
    assert count % 2 == 1
    assert count >= 2 * sum(outcome is None for outcome in outcomes) + 1
    assert complaints == []


async def test_a_task_cancelled_while_waiting_does_not_lose_the_turn(things):
    """Whoever gives up waiting for a row or a turn does not keep it from the others."""
    await things.execute(ADD, ONE, "a", None)

    async with things.transaction() as tx:
        await tx.execute(INCREMENT, ONE)
        waiting = [asyncio.create_task(things.fetch_one(INCREMENT, ONE)) for _ in range(2)]
        await anyio.lowlevel.checkpoint()
        waiting[0].cancel()

    assert await waiting[1] == 2


async def test_a_transaction_that_lasts_too_long_is_undone(things, monkeypatch):
    """A block that outlasts the limit is interrupted, rolled back, and reported as Unavailable."""
    await things.execute(ADD, ONE, "a", None)
    monkeypatch.setattr(
        f"ostiary.foundation.storage.{things.dialect}.TRANSACTION_LIMIT", timedelta(milliseconds=50)
    )

    async def work() -> None:
        async with things.transaction() as tx:
            await tx.execute(SET_COUNT, ONE, 5)
            await asyncio.Event().wait()

    with pytest.raises(Unavailable):
        await work()

    assert await things.fetch_one(INCREMENT, ONE) == 1


async def test_a_closed_database_is_unavailable(database_url):
    """Before it is opened and after it is closed, every call says so."""
    database = database_at(database_url)

    for _ in range(2):
        for verb in (database.fetch_one, database.fetch_all, database.execute):
            with pytest.raises(Unavailable):
                await verb(TEXT, "x")
        with pytest.raises(Unavailable):
            async with database.transaction():
                pass
        await database.open()
        assert await database.fetch_one(TEXT, "x") == "x"
        await database.close()
        await database.close()


async def test_closing_lets_running_work_end(things):
    """A transaction that is open when the database is closed still commits."""
    is_inside, may_go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with things.transaction() as tx:
            is_inside.set()
            await may_go_on.wait()
            await tx.execute(ADD, ONE, "a", None)

    task = asyncio.create_task(work())
    await is_inside.wait()
    closing = asyncio.create_task(things.close())
    await anyio.lowlevel.checkpoint()
    may_go_on.set()
    await asyncio.gather(task, closing)
    await things.open()

    assert await things.fetch_all(LABELS) == ["a"]


async def test_a_query_that_does_not_fit_its_type_is_a_mistake(things):
    """Columns that differ from the fields they are read into are reported as a mistake, with both lists."""
    await things.execute(ADD, ONE, "a", None)

    with pytest.raises(TypeError, match="fields"):
        await things.fetch_one(Query("SELECT label, id FROM ostiary.things", into=Thing))
    with pytest.raises(TypeError, match="one column"):
        await things.fetch_all(Query("SELECT label, id FROM ostiary.things", into=str))
    with pytest.raises(TypeError, match="promises no answer"):
        await things.fetch_one(Query("SELECT id FROM ostiary.things"))


async def test_a_mistake_in_a_query_is_not_dressed_up(things):
    """A statement that cannot be right is reported by the driver's own error, not as a failure of the database."""
    with pytest.raises(Exception, match="nothing") as caught:
        await things.fetch_one(BROKEN)

    assert not isinstance(caught.value, OstiaryError)


async def test_round_trips_are_counted(things):
    """The counting double counts BEGIN, each statement and COMMIT, and passes everything on."""
    counting = CountingDatabase(things)
    committed: list[bool] = []

    async with counting.transaction() as tx:
        tx.on_commit(lambda: committed.append(True))
        await tx.execute(ADD, ONE, "a", None)
        await tx.fetch_one(FIND, ONE)
    in_transaction = counting.round_trips
    counting.reset()
    await counting.fetch_all(LABELS)

    assert in_transaction == 4
    assert counting.round_trips == 1
    assert committed == [True]


async def test_the_migrated_database_has_our_tables(migrated):
    """The test bed's migrated database answers a question about our own schema."""
    assert await migrated.fetch_one(Query("SELECT count(*) FROM ostiary.identities", into=int)) == 0


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite:///", "ostiary.db", ""])
def test_an_unknown_url_is_refused_without_being_quoted(url):
    """A URL of no kind we know is refused; it may hold a password, so it is not repeated."""
    with pytest.raises(OstiaryError) as caught:
        database_at(url)

    assert "mysql" not in str(caught.value)


async def test_it_says_how_busy_its_connections_are(database):
    """One more while a transaction runs, and never more than there may be."""
    idle = database.connections()
    async with database.transaction():
        working = database.connections()

    assert (idle.busy, working.busy) == (0, 1)
    assert working.busy <= working.open <= working.limit
    assert database.connections().busy == 0
