"""SQLite through the standard library: one writer in a thread of its own, look-ups inline.

Transactions follow one another; what is committed is on the disk. Semantics are PostgreSQL's as the protocol
states them: same types, same errors, same constraint names.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.storage.database import (
    TRANSACTION_LIMIT,
    Connections,
    OutcomeUnknown,
    TookTooLong,
    only_reads,
)
from ostiary.foundation.storage.rows import compile_reader, encode
from ostiary.foundation.storage.sqlite_errors import is_input_or_output, translated
from ostiary.foundation.storage.state import TransactionState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from ostiary.foundation.storage.database import Parameter, Query, Transaction

R = TypeVar("R")
T = TypeVar("T")

_DIALECT: Final = "sqlite"
_OLDEST: Final = (3, 37, 0)
_STATEMENT_CACHE: Final = 500
# Long enough for another process to finish its transaction; look-ups are on the event loop and wait less. They
# need not wait for writers at all (WAL), only for the moment in which another process opens or closes the file.
_WRITER_WAIT: Final = TRANSACTION_LIMIT
_READER_WAIT: Final = timedelta(milliseconds=100)
_BETWEEN_TRIES: Final = timedelta(milliseconds=5)
# A disk that does not answer holds up the thread, but nobody who waits for it.
_THREAD_LIMIT: Final = _WRITER_WAIT + timedelta(seconds=1)

_DRIVER_ERRORS: Final = (sqlite3.Error, OverflowError, UnicodeEncodeError)


class _Answer(NamedTuple):
    columns: Sequence[str]
    rows: list[Any]
    touched: int


class _Verbs(ABC):
    """The three verbs over one way of running a query."""

    @abstractmethod
    async def _run(self, query: Query[Any], parameters: tuple[Parameter, ...]) -> _Answer: ...

    async def fetch_one(self, query: Query[R], *parameters: Parameter) -> R | None:
        """Return the first row of the answer, or None."""
        answer = await self._run(query, parameters)
        read = query.readers.get(_DIALECT) or compile_reader(query, _DIALECT, answer.columns)
        return read(answer.rows[0]) if answer.rows else None

    async def fetch_all(self, query: Query[R], *parameters: Parameter) -> list[R]:
        """Return every row of the answer."""
        answer = await self._run(query, parameters)
        read = query.readers.get(_DIALECT) or compile_reader(query, _DIALECT, answer.columns)
        return [read(row) for row in answer.rows]

    async def execute(self, query: Query[Any], *parameters: Parameter) -> int:
        """Run the statement and return how many rows it touched."""
        return (await self._run(query, parameters)).touched


class SQLite(_Verbs):
    """The SQLite database in the file at `path`, which is created readable by its owner alone."""

    dialect = _DIALECT

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._thread: ThreadPoolExecutor | None = None
        # Whoever holds the turn is alone on the writer: a transaction, or one statement.
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Open the file, creating it if need be. Raises `Unavailable`."""
        if sqlite3.sqlite_version_info < _OLDEST:
            raise OstiaryError(f"SQLite {sqlite3.sqlite_version} is too old: 3.37 or later is needed.")
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ostiary-sqlite")
        try:
            self._writer = await asyncio.get_running_loop().run_in_executor(thread, _open_writer, self._path)
            self._reader = _connect(self._path, _READER_WAIT)
            self._reader.execute("PRAGMA query_only = ON")
        except (sqlite3.Error, OSError) as error:
            thread.shutdown(wait=False)
            raise Unavailable(
                f"The database file cannot be opened ({type(error).__name__}): check its path, its permissions and "
                "that it lies on a local disk."
            ) from None
        self._thread = thread

    async def forget_connections(self) -> None:
        """Do nothing: a file that is open stays so."""

    async def fingerprint(self) -> str:
        """Say which file this is; one that was copied or moved into its place is another."""
        try:
            found = self._path.stat()
        except OSError:
            raise _not_open() from None
        return f"{found.st_dev}.{found.st_ino}"

    async def close(self) -> None:
        """Let running work end, then close the file. May be called twice."""
        async with self._turn:
            if self._thread is None:
                return
            thread, self._thread = self._thread, None
            # The writer goes last: the last connection folds the write-ahead log into the file.
            self._reader.close()
            await asyncio.get_running_loop().run_in_executor(thread, self._writer.close)
            thread.shutdown(wait=False)

    def connections(self) -> Connections:
        """Say whether the writer is busy, without I/O; look-ups are never waited for."""
        return Connections(int(self._turn.locked()), int(self._thread is not None), 1)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction (BEGIN IMMEDIATE) that may last `TRANSACTION_LIMIT`."""
        thread = await self._take_turn()
        transaction = _Transaction(self)
        deadline = asyncio.timeout(TRANSACTION_LIMIT.total_seconds())
        try:
            async with deadline:
                yield transaction
            transaction.state.check()
            await transaction.finish()
            transaction.state.committed()
        except BaseException as error:
            # Not awaited, so that a cancelled task cannot skip it: the thread works in order, and whatever comes
            # next finds the transaction gone.
            thread.submit(_roll_back, self._writer)
            if isinstance(error, TimeoutError) and deadline.expired():
                raise TookTooLong from None
            raise
        finally:
            transaction.state.ended = True
            self._turn.release()

    async def _run(self, query: Query[Any], parameters: tuple[Parameter, ...]) -> _Answer:
        values = [encode(parameter) for parameter in parameters]
        if len(query.sqlite) == 1 and only_reads(query.sqlite[0].text):
            return self._look_up(query, values)
        await self._take_turn()
        try:
            return await self.in_thread(_run_alone, query, values)
        finally:
            self._turn.release()

    def _look_up(self, query: Query[Any], values: Sequence[Any]) -> _Answer:
        # On the event loop on purpose: an indexed look-up takes microseconds, and going to a thread and back
        # costs several times that.
        if self._thread is None:
            raise _not_open()
        try:
            return _run(self._reader, query, values)
        except _DRIVER_ERRORS as error:
            raise translated(error) from None

    async def _take_turn(self) -> ThreadPoolExecutor:
        try:
            async with asyncio.timeout(TRANSACTION_LIMIT.total_seconds()):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable(
                "The database is busy with another transaction; try again shortly. Inside a transaction, use its "
                "own verbs: the database's would wait for it to end."
            ) from None
        if self._thread is None:
            self._turn.release()
            raise _not_open()
        return self._thread

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do a piece of work on the writer, in its thread; whoever calls holds the turn."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_THREAD_LIMIT.total_seconds()):
                return await loop.run_in_executor(self._thread, work, self._writer, *arguments)
        except TimeoutError:
            raise OutcomeUnknown from None
        except _DRIVER_ERRORS as error:
            # `from None` throughout: a driver's message may quote a value.
            raise translated(error) from None


class _Transaction(_Verbs):
    """BEGIN goes along with the first statement, and COMMIT with what was deferred: each way to the thread costs."""

    def __init__(self, database: SQLite) -> None:
        self._database = database
        self._begun = False
        self.state = TransactionState()

    def defer(self, query: Query[Any], *parameters: Parameter, otherwise: Exception | None = None) -> None:
        """Make this change at the end of the block; see `Transaction`."""
        self.state.defer(query, parameters, otherwise)

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` right after a successful COMMIT, and never otherwise."""
        self.state.callbacks.append(callback)

    async def _run(self, query: Query[Any], parameters: tuple[Parameter, ...]) -> _Answer:
        self.state.check()
        try:
            values = [encode(parameter) for parameter in parameters]
            begun, self._begun = self._begun, True
            return await self._database.in_thread(_run if begun else _begin_and_run, query, values)
        except BaseException:
            self.state.failed = True
            raise

    async def load(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Parameter]]) -> None:
        """Insert many rows by one prepared statement."""
        self.state.check()
        try:
            values = [[encode(value) for value in row] for row in rows]
            begun, self._begun = self._begun, True
            await self._database.in_thread(_load, _insertion(table, columns), values, begun)
        except BaseException:
            self.state.failed = True
            raise

    async def finish(self) -> None:
        """Make what was deferred, and COMMIT."""
        changes = [
            (change.query, [encode(parameter) for parameter in change.parameters], change.otherwise)
            for change in self.state.changes
        ]
        if self._begun or changes:
            await self._database.in_thread(_finish, changes, self._begun)


def _connect(path: Path, wait: timedelta) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=wait.total_seconds(),
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENT_CACHE,
    )
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _open_writer(path: Path) -> sqlite3.Connection:
    # SQLite would create the file readable by everybody; its log files take the file's permissions. One that is there is not
    # opened by hand: closing it would drop every lock of this process on it, those of other connections among them.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    connection = _connect(path, _WRITER_WAIT)
    try:
        _keep_a_log(connection)
        # Every commit is on the disk before it is acknowledged; NORMAL may lose the last ones in a power cut.
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Have a write-ahead log from now on. Raises `sqlite3.OperationalError`."""
    ends = time.monotonic() + _WRITER_WAIT.total_seconds()
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # In a file that an application uses without a log somebody is in a transaction; for this SQLite does not wait.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= ends:
                raise
            time.sleep(_BETWEEN_TRIES.total_seconds())
        else:
            break
    if mode != "wal":
        raise sqlite3.OperationalError("This file cannot have a write-ahead log.")


def _begin(connection: sqlite3.Connection) -> None:
    # Only a transaction that could not be rolled back, on a disk that failed, is still there.
    _roll_back(connection)
    connection.execute("BEGIN IMMEDIATE")


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if is_input_or_output(error):
            raise OutcomeUnknown from None
        raise


def _begin_and_run(connection: sqlite3.Connection, query: Query[Any], values: Sequence[Any]) -> _Answer:
    _begin(connection)
    return _run(connection, query, values)


def _insertion(table: str, columns: Sequence[str]) -> str:
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO ostiary_{table} ({', '.join(columns)}) VALUES ({places})"


def _load(
    connection: sqlite3.Connection,
    text: str,
    rows: Sequence[Sequence[Any]],
    begun: bool,  # noqa: FBT001 - handed over by position
) -> None:
    if not begun:
        _begin(connection)
    connection.executemany(text, rows)


def _finish(
    connection: sqlite3.Connection,
    changes: Sequence[tuple[Query[Any], Sequence[Any], Exception | None]],
    begun: bool,  # noqa: FBT001 - handed over by position
) -> None:
    if not begun:
        _begin(connection)
    for query, values, otherwise in changes:
        touched = _run(connection, query, values).touched
        if otherwise is not None and touched == 0:
            raise otherwise
    _commit(connection)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _run_alone(connection: sqlite3.Connection, query: Query[Any], values: Sequence[Any]) -> _Answer:
    """Run a query as a transaction of its own."""
    _begin(connection)
    try:
        answer = _run(connection, query, values)
        _commit(connection)
    except BaseException:
        with suppress(sqlite3.Error):
            _roll_back(connection)
        raise
    return answer


def _run(connection: sqlite3.Connection, query: Query[Any], values: Sequence[Any]) -> _Answer:
    """Run the statements of a query; the first that answers with a row ends it, else the last one does."""
    for text, arity in query.sqlite:
        cursor = connection.execute(text, values[:arity])
        rows = cursor.fetchall()
        if rows:
            break
    columns = [column[0] for column in cursor.description or ()]
    count = cursor.rowcount
    if count < 0:
        # The module counts INSERT, UPDATE and DELETE only. A change that begins with WITH is counted by SQLite.
        is_change = not columns and text.lstrip()[:4].upper() == "WITH"
        count = connection.execute("SELECT changes()").fetchone()[0] if is_change else len(rows)
    return _Answer(columns, rows, count)


def _not_open() -> Unavailable:
    return Unavailable("The database is not open.")
