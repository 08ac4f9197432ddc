"""The one door to a database: typed queries, three verbs, transactions.

A query is a named constant in a feature's `store.py`. Its text is written once, in PostgreSQL's dialect
(`ostiary.sessions`, `$1`), and serves both databases wherever both understand it; where they do not, the
pair stands together. On SQLite `ostiary.sessions` is the table `ostiary_sessions` and `$1` becomes `?1`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from uuid import UUID

from ostiary.foundation.errors import OstiaryError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

R = TypeVar("R")

Parameter = UUID | datetime | bytes | str | int | float | bool | dict[str, Any] | list[Any] | None

_TABLE = re.compile(r"\bostiary\.(?=[a-z_])")
_PLACEHOLDER = re.compile(r"\$(\d+)")


class Query(Generic[R]):
    """A statement and the type of row it answers with.

    `into` is a dataclass whose fields name the answer's columns in order (UUID, datetime, bool, dict, list,
    bytes, str, int, and `| None` of each), or one of those types for a single column; None for a statement
    that answers nothing. `sqlite` may be a script: several statements that share the parameters and run as one
    transaction, of which the last one answers.
    """

    __slots__ = ("into", "postgresql", "sqlite")

    def __init__(
        self,
        text: str = "",
        *,
        into: type[R] | None = None,
        postgresql: str = "",
        sqlite: str | Sequence[str] = "",
    ) -> None:
        self.into = into
        self.postgresql = postgresql or text
        scripted = sqlite or text
        script = (scripted,) if isinstance(scripted, str) else tuple(scripted)
        self.sqlite = tuple(_PLACEHOLDER.sub(r"?\1", _TABLE.sub("ostiary_", part)) for part in script)
        if not self.postgresql or not all(self.sqlite):
            raise ValueError("A query needs a text for both databases.")


class Statements(Protocol):
    """The three verbs. On a database each call commits by itself; on a transaction none does."""

    async def fetch_one(self, query: Query[R], *parameters: Parameter) -> R | None:
        """Return the first row of the answer, or None."""

    async def fetch_all(self, query: Query[R], *parameters: Parameter) -> list[R]:
        """Return every row of the answer."""

    async def execute(self, query: Query[Any], *parameters: Parameter) -> int:
        """Run the statement and return how many rows it touched."""


class Transaction(Statements, Protocol):
    """A running transaction: commits when its block ends, rolls back when the block raises."""


class Database(Statements, Protocol):
    """A database. All calls raise `Unavailable` when it cannot be reached or does not answer in time."""

    dialect: str
    """`postgresql` or `sqlite`."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction (READ COMMITTED on PostgreSQL, BEGIN IMMEDIATE on SQLite)."""

    async def open(self) -> None:
        """Connect. Raises `Unavailable`."""

    async def close(self) -> None:
        """Let running work end, then disconnect. May be called twice."""


class UniqueViolation(OstiaryError):
    """A row with these values exists already; `constraint` is the constraint's name in the schema."""

    def __init__(self, constraint: str) -> None:
        super().__init__(f"A row with these values exists already ({constraint}).")
        self.constraint = constraint


class ReferenceViolation(OstiaryError):
    """A row points at one that does not exist, or is still pointed at."""


class OutcomeUnknown(Unavailable):
    """The connection broke while committing: read again before assuming either way."""

    def __init__(self) -> None:
        super().__init__(
            "The database connection broke while a change was being committed: it may or may not have happened.",
            retry_after=timedelta(seconds=1),
        )
