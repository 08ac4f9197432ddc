"""The only reader of time.

Whoever starts a piece of work reads the clock once and passes `now` down. Every moment is an aware
datetime in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol


class Clock(Protocol):
    """Tells the time; the second implementation is the movable clock of `ostiary.testing`."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""


LARGEST_SKEW: Final = timedelta(seconds=2)
"""How far this machine's clock may be from the database's before nothing is issued here."""


class ClockCheck:
    """Whether this machine's clock agrees with the database's; it does until the contrary is seen (F07)."""

    def __init__(self) -> None:
        self.is_off = False

    def compare(self, *, asked: datetime, answer: datetime, heard: datetime) -> None:
        """Take in the database's time, given somewhere between asking and hearing the answer."""
        self.is_off = not asked - LARGEST_SKEW <= answer <= heard + LARGEST_SKEW


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)
