"""A connection for schema work: plain statements, and transactions that exclude every other schema command.

The lock belongs to the transaction, so a killed process leaves nothing locked, and it holds behind poolers
that give each transaction another server connection.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import asyncpg

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.writer import FAILURES, Writer
from ostiary.schema.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

LOCK_WAIT: Final = timedelta(minutes=1)
_CONNECT_TIMEOUT: Final = timedelta(seconds=10)
_ADVISORY_LOCK: Final = int.from_bytes(b"ostiary")
_SQLITE_URL: Final = "sqlite:///"

_LOCKED: Final = (
    "The database stayed locked for a minute: another schema command or a long transaction holds it."
    " Nothing was changed; run the command again when it has ended."
)

DEPENDED_ON: Final = (
    "Something of your own (a foreign key or a guard trigger) depends on what would be removed: drop it first."
    " Nothing was changed."
)


class Connection(Protocol):
    """A connection to one database."""

    dialect: ClassVar[str]
    """`postgresql` or `sqlite`."""

    async def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows a statement answers with."""

    async def execute(self, statement: str) -> None:
        """Run a statement. Raises `SchemaError` with the database's reason."""

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Run the block as one transaction, alone: waits for other schema commands to end.

        Raises `SchemaError` after waiting a minute.
        """


@asynccontextmanager
async def connect(url: str, *, create: bool = False) -> AsyncIterator[Connection]:
    """Connect to `postgresql://…` or `sqlite:///path`; `create` makes a missing SQLite file.

    Raises `Unavailable` when the database does not answer, `SchemaError` for a URL of another kind.
    """
    if url.startswith(_SQLITE_URL):
        lite = await asyncio.to_thread(_open_sqlite, Path(url.removeprefix(_SQLITE_URL)), create=create)
        try:
            yield Sqlite(lite)
        finally:
            lite.close()
    elif url.startswith(("postgresql://", "postgres://")):
        server = await _open_postgresql(url)
        try:
            yield _PostgreSQL(server)
        finally:
            await server.close()
    else:
        raise SchemaError("The database URL is not understood: it begins with postgresql:// or sqlite:///.")


def _open_sqlite(path: Path, *, create: bool) -> sqlite3.Connection:
    try:
        _require_file(path, create=create)
    except FileNotFoundError:
        raise SchemaError(
            "There is no database file at the configured path: check the path, make its directory,"
            " then deploy the schema."
        ) from None
    except OSError as error:
        raise Unavailable(f"The database file could not be opened: {error.strerror}.") from None
    return sqlite3.connect(
        path, timeout=LOCK_WAIT.total_seconds(), isolation_level=None, check_same_thread=False
    )


def _require_file(path: Path, *, create: bool) -> None:
    """Make the file if it may be made, readable by its owner alone. Raises `OSError` if it cannot be used.

    One that is there is not opened by hand: closing it would drop every lock of this process on it.
    """
    if create:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    path.stat()
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


async def _open_postgresql(url: str) -> asyncpg.Connection[Any]:
    try:
        # No statement cache: behind a transaction-mode pooler prepared statements do not survive.
        return await Writer(url, within=_CONNECT_TIMEOUT).connect(statement_cache_size=0)
    except FAILURES as error:
        # The reason's text may quote the URL and so the password; its kind does not.
        raise Unavailable(
            f"The database could not be reached ({type(error).__name__}):"
            " check that it runs, and its address, name and password."
        ) from None


class _PostgreSQL:
    dialect: ClassVar[str] = "postgresql"

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection

    async def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        with _explained():
            return [tuple(row) for row in await self._connection.fetch(statement)]

    async def execute(self, statement: str) -> None:
        with _explained():
            await self._connection.execute(statement)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self._connection.transaction():
            await self.execute(
                f"SET LOCAL lock_timeout = {LOCK_WAIT // timedelta(milliseconds=1)};"
                " SET LOCAL statement_timeout = 0;"
                # Names print in full, and nothing a role has on its path is picked up by accident.
                " SET LOCAL search_path = pg_catalog"
            )
            await self.execute(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            yield


class Sqlite:
    """A SQLite file, or an expected database in memory."""

    dialect: ClassVar[str] = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows a statement answers with."""
        with _explained():
            return await asyncio.to_thread(lambda: self._connection.execute(statement).fetchall())

    async def execute(self, statement: str) -> None:
        """Run a statement."""
        with _explained():
            await asyncio.to_thread(self._connection.execute, statement)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Run the block as one transaction that waits for every other writer."""
        # Dropping a table must not cascade into tables that point at it.
        await self.execute("PRAGMA foreign_keys = OFF")
        await self.execute("BEGIN IMMEDIATE")
        try:
            yield
            await self.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.rollback()


@contextmanager
def _explained() -> Iterator[None]:
    """Turn a driver's failure into one that says what to do."""
    try:
        yield
    except asyncpg.LockNotAvailableError:
        raise SchemaError(_LOCKED) from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise SchemaError(
            f"The database role may not do this ({error}): run schema commands as the owner of the"
            " database or of the schema `ostiary`. Nothing was changed."
        ) from error
    except asyncpg.DependentObjectsStillExistError as error:
        raise SchemaError(DEPENDED_ON) from error
    except asyncpg.PostgresConnectionError:
        raise Unavailable("The connection to the database broke; run the command again.") from None
    except (asyncpg.PostgresError, sqlite3.Error) as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
            raise SchemaError(_LOCKED) from None
        raise SchemaError(f"The database refused a statement: {error}. Nothing was changed.") from error
