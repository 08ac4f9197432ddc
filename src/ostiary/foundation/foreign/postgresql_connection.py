"""Connections to somebody else's PostgreSQL, every transaction with the settings that make text forms exact.

The settings hold for a transaction, never for a session, so that a pooler between may lend the session to others.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.foreign.model import ForeignDataError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    Connection = asyncpg.Connection[Any]

_FAILURES: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    UnicodeError,
)
_KEPT: Final = 4
_CONNECT_LIMIT: Final = 10.0
_HAS_TRANSACTION_TIMEOUT: Final = 17

# Reading: what row-level security would hide is an error instead of a row less; a long look is not cut off.
_EXACT: Final = """
SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC';
SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 3; SET LOCAL lc_monetary = 'C';
SET LOCAL xmloption = 'content'; SET LOCAL standard_conforming_strings = on; SET LOCAL row_security = off;
SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
"""
# The moment is that of the first look, not that of BEGIN.
_READ: Final = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_EXACT} SELECT 1"
# Writing: whoever waits for a lock holds up everybody behind, so not for long; and closed tables let us in.
_WRITE: Final = (
    f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {_EXACT}"
    "SET LOCAL lock_timeout = '5s'; SET LOCAL ostiary.writing = 'on'"
)

# Classes and codes of PostgreSQL's appendix A that pass by themselves.
_PASSING: Final = ("08", "25006", "25P03", "25P04", "40", "53", "55P03", "57", "58", "0A000")
_FORBIDDEN: Final = "42501"
_UNKNOWN: Final = ("42P01", "42703", "42704", "3F000")


class Connections:
    """A few connections that are kept for the next transaction; as many are opened as are wanted at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._is_open = False

    async def open(self) -> None:
        """Connect once. Raises `Unavailable`, `ForeignDataError`."""
        connection = await self._connect()
        self._is_open = True
        self._idle.append(connection)

    async def close(self) -> None:
        """Disconnect; those in use end with their transaction."""
        self._is_open = False
        idle, self._idle = self._idle, []
        for connection in idle:
            await _leave(connection)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Open a transaction that sees one moment and can write nothing."""
        async with self._transaction(_READ, "ROLLBACK") as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        """Open a transaction that commits when its block ends, and translate what goes wrong in it."""
        with translating():
            async with self._transaction(_WRITE, "COMMIT") as connection:
                yield connection

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Connection]:
        """Lend a connection for what must stand outside a transaction."""
        connection = await self._take()
        try:
            with translating():
                yield connection
        except BaseException:
            connection.terminate()
            raise
        await self._keep(connection)

    @asynccontextmanager
    async def _transaction(self, begin: str, end: str) -> AsyncIterator[Connection]:
        connection = await self._take()
        try:
            with translating():
                await connection.execute(begin)
                if connection.get_server_version().major >= _HAS_TRANSACTION_TIMEOUT:
                    await connection.execute("SET LOCAL transaction_timeout = 0")
            yield connection
            with translating():
                await connection.execute(end)
        except Exception:
            # A connection that fails to roll back, or whose statements are out of date, is not kept.
            with suppress(*_FAILURES):
                await connection.execute("ROLLBACK", timeout=_CONNECT_LIMIT)
                await connection.reload_schema_state()
            await self._keep(connection)
            raise
        except BaseException:
            connection.terminate()
            raise
        await self._keep(connection)

    async def _take(self) -> Connection:
        if not self._is_open:
            raise Unavailable("The source is not open.")
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self._connect()

    async def _keep(self, connection: Connection) -> None:
        if (
            not self._is_open
            or connection.is_closed()
            or connection.is_in_transaction()
            or len(self._idle) >= _KEPT
        ):
            await _leave(connection)
        else:
            self._idle.append(connection)

    async def _connect(self) -> Connection:
        # A standby is behind, and cannot be captured; whoever wants one anyway says so in the URL.
        wanted = None if "target_session_attrs" in self._url else SessionAttribute.primary
        try:
            return await asyncpg.connect(
                self._url, timeout=_CONNECT_LIMIT, statement_cache_size=1000, target_session_attrs=wanted
            )
        except asyncpg.TargetServerAttributeNotMatched:
            raise Unavailable(
                "The source's URL names a standby: name the primary, or add target_session_attrs=any to read a copy "
                "that lags behind and cannot be captured."
            ) from None
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise ForeignDataError(
                f"The source does not let us in ({type(error).__name__}): check user, password and database in its URL."
            ) from None
        except (*_FAILURES, ValueError) as error:
            raise Unavailable(
                f"The source cannot be reached ({type(error).__name__}): check that it runs and that its URL is right."
            ) from None


async def _leave(connection: Connection) -> None:
    with suppress(*_FAILURES):
        await connection.close(timeout=_CONNECT_LIMIT)


@contextmanager
def translating() -> Iterator[None]:
    """Turn what the driver raises into words that hold no value."""
    try:
        yield
    except OstiaryError:
        raise
    except _FAILURES as error:
        # `from None`: the driver quotes rows and parameters.
        raise _translated(error) from None


def _translated(error: BaseException) -> OstiaryError:
    match error:
        case asyncpg.PostgresError() if error.sqlstate:
            return _by_sqlstate(error, error.sqlstate)
        case UnicodeError() | asyncpg.DataError():
            return ForeignDataError(
                "A text of the source is not valid in the encoding its database declares, or cannot be said in it: "
                "repair it there first."
            )
    return Unavailable(f"The source does not answer ({type(error).__name__}); try again shortly.")


def _by_sqlstate(error: asyncpg.PostgresError, state: str) -> OstiaryError:
    if state == _FORBIDDEN:
        return ForeignDataError(
            "The source's role may not do this: grant it the tables it reads or writes, and BYPASSRLS where row-level "
            "security would hide rows. To capture changes it has to own the tables (be a member of their owner's role) "
            "and may CREATE in the database; where that cannot be had, declare a write freeze instead."
        )
    if state.startswith(_PASSING):
        return Unavailable(f"The source could not do this now ({type(error).__name__}); try again shortly.")
    if state in _UNKNOWN:
        return ForeignDataError(
            "A table or column of the source is not there any more: read its tables again."
        )
    place = ", ".join(name for name in (error.table_name, error.column_name, error.constraint_name) if name)
    return ForeignDataError(
        f"The source refused this ({type(error).__name__}, {state}{f': {place}' if place else ''}): "
        "the value does not fit its column, or a rule or trigger of the table forbids the change."
    )
