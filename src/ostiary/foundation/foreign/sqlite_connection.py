"""Connections to somebody else's SQLite file, each in a thread of its own.

The file is touched through SQLite alone: closing it by hand would drop every lock this process holds on it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.foreign.model import ForeignDataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ostiary.foundation.foreign.model import Value

T = TypeVar("T")

_WAIT: Final = 5.0
_STATEMENTS: Final = 500
_PRIMARY_CODE: Final = 0xFF
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_SCHEMA,
    }
)


class Connection:
    """A connection, used by one thread only; what is asked of it is done in order."""

    def __init__(self, path: Path, *, reads_only: bool) -> None:
        self._path = path
        self._reads_only = reads_only
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Open the file, which has to be there. Raises `Unavailable`, `ForeignDataError`."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ostiary-foreign")
        try:
            self._raw = await asyncio.get_running_loop().run_in_executor(thread, self._connect)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        self._thread = thread

    async def close(self) -> None:
        """Let what is being done end, then close. May be called twice."""
        if self._thread is None:
            return
        thread, self._thread = self._thread, None
        await asyncio.get_running_loop().run_in_executor(thread, self._raw.close)
        thread.shutdown(wait=False)

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do a piece of work in the connection's thread, and translate what goes wrong."""
        if self._thread is None:
            raise Unavailable("The source is not open.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with translating():
            return work(self._raw)

    def _connect(self) -> sqlite3.Connection:
        with translating():
            return _connected(self._path, reads_only=self._reads_only)


def _connected(path: Path, *, reads_only: bool) -> sqlite3.Connection:
    raw = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=rw",
        uri=True,
        timeout=_WAIT,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
    try:
        raw.text_factory = _text
        raw.execute("SELECT count(*) FROM sqlite_master")
        # As most applications have it; rows that point at each other may be written in any order.
        raw.execute("PRAGMA foreign_keys = ON")
        if reads_only:
            raw.execute("PRAGMA query_only = ON")
    except BaseException:
        raw.close()
        raise
    return raw


def _text(stored: bytes) -> str:
    """Read text so that bytes which are not UTF-8 come back as they were."""
    return stored.decode("utf-8", "surrogateescape")


def bound(value: Value) -> Any:
    """Return what is handed to the driver for a value; text that is no valid UTF-8 goes as bytes, see `placeholder`."""
    if isinstance(value, str) and not _is_sound(value):
        return value.encode("utf-8", "surrogateescape")
    return value


def placeholder(value: Value, number: int) -> str:
    """Return what stands for a value in a statement."""
    if isinstance(value, str) and not _is_sound(value):
        return f"CAST(?{number} AS TEXT)"
    return f"?{number}"


def _is_sound(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def transaction(raw: sqlite3.Connection) -> Iterator[None]:
    """Do what is in the block as one change, or not at all."""
    raw.execute("BEGIN IMMEDIATE")
    try:
        yield
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:
            with suppress(sqlite3.Error):
                raw.execute("ROLLBACK")
        raise


@contextmanager
def translating() -> Iterator[None]:
    """Turn what the driver raises into words that hold no value."""
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        # `from None`: a driver's message may quote a value.
        raise _translated(error) from None


def _translated(error: Exception) -> OstiaryError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    match code & _PRIMARY_CODE:
        case sqlite3.SQLITE_CANTOPEN:
            return ForeignDataError("The source's file cannot be opened: check its path and its permissions.")
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return ForeignDataError("The source's file is no SQLite database, or is damaged.")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return ForeignDataError(f"The source's file may not be written ({name}): check its permissions.")
        case sqlite3.SQLITE_CONSTRAINT:
            return ForeignDataError(
                f"The source refused this ({name}): a rule or trigger of the table forbids the change."
            )
        case passing if passing in _PASSING:
            return Unavailable(f"The source could not do this now ({name}); try again shortly.")
    return ForeignDataError(
        f"The source refused this ({name}): its tables are not what they were, or a value does not fit."
    )
