"""One worker at a time, whatever happens to it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tests.factories import count

from ostiary.features.maintenance import (
    Finished,
    Held,
    Maintenance,
    Outcome,
    Run,
    Task,
    UnknownTask,
    daily,
    every,
    weekly,
)
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.errors import OstiaryError
from ostiary.testing import MovableClock

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
ROWS = 25


class Stopped(OstiaryError):
    def __init__(self) -> None:
        super().__init__("The power went.")


@pytest.fixture
def worker(auth):
    """Make a worker that knows the tasks it is given, or those of this release in batches of ten."""

    def made(*tasks, holder="a worker"):
        if tasks:
            return Maintenance(auth.services.database, Entropy(), tasks=tasks, holder=holder, batch_size=10)
        known = auth.services.maintenance
        known._batch_size = 10
        return known

    return made


@pytest.fixture
async def expired(rows):
    """Twenty-five challenges that are over."""
    for _ in range(ROWS):
        await rows.challenges(rows.now - timedelta(days=2))


async def runs(maintenance):
    return [(run.outcome, run.removed) for run in await maintenance.runs(limit=50)]


async def test_work_is_done_in_batches_that_are_told(worker, rows, expired):
    """Progress is told after each batch, and the run is remembered with what it removed."""
    told = []
    maintenance = worker()

    finished = await maintenance.run("challenges", now=rows.now, on_progress=told.append)

    assert (finished.removed, finished.outcome, told) == (ROWS, Outcome.DONE, [10, 20, 25, 25])
    assert await runs(maintenance) == [(Outcome.DONE, ROWS)]


async def test_an_unknown_task_is_refused_with_the_names_there_are(worker, rows):
    """A misspelt name is answered with those that exist."""
    with pytest.raises(UnknownTask, match="revocations, sessions"):
        await worker().run("session", now=rows.now)


async def test_a_run_that_fails_midway_has_removed_what_it_counted(auth, worker, rows, expired):
    """It is remembered as failed with the reason, and the next run does the rest: the counts add up."""

    def stop(removed):
        if removed == 20:
            raise Stopped

    maintenance = worker()
    failed = await maintenance.run("challenges", now=rows.now, on_progress=stop)
    left = await count(auth, "challenges")
    done = await maintenance.run("challenges", now=rows.now + MINUTE)

    assert (failed.outcome, failed.removed, failed.detail) == (Outcome.FAILED, 20, "The power went.")
    assert (left, done.outcome, done.removed) == (5, Outcome.DONE, 5)
    assert await runs(maintenance) == [(Outcome.DONE, 5), (Outcome.FAILED, 20)]


async def test_a_failure_that_explains_itself_is_one_line_in_the_log(worker, rows, caplog):
    """An expected failure tells an operator what happened; only an unexpected one shows where in the code it did."""

    async def explained(_lease):
        raise Stopped

    async def unexplained(_lease):
        raise ZeroDivisionError

    maintenance = worker(
        Task("explained", "Fails.", daily(2), explained), Task("unexplained", "Fails.", daily(2), unexplained)
    )
    await maintenance.run("explained", now=rows.now)
    await maintenance.run("unexplained", now=rows.now)

    first, second = caplog.records
    assert first.getMessage() == "The maintenance task explained failed. The power went."
    assert not first.exc_info
    assert second.exc_info


async def test_a_run_that_is_cancelled_gives_its_lease_back(auth, worker, rows, expired):
    """Stopping the process at a batch's end leaves an interrupted run, and nothing in the way of the next."""

    def stop(removed):
        if removed == 10:
            running.cancel()

    maintenance = worker()
    running = asyncio.create_task(maintenance.run("challenges", now=rows.now, on_progress=stop))
    await asyncio.wait([running])
    done = await maintenance.run("challenges", now=rows.now + MINUTE)

    assert running.cancelled()
    assert done.removed == ROWS - 10
    assert await runs(maintenance) == [(Outcome.DONE, ROWS - 10), (Outcome.INTERRUPTED, 10)]


async def test_a_worker_that_is_about_to_end_ends_with_its_batch(auth, worker, rows, expired):
    """The batch under way is committed and counted, the next is not begun, and another worker goes on at once."""
    maintenance = worker()

    finished = await maintenance.run("challenges", now=rows.now, on_progress=lambda _: maintenance.close())

    assert (finished.outcome, finished.removed, finished.detail) == (
        Outcome.INTERRUPTED,
        10,
        "It was stopped.",
    )
    assert await runs(maintenance) == [(Outcome.INTERRUPTED, 10)]


async def test_of_sixteen_that_run_a_task_one_does(worker, rows):
    """The others are told who holds it."""
    others_know = asyncio.Event()
    held = []

    async def wait(_lease):
        await others_know.wait()

    async def attempt(number):
        task = Task("slow", "Waits.", daily(2), wait)
        outcome = await worker(task, holder=f"worker {number}").run("slow", now=rows.now)
        if isinstance(outcome, Held):
            held.append(outcome)
        if len(held) == 15:
            others_know.set()
        return outcome

    outcomes = await asyncio.gather(*map(attempt, range(16)))

    assert [type(outcome) for outcome in outcomes].count(Finished) == 1
    winner = next(number for number, outcome in enumerate(outcomes) if isinstance(outcome, Finished))
    assert {outcome.holder for outcome in held} == {f"worker {winner}"}


async def test_a_dead_workers_task_is_taken_over_when_its_lease_ends(auth, worker, rows, expired):
    """Not before; what it had counted stays counted, and if it lives after all it can commit nothing more."""
    gone, back = asyncio.Event(), asyncio.Event()

    async def die_midway(lease):
        await lease.batch(lambda tx: auth.services.challenges.purge(tx, expired_by=lease.now, limit=10))
        gone.set()
        await back.wait()
        await lease.batch(lambda tx: auth.services.challenges.purge(tx, expired_by=lease.now, limit=10))

    dying = worker(Task("challenges", "Dies.", daily(2), die_midway), holder="dying")
    successor = worker()
    zombie = asyncio.create_task(dying.run("challenges", now=rows.now))
    await gone.wait()
    too_soon = await successor.run("challenges", now=rows.now + MINUTE / 2)
    rest = await successor.run("challenges", now=rows.now + 2 * MINUTE)
    for _ in range(ROWS):
        await rows.challenges(rows.now - timedelta(days=2))
    back.set()
    after_all = await zombie

    assert (type(too_soon), too_soon.holder) == (Held, "dying")
    assert (rest.outcome, rest.removed) == (Outcome.DONE, ROWS - 10)
    assert (after_all.outcome, after_all.removed) == (Outcome.FAILED, 10)
    assert await count(auth, "challenges") == ROWS
    assert await runs(successor) == [(Outcome.DONE, ROWS - 10), (Outcome.INTERRUPTED, 10)]


async def test_what_is_due_is_run_once_by_whoever_comes_first(worker, rows, expired):
    """Four workers look at the same moment: each task runs once, and again when its next moment has come."""
    workers = [worker() for _ in range(4)]
    names = set(workers[0].names)
    brisk = {name for name, task in workers[0]._tasks.items() if task.schedule.is_brisk}

    first = await asyncio.gather(*(each.run_due(now=rows.now) for each in workers))
    at_once = await asyncio.gather(*(each.run_due(now=rows.now + MINUTE) for each in workers))
    next_day = await workers[2].run_due(now=rows.now + timedelta(days=1))

    ran = [run.task for outcomes in first for run in outcomes]
    assert sorted(ran) == sorted(names)
    assert {run.task for outcomes in at_once for run in outcomes} <= brisk
    assert {run.task for run in next_day} >= names - {"stale-sessions"} - brisk


async def test_a_brisk_task_is_kept_by_one_worker_without_a_row_for_each_run(auth, worker, rows):
    """Another takes over when the first is silent for a minute, or at once when it resigns."""
    done = []

    def brisk(who):
        async def note(lease):
            done.append((who, lease.now))

        return worker(Task("seal", "Seals.", every(timedelta(seconds=5)), note), holder=who)

    first, second, now = brisk("first"), brisk("second"), rows.now
    for turn in range(4):
        await first.run_due(now=now + turn * timedelta(seconds=5))
        await second.run_due(now=now + turn * timedelta(seconds=5))
    silent_since = now + timedelta(seconds=15)
    await second.run_due(now=silent_since + MINUTE - timedelta(seconds=1))
    by_first, rows_then = [who for who, _ in done], await count(auth, "maintenance_runs")
    await second.run_due(now=silent_since + MINUTE)
    await second.resign(now=silent_since + MINUTE)
    await brisk("third").run_due(now=silent_since + MINUTE + timedelta(seconds=5))

    assert (by_first, rows_then) == (["first"] * 4, 1)
    assert [who for who, _ in done[4:]] == ["second", "third"]


@pytest.mark.parametrize("end", ["cancelled", "closed"])
async def test_the_schedule_is_followed_until_it_is_ended(auth, worker, rows, end):
    """A task that fails does not keep the others from being run, and a kept lease is given up at the end."""
    seen = asyncio.Event()

    async def fail(_lease):
        raise Stopped

    async def note(_lease):
        seen.set()

    maintenance = worker(
        Task("bad", "Fails.", daily(2), fail), Task("good", "Works.", every(timedelta(seconds=5)), note)
    )
    following = asyncio.create_task(maintenance.follow_schedule(MovableClock(rows.now)))
    await seen.wait()
    if end == "closed":
        maintenance.close()
    else:
        following.cancel()
    await asyncio.wait([following])

    assert await count(auth, "maintenance_runs", "finished_at IS NULL") == 0
    assert await count(auth, "maintenance_runs", "outcome = 'failed' AND detail = 'The power went.'") == 1


def at(day, hour, minute=0, second=0):
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


async def _nothing(_lease):
    return None


def last(started_at, outcome=Outcome.DONE):
    return Run(UUID(int=1), "t", "h", started_at, started_at, started_at + MINUTE, 0, outcome, None)


@pytest.mark.parametrize(
    ("schedule", "last_run", "now", "next_due"),
    [
        (daily(2), None, at(21, 15), at(21, 15)),
        (daily(2), last(at(20, 2)), at(21, 1, 59, 59), at(21, 2)),
        (daily(2), last(at(20, 2)), at(21, 2), at(21, 2)),
        (daily(2), last(at(21, 2)), at(21, 2), at(22, 2)),
        (daily(2), last(at(18, 2)), at(21, 15), at(21, 15)),
        # The 22nd of November 2026 is a Sunday.
        (weekly(3), last(at(15, 3)), at(22, 2, 59, 59), at(22, 3)),
        (weekly(3), last(at(15, 3)), at(22, 3), at(22, 3)),
        (every(timedelta(hours=1)), last(at(21, 14, 30)), at(21, 14, 59), at(21, 15)),
        (daily(2), last(at(21, 2), Outcome.FAILED), at(21, 2, 10, 59), at(21, 2, 11)),
        (daily(2), last(at(21, 2), Outcome.FAILED), at(21, 2, 11), at(21, 2, 11)),
        (every(timedelta(seconds=5)), last(at(21, 2), Outcome.FAILED), at(21, 2, 1, 59), at(21, 2, 2)),
        (daily(2), last(at(21, 2), Outcome.INTERRUPTED), at(21, 2, 2), at(21, 2, 2)),
    ],
)
def test_when_a_task_is_due_follows_from_its_last_run_and_the_time(schedule, last_run, now, next_due):
    """At its moments, made up for when missed; after a failure, a while later; after an interruption, at once."""
    task = Task("t", "Does nothing.", schedule, _nothing)

    assert task.next_due(last_run, now) == next_due
    assert task.is_due(last_run, now) == (next_due == now)
