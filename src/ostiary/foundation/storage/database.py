"""The one door to a database: typed queries, three verbs, transactions.

A query is a named constant in a feature's `store.py`. Its text is written once, in PostgreSQL's dialect
(`ostiary.sessions`, `$1`), and serves both databases wherever both understand it; where they do not, the
pair stands together. On SQLite `ostiary.sessions` is the table `ostiary_sessions` and `$1` becomes `?1`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar, overload
from uuid import UUID

from ostiary.foundation.errors import OstiaryError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Parameter = UUID | datetime | bytes | str | int | float | bool | dict[str, Any] | list[Any] | None

TRANSACTION_LIMIT: Final = timedelta(seconds=5)
"""How long a transaction may last before it is rolled back, and how long anybody waits for a turn."""

_TABLE = re.compile(r"\bostiary\.(?=[a-z_])")
_PLACEHOLDER = re.compile(r"\$(\d+)")
_SELECT = re.compile(r"\s*select\b", re.IGNORECASE)


class SQLiteStatement(NamedTuple):
    """One statement in SQLite's dialect; `arity` is the highest parameter it names."""

    text: str
    arity: int


class Query(Generic[R_co]):
    """A statement and the type of row it answers with.

    `into` is a dataclass whose fields name the answer's columns in order (UUID, datetime, bool, dict, list,
    bytes, str, a StrEnum, int, float, and `| None` of each), or one of those types for a single column; None
    for a statement that answers nothing. `sqlite` may be a script: several statements that share the parameters
    and run in one transaction; the first that answers with a row ends it.
    """

    __slots__ = ("into", "postgresql", "readers", "sqlite")

    @overload
    def __init__(
        self: Query[None], text: str = "", *, postgresql: str = "", sqlite: str | Sequence[str] = ""
    ) -> None: ...

    @overload
    def __init__(
        self,
        text: str = "",
        *,
        into: type[R_co] | None = None,
        postgresql: str = "",
        sqlite: str | Sequence[str] = "",
    ) -> None: ...

    def __init__(
        self,
        text: str = "",
        *,
        into: type[R_co] | None = None,
        postgresql: str = "",
        sqlite: str | Sequence[str] = "",
    ) -> None:
        self.into = into
        self.postgresql = postgresql or text
        scripted = sqlite or text
        script = (scripted,) if isinstance(scripted, str) else tuple(scripted)
        self.sqlite = tuple(_in_sqlite(part) for part in script)
        if not self.postgresql or not script or not all(script):
            raise ValueError("A query needs a text for both databases.")
        self.readers: dict[str, Callable[[Sequence[Any]], R_co]] = {}
        """By dialect, what turns a row into its type; filled by `rows.compile_reader` at the first answer."""


def only_reads(text: str) -> bool:
    """Say whether a statement surely changes nothing; one that begins with WITH may."""
    return _SELECT.match(text) is not None


def _in_sqlite(text: str) -> SQLiteStatement:
    rewritten = _PLACEHOLDER.sub(r"?\1", _TABLE.sub("ostiary_", text))
    return SQLiteStatement(rewritten, max(map(int, _PLACEHOLDER.findall(text)), default=0))


class Statements(Protocol):
    """The three verbs. On a database each call commits by itself; on a transaction none does."""

    async def fetch_one(self, query: Query[R], *parameters: Parameter) -> R | None:
        """Return the first row of the answer, or None."""

    async def fetch_all(self, query: Query[R], *parameters: Parameter) -> list[R]:
        """Return every row of the answer."""

    async def execute(self, query: Query[Any], *parameters: Parameter) -> int:
        """Run the statement and return how many rows it touched."""


class Transaction(Statements, Protocol):
    """A running transaction: commits when its block ends, rolls back when the block raises.

    It may last `TRANSACTION_LIMIT`. Once a statement failed nothing of it can be kept: further statements, and the
    end of a block that swallowed the error, raise `TransactionFailed`.
    """

    def defer(self, query: Query[Any], *parameters: Parameter, otherwise: Exception | None = None) -> None:
        """Make this change at the end of the block, with all that were deferred, in one round trip.

        They are made in their order, and none of them may read or change what another wrote: on PostgreSQL they are one
        statement. A block of nothing else is one round trip altogether. With `otherwise`, the change must touch a row:
        if it does not, that is raised where the block ends, and nothing is kept.
        """

    async def load(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Parameter]]) -> None:
        """Insert many rows at once, faster than statements can; `table` is one of ours, without its schema."""

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` right after a successful COMMIT, and never otherwise."""


class Connections(NamedTuple):
    """How many connections are in use, how many are open, and how many there may be."""

    busy: int
    open: int
    limit: int


class Database(Statements, Protocol):
    """A database. All calls raise `Unavailable` when it cannot be reached or does not answer in time."""

    dialect: str
    """`postgresql` or `sqlite`."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction (READ COMMITTED on PostgreSQL, BEGIN IMMEDIATE on SQLite)."""

    def connections(self) -> Connections:
        """Say how busy the connections are, without I/O."""

    async def fingerprint(self) -> str:
        """Say which database this is: a copy of it, or one that was set back in time, is another."""

    async def forget_connections(self) -> None:
        """Connect anew at the next call: those that are open may be dead without anybody having noticed."""

    async def open(self) -> None:
        """Connect.

        Raises `Unavailable` if the database does not answer yet; the calls work as soon as it does.
        """

    async def close(self) -> None:
        """Let running work end, then disconnect. May be called twice."""


class UniqueViolation(OstiaryError):
    """A row with these values exists already; `constraint` is the constraint's name in the schema."""

    def __init__(self, constraint: str) -> None:
        super().__init__(f"A row with these values exists already ({constraint}).")
        self.constraint = constraint


class ReferenceViolation(OstiaryError):
    """A row points at one that does not exist, or is still pointed at."""

    def __init__(self) -> None:
        super().__init__("A row points at one that does not exist, or is still pointed at.")


class RuleViolation(OstiaryError):
    """A row breaks a check, lacks a value, or was refused by a trigger."""

    # Neither the column nor the row is named: both databases would quote the row's values.
    def __init__(self) -> None:
        super().__init__(
            "A row was refused: it breaks a check, lacks a value, or a trigger forbids the change."
        )


class Unstorable(OstiaryError):
    """A value does not fit: text with a NUL or half a surrogate pair, a moment without a time zone, a wrong type."""

    def __init__(self) -> None:
        super().__init__(
            "A value cannot be stored: text must be valid Unicode without NUL, a moment must have a time zone, "
            "a number must fit its column, and every value must have its column's type."
        )


class TransactionFailed(OstiaryError):
    """An earlier statement of this transaction failed, so nothing of it was kept."""

    def __init__(self) -> None:
        super().__init__(
            "An earlier statement of this transaction failed, so nothing of it was kept: let the error leave the "
            "transaction's block."
        )


class TookTooLong(Unavailable):
    """A transaction lasted longer than one may: nothing of it was kept. A smaller one may fit."""

    def __init__(self) -> None:
        super().__init__("A transaction took too long and was rolled back; try again shortly.")


class OutcomeUnknown(Unavailable):
    """The connection broke while committing: read again before assuming either way."""

    def __init__(self) -> None:
        super().__init__(
            "The database broke off while a change was being committed: it may or may not have happened."
        )
