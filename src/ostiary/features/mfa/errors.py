"""Why something cannot be done with a factor."""

from __future__ import annotations

from ostiary.foundation.errors import OstiaryError


class FactorNotFound(OstiaryError):
    """The account has no such factor, or it was begun too long ago to be confirmed."""

    def __init__(self) -> None:
        super().__init__("This account has no such factor, or it was not confirmed in time: begin anew.")


class TooManyFactors(OstiaryError):
    """The account has as many factors of this kind as there may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This account has {limit} authenticator apps, the most there may be: remove one first."
        )


class FactorUnavailable(OstiaryError):
    """A factor by message cannot be had: it is not offered here, or the address is not proven."""
