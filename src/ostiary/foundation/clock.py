"""The only reader of time.

Whoever starts a piece of work reads the clock once and passes `now` down. Every moment is an aware
datetime in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; the second implementation is the movable clock of `ostiary.testing`."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)
