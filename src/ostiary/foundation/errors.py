"""The root of every expected failure.

What is raised aborts the work and rolls it back; what must be remembered (a failed attempt, a replayed
token) is returned instead. A message says what happened, to what, and what to do next, and never holds a
secret or the caller's input.
"""

from __future__ import annotations

from datetime import timedelta


class OstiaryError(Exception):
    """Something that was expected to go wrong did; the message is fit for people."""

    exit_code: int = 1
    """How a command ends that meets it."""


class Unavailable(OstiaryError):
    """A part we depend on cannot answer now; the same call may succeed after `retry_after`."""

    def __init__(self, message: str, *, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Undelivered(OstiaryError):
    """Somebody did not take a message; the text names neither address nor content.

    `is_final`: they never will. `is_outage`: they take nobody's at the moment.
    """

    def __init__(self, message: str, *, is_final: bool = False, is_outage: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.is_outage = is_outage
