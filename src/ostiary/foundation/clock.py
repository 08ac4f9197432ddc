"""The only reader of time.

Whoever starts a piece of work reads the clock once and passes `now` down. Every moment is an aware
datetime in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final, Protocol


class Clock(Protocol):
    """Tells the time; the second implementation is the movable clock of `ostiary.testing`."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""


LARGEST_SKEW: Final = timedelta(seconds=2)
"""How far this machine's clock may be from the database's before nothing is issued here."""


class ClockCheck:
    """Whether this machine's clock agrees with the database's; it does until the contrary is seen (F07).

    It is compared every few seconds; in between, it and the clock that only counts seconds must go at one pace.
    """

    def __init__(self) -> None:
        self.is_off = False
        self._compared: tuple[datetime, float] | None = None

    def compare(self, *, asked: datetime, answer: datetime, heard: datetime) -> None:
        """Take in the database's time, given somewhere between asking and hearing the answer."""
        self.is_off = not asked - LARGEST_SKEW <= answer <= heard + LARGEST_SKEW
        self._compared = heard, monotonic()

    def refuses(self, now: datetime) -> bool:
        """Say whether the clock was off when it was compared, or has leapt since; `now` was just read from it."""
        if self.is_off or self._compared is None:
            return self.is_off
        then, counted = self._compared
        return abs(now - then - timedelta(seconds=monotonic() - counted)) > LARGEST_SKEW


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)
