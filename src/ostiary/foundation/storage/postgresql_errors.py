"""What goes wrong in PostgreSQL, in our words."""

from __future__ import annotations

from typing import Final

import asyncpg

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage.database import (
    ReferenceViolation,
    RuleViolation,
    TookTooLong,
    UniqueViolation,
    Unstorable,
)
from ostiary.foundation.storage.state import DividedByZero

READ_ONLY: Final = "25006"
# Classes and codes of PostgreSQL's appendix A that pass by themselves: connection, read-only after a failover,
# ended by a time limit, deadlock and serialisation, resources, lock not available, shutdown, input/output.
_PASSING: Final = ("08", READ_ONLY, "25P03", "25P04", "40", "53", "55P03", "57", "58")
# Ended by a limit on the transaction, or on one statement of it.
_LIMITS: Final = ("25P04", "57014")
_DATA: Final = "22"
_INTEGRITY: Final = ("23", "P0001")


def unreachable(reason: str) -> Unavailable:
    """Say that the database does not answer."""
    return Unavailable(
        f"The database cannot be reached ({reason}): check that it runs and that its URL is right, or try again."
    )


def translated(error: Exception, *, lost: bool) -> Exception:
    """Return our word for a failure of the driver, or the error itself if it is a mistake in a query."""
    match error:
        case asyncpg.UniqueViolationError():
            return UniqueViolation(error.constraint_name or "unnamed")
        case asyncpg.ForeignKeyViolationError() | asyncpg.RestrictViolationError():
            return ReferenceViolation()
        case asyncpg.DivisionByZeroError():
            return DividedByZero()
        case asyncpg.PostgresError():
            return _by_sqlstate(error)
    return unreachable(type(error).__name__) if lost or isinstance(error, OSError) else error


def _by_sqlstate(error: asyncpg.PostgresError) -> Exception:
    state = error.sqlstate or ""
    if state in _LIMITS:
        return TookTooLong()
    if state.startswith(_PASSING):
        return Unavailable(f"The database could not do this now ({type(error).__name__}); try again shortly.")
    if state.startswith(_DATA):
        return Unstorable()
    return RuleViolation() if state.startswith(_INTEGRITY) else error
