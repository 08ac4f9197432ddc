"""What can go wrong with a password before it is compared."""

from __future__ import annotations

from enum import StrEnum

from ostiary.foundation.errors import OstiaryError, Unavailable


class UnacceptableReason(StrEnum):
    """Why a candidate may not become a password."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NOT_TEXT = "not_text"
    COMMON = "common"
    CONTEXT = "context"


class UnacceptablePassword(OstiaryError):
    """A candidate may not become a password; the message says what to choose instead."""

    def __init__(self, reason: UnacceptableReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class HashingOverloaded(Unavailable):
    """So many passwords wait to be hashed that one more would only make all of them late."""

    def __init__(self) -> None:
        super().__init__("Too many passwords are being checked at this moment: try again shortly.")


class UnsafeSettings(OstiaryError):
    """The hashing parameters, the policy or a pepper are weaker than the standards allow."""
