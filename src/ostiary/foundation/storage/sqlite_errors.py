"""What goes wrong in SQLite, in our words: those of PostgreSQL, down to the names of constraints."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage.database import (
    ReferenceViolation,
    RuleViolation,
    UniqueViolation,
    Unstorable,
)

if TYPE_CHECKING:
    from ostiary.foundation.errors import OstiaryError

_IO_ERROR: Final = sqlite3.SQLITE_IOERR
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
        _IO_ERROR,
    }
)
_PRIMARY_CODE: Final = 0xFF
_UNIQUE: Final = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "uq",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "pk",
    sqlite3.SQLITE_CONSTRAINT_ROWID: "pk",
}


def is_input_or_output(error: sqlite3.Error) -> bool:
    """Say whether the disk failed, so that nobody knows what it did."""
    return error.sqlite_errorcode & _PRIMARY_CODE == _IO_ERROR


def translated(error: Exception) -> Exception:
    """Return our word for a failure of the driver, or the error itself if it is a mistake in a query."""
    match error:
        case sqlite3.IntegrityError():
            return _violation(error)
        case sqlite3.OperationalError() if error.sqlite_errorcode & _PRIMARY_CODE in _PASSING:
            return Unavailable(
                f"The database file could not be used just now ({error.sqlite_errorname}); try again shortly."
            )
        case OverflowError() | UnicodeEncodeError() | sqlite3.DataError():
            return Unstorable()
    return error


def _violation(error: sqlite3.IntegrityError) -> OstiaryError:
    code = error.sqlite_errorcode
    if code in _UNIQUE:
        return UniqueViolation(_constraint_name(_UNIQUE[code], str(error)))
    return ReferenceViolation() if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY else RuleViolation()


def _constraint_name(prefix: str, message: str) -> str:
    """Name a broken rule of uniqueness as PostgreSQL does, by the naming convention of the schema.

    SQLite says `UNIQUE constraint failed: ostiary_users.a, ostiary_users.b`, or, for an index over expressions,
    `UNIQUE constraint failed: index 'ostiary_uq_users_a'`.
    """
    place = message.partition(": ")[2]
    if place.startswith("index "):
        return place.removeprefix("index ").strip("'").removeprefix("ostiary_")
    table = place.partition(".")[0].removeprefix("ostiary_")
    columns = [column.rpartition(".")[2] for column in place.split(", ")]
    return "_".join([prefix, table, *columns])
