"""Changes that wait for the end of their transaction: one round trip, in their order, all or none, on both databases."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from tests.doubles import CountingDatabase

from ostiary.foundation.storage import Query, RuleViolation, UniqueViolation

pytestmark = pytest.mark.anyio

TABLE: Query[Any] = Query(
    postgresql="""
    CREATE SCHEMA ostiary;
    CREATE TABLE ostiary.lines (number bigint GENERATED ALWAYS AS IDENTITY, id uuid PRIMARY KEY, label text NOT NULL,
                                parent_id uuid REFERENCES ostiary.lines (id));
    """,
    sqlite="""
    CREATE TABLE ostiary.lines (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, label TEXT NOT NULL,
                                parent_id BLOB REFERENCES ostiary_lines (id))
    """,
)
ADD: Query[Any] = Query("INSERT INTO ostiary.lines (id, label, parent_id) VALUES ($1, $2, $3)")
RENAME: Query[Any] = Query("UPDATE ostiary.lines SET label = $2 WHERE id = $1")
LABELS = Query("SELECT label FROM ostiary.lines ORDER BY number", into=str)


class OvertakenError(Exception):
    """What a caller wants to be told."""


def line(number: int) -> UUID:
    return UUID(int=number)


@pytest.fixture
async def lines(database):
    await database.execute(TABLE)
    return database


async def test_deferred_changes_are_made_in_their_order(lines):
    """Whatever their number, they are made one after another when the block ends, and a reference may be among them."""
    async with lines.transaction() as tx:
        for number in range(40):
            tx.defer(ADD, line(number), f"{number:02}", line(number - 1) if number else None)
        before = await lines.fetch_all(LABELS)

    assert before == []
    assert await lines.fetch_all(LABELS) == [f"{number:02}" for number in range(40)]


async def test_deferred_changes_come_after_the_others(lines):
    """A statement that is run at once comes first, whatever was deferred before it."""
    async with lines.transaction() as tx:
        tx.defer(ADD, line(1), "deferred", None)
        await tx.execute(ADD, line(2), "at once", None)
        inside = await tx.fetch_all(LABELS)

    assert inside == ["at once"]
    assert await lines.fetch_all(LABELS) == ["at once", "deferred"]


@pytest.mark.parametrize("at_once", [False, True], ids=["alone", "behind another statement"])
@pytest.mark.parametrize("wrong", [0, 1, 2])
async def test_deferred_changes_happen_all_or_none(lines, at_once, wrong):
    """When one of them is refused, nothing of the block is kept, and the refusal is named as ever."""

    async def work() -> None:
        async with lines.transaction() as tx:
            if at_once:
                await tx.execute(ADD, line(9), "at once", None)
            for number in range(3):
                tx.defer(ADD, line(number), None if number == wrong else "right", None)

    with pytest.raises(RuleViolation):
        await work()

    assert await lines.fetch_all(LABELS) == []


async def test_a_deferred_change_that_has_to_touch_a_row_does_or_undoes_everything(lines):
    """The caller's own error leaves the block, on whichever of the two databases."""
    await lines.execute(ADD, line(1), "first", None)

    async def rename(which: UUID, *, at_once: bool) -> None:
        async with lines.transaction() as tx:
            if at_once:
                await tx.execute(ADD, line(3), "third", None)
            tx.defer(ADD, line(2), "second", None)
            tx.defer(RENAME, which, "renamed", otherwise=OvertakenError())

    for at_once in (False, True):
        with pytest.raises(OvertakenError):
            await rename(line(7), at_once=at_once)
    kept = await lines.fetch_all(LABELS)
    await rename(line(1), at_once=False)

    assert kept == ["first"]
    assert sorted(await lines.fetch_all(LABELS)) == ["renamed", "second"]


async def test_only_one_deferred_change_may_have_to_touch_a_row(lines):
    """Which of two did not could not be said."""
    async with lines.transaction() as tx:
        tx.defer(RENAME, line(1), "a", otherwise=OvertakenError())
        with pytest.raises(RuntimeError, match="already"):
            tx.defer(RENAME, line(2), "b", otherwise=OvertakenError())
        await tx.execute(ADD, line(1), "first", None)

    assert await lines.fetch_all(LABELS) == ["a"]


async def test_a_block_that_raises_makes_nothing_of_what_was_deferred(lines):
    """Neither the changes nor what was to be done on commit."""
    called: list[str] = []

    async def work() -> None:
        async with lines.transaction() as tx:
            tx.on_commit(lambda: called.append("never"))
            tx.defer(ADD, line(1), "never", None)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await work()

    assert await lines.fetch_all(LABELS) == []
    assert called == []


async def test_nothing_is_deferred_after_the_end(lines):
    """A transaction kept beyond its block can do nothing."""
    async with lines.transaction() as tx:
        pass

    with pytest.raises(RuntimeError, match="ended"):
        tx.defer(ADD, line(1), "late", None)


@pytest.mark.parametrize(
    ("at_once", "deferred", "trips"), [(0, 0, 0), (0, 1, 1), (0, 5, 1), (1, 0, 3), (1, 5, 4)]
)
async def test_deferred_changes_share_a_round_trip(lines, at_once, deferred, trips):
    """BEGIN and COMMIT are sent for statements that are run at once, not for one statement of deferred changes."""
    counting = CountingDatabase(lines)

    async with counting.transaction() as tx:
        for number in range(at_once):
            await tx.execute(ADD, line(number), "at once", None)
        for number in range(deferred):
            tx.defer(ADD, line(10 + number), "deferred", None)

    assert counting.round_trips == trips
    assert len(await lines.fetch_all(LABELS)) == at_once + deferred


async def test_of_sixteen_who_defer_the_same_row_one_wins(lines):
    """The rules of the table decide, as they do for statements that are run at once."""

    async def add() -> bool:
        try:
            async with lines.transaction() as tx:
                tx.defer(ADD, line(1), "mine", None)
                tx.defer(ADD, new_line(), "and this", None)
        except UniqueViolation:
            return False
        return True

    numbers = iter(range(100, 200))

    def new_line() -> UUID:
        return line(next(numbers))

    won = await asyncio.gather(*(add() for _ in range(16)))

    assert sum(won) == 1
    assert len(await lines.fetch_all(LABELS)) == 2
