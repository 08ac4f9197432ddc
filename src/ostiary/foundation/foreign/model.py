"""What is known of somebody else's tables, and their rows as values that can be written back exactly.

A value is what the database would have to be given to hold it again: on PostgreSQL its text form, whatever the type; on
SQLite the value itself. Nothing here knows what a table is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

Value = str | int | float | bytes | None
Key = tuple[Value, ...]
"""The values of a primary key, in the order of its columns."""
Row = dict[str, Value]


class ForeignDataError(OstiaryError):
    """Somebody else's data cannot be read or changed as asked; the message says what to do, and quotes no value."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its database declares it."""

    name: str
    type: str
    nullable: bool = True
    has_default: bool = False
    is_generated: bool = False
    """Computed by the database, so it cannot be written."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: these columns point at those of another table."""

    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a source; names are those of the source, `schema.table` where a schema is not the usual one."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns of the primary key; empty where there is none."""
    unique: tuple[tuple[str, ...], ...] = ()
    references: tuple[Reference, ...] = ()

    def column(self, name: str) -> Column | None:
        """Return a column, if there is one of this name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class Watch:
    """A table whose changes are captured, and how one of its rows names the root it belongs to.

    `path` leads from the row to the root's key, a step for each foreign key on the way: of the root's own table it is
    empty; `(("userId", "user", "id"),)` says that the column `userId` holds the `id` of a row of `user`.
    """

    table: str
    path: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Capturing:
    """What is to be captured: changes of these tables, noted under the root's key."""

    root: str
    key: tuple[str, ...]
    watches: tuple[Watch, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One row to write back: `values` None deletes it. `key` names columns and their values."""

    table: str
    key: Row
    values: Row | None = field(default=None)
    insert: bool = False
    """Whether the row is made where there is none; otherwise only an existing row is changed."""


@dataclass(frozen=True, slots=True)
class FileTable:
    """A table that an export holds, and where in the file its rows are.

    `path` leads to the rows of a JSON document, or from a line of NDJSON further down: `users[]` are the elements of the
    array `users`, `[]` those of the document itself, and `users[].providers[]` those of an array within each of them, which
    also have the columns `#parent` (the key of the enclosing row, its values joined by commas) and `#index`. It is empty for
    the lines themselves, and for CSV. `columns` names those of a CSV file without a header.
    """

    name: str
    file: Path
    format: Literal["json", "ndjson", "csv"]
    path: str
    key: tuple[str, ...]
    columns: tuple[str, ...] = ()


class Snapshot(Protocol):
    """One moment of a source: whatever is read of it is of that moment."""

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""

    async def after(
        self, table: str, key: Sequence[str], last: Key | None, limit: int, *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the next rows in the order of `key`, behind `last`."""

    async def where(
        self, table: str, column: str, values: Sequence[Value], *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the rows whose column has one of these values, in the order of the table's primary key."""

    async def with_keys(
        self, table: str, key: Sequence[str], keys: Sequence[Key], *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the rows with these keys."""

    def strays(
        self, table: str, column: str, parent: str, target: str, *, columns: Sequence[str]
    ) -> AsyncIterator[Row]:
        """Return the rows whose column is null, or names no row of `parent`."""

    async def versions(self, keys: Sequence[Key]) -> Mapping[Key, int]:
        """Return how often each root was changed since capture began; those that never were are left out."""


class Capture(Protocol):
    """Triggers that note which roots change, in a ledger beside the tables. Only databases have it."""

    async def is_installed(self) -> bool:
        """Say whether the ledger and its triggers are there."""

    async def install(self, capturing: Capturing) -> int:
        """Make the ledger and the triggers, in one transaction, and return how many triggers; again changes nothing."""

    async def remove(self) -> None:
        """Take triggers and ledger away, so that nothing is left of them; again changes nothing."""

    async def pending(self) -> int:
        """Return how many roots have changes that were not settled."""

    async def changed(self, limit: int) -> list[tuple[Key, int]]:
        """Return roots with changes that were not settled, and the version of each, the longest waiting first."""

    async def settle(self, done: Sequence[tuple[Key, int]]) -> None:
        """Note that these roots were taken over as of these versions; later changes stay unsettled."""

    async def close_tables(self, columns: Mapping[str, Sequence[str]], message: str) -> None:
        """Refuse, from now on, whatever gives one of these columns of these tables another value, with this message.

        Rows that are inserted without one, and deleted, are let through; a table without columns refuses every change.
        Takes the place of the triggers that note changes; what Ostiary itself writes there is let through.
        """

    async def open_tables(self) -> None:
        """Take the refusal away again."""


class Source(Protocol):
    """Somebody else's database or export, read as it is."""

    dialect: str
    """`postgresql`, `sqlite` or `files`."""
    description: str
    """What it is, for people: kind, version, name; no credentials."""
    capture: Capture | None

    async def open(self) -> None:
        """Connect, or open the files. Raises `Unavailable`, `ForeignDataError`."""

    async def close(self) -> None:
        """Let go. May be called twice."""

    async def tables(self) -> Mapping[str, Table]:
        """Return every table, by name; Ostiary's own and the database's are left out."""

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """Read one moment of it; writes nothing. Several may be open at once."""

    async def write(self, changes: Sequence[Change], *, as_they_were: bool = False) -> int:
        """Make all changes in one transaction, or none, and return how many rows were touched.

        `as_they_were` is for rows that stood there before: rules that came later, and triggers, are passed by as far as the
        database lets us. Raises `ForeignDataError` for files, and for a change that the database refuses.
        """

    async def erase(self, table: str, columns: Sequence[str], *, delete_rows: bool) -> int:
        """Empty columns for good, in portions, or delete every row; then make sure nothing of it stays in the files.

        A column that must not be null is set to the empty text, or document. Returns how many rows were touched.
        """

    async def state(self) -> str:
        """Return a text that is another one when anything was written: what a plan shows it has not done."""
