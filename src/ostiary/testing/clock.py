"""A clock that stands still until it is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class MovableClock:
    """Tells the time it was last moved to; begins at the present second."""

    def __init__(self, start: datetime | None = None) -> None:
        # The one reading of the machine's clock: databases and tokens of the test should agree with it roughly.
        self._now = start or datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - a clock is where time is read

    def now(self) -> datetime:
        """Return the moment this clock was moved to, aware, in UTC."""
        return self._now

    def move(self, by: timedelta) -> None:
        """Move the clock, forwards or backwards."""
        self._now += by
