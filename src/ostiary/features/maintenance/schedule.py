"""What a task is, and when it is due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.maintenance.model import Outcome, Run

if TYPE_CHECKING:
    from ostiary.features.maintenance.lease import Lease  # noqa: TC004 - tasks are never read from rows

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_HOUR: Final = timedelta(hours=1)
# The epoch was a Thursday.
_FIRST_SUNDAY: Final = timedelta(days=3)
# What failed is tried again, but not at once: whatever was wrong may still be.
_SOONEST_RETRY: Final = timedelta(minutes=1)
_LATEST_RETRY: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Moments that come back: each `period` from the epoch on, moved by `offset`; `text` says so to people."""

    period: timedelta
    offset: timedelta
    text: str

    def latest(self, now: datetime) -> datetime:
        """Return the last of these moments that is not after `now`."""
        return now - (now - _EPOCH - self.offset) % self.period

    @property
    def is_brisk(self) -> bool:
        """Say whether it comes so often that each run is not worth a row of its own."""
        return self.period < _HOUR


def daily(hour: int) -> Schedule:
    """Return the schedule of once a day at this hour, UTC."""
    return Schedule(_DAY, timedelta(hours=hour), f"daily at {hour:02}:00 UTC")


def weekly(hour: int) -> Schedule:
    """Return the schedule of each Sunday at this hour, UTC."""
    return Schedule(_WEEK, _FIRST_SUNDAY + timedelta(hours=hour), f"Sundays at {hour:02}:00 UTC")


def every(period: timedelta) -> Schedule:
    """Return the schedule of once in each `period`."""
    return Schedule(period, timedelta(0), f"every {period.total_seconds():.0f} s")


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is done in the background by one worker at a time.

    `work` does it under a lease: in batches (`Lease.batch`), or by itself with `Lease.renew` now and then.
    `keeps` says for people what stays how long.
    """

    name: str
    summary: str
    schedule: Schedule
    work: Callable[[Lease], Awaitable[None]]
    keeps: str = ""

    def is_due(self, last: Run | None, now: datetime) -> bool:
        """Say whether it should run: its moment has come since it last did, or its last run came to nothing."""
        return now >= self.next_due(last, now)

    def next_due(self, last: Run | None, now: datetime) -> datetime:
        """Return when it is due next, its last run being this one; `now` if it is."""
        if last is None or last.outcome is Outcome.INTERRUPTED:
            return now
        if last.outcome is Outcome.FAILED and last.finished_at is not None:
            retry = last.finished_at + min(_LATEST_RETRY, max(_SOONEST_RETRY, self.schedule.period))
            return max(now, retry)
        latest = self.schedule.latest(now)
        return now if last.started_at < latest else latest + self.schedule.period


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A task with what is known about its runs; `running` is the one whose lease holds."""

    task: Task
    running: Run | None
    last: Run | None
    is_due: bool
    next_due: datetime
