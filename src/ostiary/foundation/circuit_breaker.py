"""A circuit breaker: who was not there five times in a row is left alone for half a minute, then asked once.

A value that changes by what is told to it; whoever asks keeps one for each of those they ask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

FAILURES: Final = 5
PAUSE: Final = timedelta(seconds=30)
_NOTHING: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Circuit:
    """How it went lately with somebody who is asked over the network. A new one is closed: they may be asked."""

    failures: int = 0
    left_alone_until: datetime | None = None
    """Until when nobody is to ask, if the circuit is open."""

    def wait(self, now: datetime) -> timedelta:
        """Return how long nobody should ask them; zero if somebody may."""
        if self.left_alone_until is None or now >= self.left_alone_until:
            return _NOTHING
        return self.left_alone_until - now

    def asked(self, now: datetime) -> Circuit:
        """Return the circuit while somebody who may asks: half open, it lets no other through until the answer."""
        return self if self.left_alone_until is None else replace(self, left_alone_until=now + PAUSE)

    def failed(self, now: datetime) -> Circuit:
        """Return the circuit after they were not there, or talked nonsense."""
        failures = self.failures + 1
        return Circuit(failures, now + PAUSE if failures >= FAILURES else None)

    def succeeded(self) -> Circuit:
        """Return the circuit after they answered, whatever they said."""
        return Circuit()
