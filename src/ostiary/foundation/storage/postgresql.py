"""PostgreSQL through asyncpg: a small pool, bounded waits, honest outcomes.

Every wait has an end, a connection that was lost is replaced, and a change whose fate is not known is reported
as `OutcomeUnknown`, never as failed.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage.database import (
    TRANSACTION_LIMIT,
    Connections,
    OutcomeUnknown,
    Query,
    TookTooLong,
    Unstorable,
    only_reads,
)
from ostiary.foundation.storage.postgresql_errors import READ_ONLY, translated, unreachable
from ostiary.foundation.storage.rows import compile_reader, decode_jsonb, encode_jsonb
from ostiary.foundation.storage.state import DividedByZero, TransactionState, as_one_statement
from ostiary.foundation.writer import FAILURES, Writer, is_writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from ostiary.foundation.storage.database import Parameter, Transaction
    from ostiary.foundation.storage.state import Change

    Connection = PoolConnectionProxy[asyncpg.Record]

R = TypeVar("R")

_DIALECT: Final = "postgresql"
_HAS_TRANSACTION_TIMEOUT: Final = 17
# The server gives up first, and says what happened; the client's own limit is for a server that is silent.
_CLIENT_MARGIN: Final = timedelta(seconds=1)


# A dump that was read back has other oids, a cluster that was set back in time goes on in another time line.
_FINGERPRINT: Final = Query(
    postgresql="""
    SELECT concat_ws('.', (SELECT system_identifier FROM pg_control_system()),
                     left(pg_walfile_name(pg_current_wal_lsn()), 8),
                     (SELECT oid FROM pg_database WHERE datname = current_database()),
                     to_regclass('ostiary.identities')::oid)
    """,
    sqlite="SELECT ''",
    into=str,
)


class _Verbs(ABC):
    """The three verbs over one way of running a statement."""

    @abstractmethod
    async def _run(self, query: Query[Any], verb: Callable[..., Awaitable[Any]], parameters: Any) -> Any: ...

    async def fetch_one(self, query: Query[R], *parameters: Parameter) -> R | None:
        """Return the first row of the answer, or None."""
        row = await self._run(query, PoolConnectionProxy.fetchrow, parameters)
        if row is None:
            return None
        read = query.readers.get(_DIALECT) or compile_reader(query, _DIALECT, tuple(row.keys()))
        return read(row)

    async def fetch_all(self, query: Query[R], *parameters: Parameter) -> list[R]:
        """Return every row of the answer."""
        rows = await self._run(query, PoolConnectionProxy.fetch, parameters)
        if not rows:
            return []
        read = query.readers.get(_DIALECT) or compile_reader(query, _DIALECT, tuple(rows[0].keys()))
        return [read(row) for row in rows]

    async def execute(self, query: Query[Any], *parameters: Parameter) -> int:
        """Run the statement and return how many rows it touched."""
        tag = await self._run(query, PoolConnectionProxy.execute, parameters)
        # `INSERT 0 3`, `UPDATE 3`, `SELECT 3`; `CREATE TABLE` and its like touch no row.
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0


class PostgreSQL(_Verbs):
    """A PostgreSQL database.

    `statement_timeout` bounds each statement on the server and, separately, the wait for a free connection.
    """

    dialect = _DIALECT

    def __init__(
        self, url: str, *, pool_size: int = 10, statement_timeout: timedelta = timedelta(seconds=5)
    ) -> None:
        self._writer = Writer(url, within=statement_timeout)
        self._pool_size = pool_size
        self._statement_timeout = statement_timeout
        self._silence = (statement_timeout + _CLIENT_MARGIN).total_seconds()
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._endings: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connect.

        Raises `Unavailable` if the server does not answer yet; the calls work as soon as it does.
        """
        self._pool = await asyncpg.create_pool(
            connect=self._writer.connect,
            min_size=0,
            max_size=self._pool_size,
            init=_prepare_connection,
            reset=_reset_nothing,
            statement_cache_size=1000,
            # For what is not asked by `ask`, which is quicker to give up: preparing a connection, and closing it.
            command_timeout=self._silence + _CLIENT_MARGIN.total_seconds(),
            server_settings={
                "application_name": "ostiary",
                "timezone": "UTC",
                "statement_timeout": _milliseconds(self._statement_timeout),
                "idle_in_transaction_session_timeout": _milliseconds(TRANSACTION_LIMIT),
                "default_transaction_isolation": "read committed",
                # An acknowledged change survives a crash, whatever the server's default.
                "synchronous_commit": "on",
            },
        )
        await self._give_back(await self._acquire())

    async def fingerprint(self) -> str:
        """Say which database this is: which cluster, which of its time lines, which database, which table."""
        return str(await self.fetch_one(_FINGERPRINT))

    async def close(self) -> None:
        """Let running work end, then disconnect. May be called twice."""
        if self._pool is not None:
            # When a server does not take leave in time the pool hangs up.
            with suppress(*FAILURES):
                await self._pool.close()

    def connections(self) -> Connections:
        """Say how busy the pool is, without I/O."""
        opened = 0 if self._pool is None else self._pool.get_size()
        idle = 0 if self._pool is None else self._pool.get_idle_size()
        return Connections(opened - idle, opened, self._pool_size)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction (READ COMMITTED) that may last `TRANSACTION_LIMIT`."""
        connection = await self._acquire()
        transaction = _Transaction(self, connection)
        # Servers before 17 cannot end a transaction that keeps sending statements, so the client does.
        deadline = asyncio.timeout(TRANSACTION_LIMIT.total_seconds())
        try:
            async with deadline:
                yield transaction
            transaction.state.check()
            await transaction.finish()
            # Before the connection is given back: a task cancelled in that wait has committed all the same.
            transaction.state.committed()
        except BaseException as error:
            transaction.state.ended = True
            await self._abandon(connection, begun=transaction.begun)
            if isinstance(error, TimeoutError) and deadline.expired():
                raise TookTooLong from None
            raise
        transaction.state.ended = True
        await self._give_back(connection)

    async def _run(self, query: Query[Any], verb: Callable[..., Awaitable[Any]], parameters: Any) -> Any:
        connection = await self._acquire()
        may_change = not only_reads(query.postgresql)
        try:
            return await self.ask(connection, verb, query.postgresql, parameters, commits=may_change)
        finally:
            await self._give_back(connection)

    async def ask(
        self,
        connection: Connection,
        verb: Callable[..., Awaitable[Any]],
        text: str,
        parameters: tuple[Parameter, ...] = (),
        *,
        commits: bool = False,
    ) -> Any:
        """Run one statement on a connection and translate what goes wrong.

        `commits` says that the statement makes changes final, so that silence means `OutcomeUnknown`.
        """
        for parameter in parameters:
            if isinstance(parameter, datetime) and parameter.tzinfo is None:
                raise Unstorable
        # The driver's own time limit would send a cancel, see `_hang_up`.
        silence = asyncio.get_running_loop().call_later(self._silence, _hang_up, connection)
        try:
            answer = await verb(connection, text, *parameters)
        except FAILURES as error:
            lost = _is_lost(connection)
            if commits and not _is_answer(error, lost=lost):
                raise OutcomeUnknown from None
            if isinstance(error, asyncpg.PostgresError) and error.sqlstate == READ_ONLY:
                await self.forget_connections()
            # `from None` throughout: the driver quotes rows and parameters in its messages.
            raise translated(error, lost=lost) from None
        except asyncio.CancelledError:
            if commits:
                _hang_up(connection)
            raise
        finally:
            silence.cancel()
        if not commits and not _is_lost(connection) and not is_writer(connection):
            await self.forget_connections()
            raise Unavailable(
                "The database takes no writes any more, so it is not believed; try again shortly."
            )
        return answer

    async def forget_connections(self) -> None:
        """Connect anew at the next call: a demoted primary stays read-only for good, and has a successor."""
        if self._pool is not None:
            await self._pool.expire_connections()

    async def commit(self, connection: Connection) -> None:
        """End the transaction of a connection. Raises `OutcomeUnknown` when the answer did not come."""
        if _is_lost(connection):
            raise unreachable("the connection was lost")
        await self.ask(connection, PoolConnectionProxy.execute, "COMMIT", commits=True)

    async def _acquire(self) -> Connection:
        if self._pool is None:
            raise Unavailable("The database is not open.")
        try:
            async with asyncio.timeout(self._statement_timeout.total_seconds()):
                return await self._pool.acquire()
        except (*FAILURES, ValueError) as error:
            raise unreachable(type(error).__name__) from None

    async def _give_back(self, connection: Connection) -> None:
        if self._pool is None:
            return
        # Lost ones as well: of some the pool has not heard yet, and would keep their place for good. When giving back
        # fails the pool has closed the connection, and the statement's answer still stands.
        with suppress(*FAILURES):
            await self._pool.release(connection, timeout=TRANSACTION_LIMIT.total_seconds())

    async def _abandon(self, connection: Connection, *, begun: bool) -> None:
        """Roll back and give the connection back, even if the caller is cancelled again meanwhile."""
        ending = asyncio.create_task(self._roll_back(connection, begun=begun))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        await asyncio.shield(ending)

    async def _roll_back(self, connection: Connection, *, begun: bool) -> None:
        if begun and not _is_lost(connection):
            try:
                await connection.execute("ROLLBACK", timeout=self._silence)
            except FAILURES:
                _hang_up(connection)
        await self._give_back(connection)


class _Transaction(_Verbs):
    """BEGIN goes out with the first statement, for there may be none before what is deferred."""

    def __init__(self, database: PostgreSQL, connection: Connection) -> None:
        self._database = database
        self._connection = connection
        self.state = TransactionState()
        self.begun = False

    def defer(self, query: Query[Any], *parameters: Parameter, otherwise: Exception | None = None) -> None:
        """Make this change at the end of the block; see `Transaction`."""
        self.state.defer(query, parameters, otherwise)

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` right after a successful COMMIT, and never otherwise."""
        self.state.callbacks.append(callback)

    async def load(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Parameter]]) -> None:
        """Insert many rows by COPY."""

        async def copy(connection: Connection, table: str) -> None:
            await connection.copy_records_to_table(
                table, schema_name="ostiary", columns=columns, records=rows
            )

        self.state.check()
        try:
            await self._begin()
            await self._database.ask(self._connection, copy, table)
        except BaseException:
            self.state.failed = True
            raise

    async def finish(self) -> None:
        """Make what was deferred, and make everything final: by COMMIT, or by the one statement there is."""
        batches = self.state.batches()
        if len(batches) == 1 and not self.begun:
            await self._make(batches[0], commits=True)
            return
        for batch in batches:
            await self._begin()
            await self._make(batch, commits=False)
        if self.begun:
            await self._database.commit(self._connection)

    async def _make(self, changes: Sequence[Change], *, commits: bool) -> None:
        text, parameters = as_one_statement(changes)
        execute = PoolConnectionProxy.execute
        try:
            await self._database.ask(self._connection, execute, text, parameters, commits=commits)
        except DividedByZero as error:
            raise next((change.otherwise for change in changes if change.otherwise), error) from None

    async def _begin(self) -> None:
        if not self.begun:
            self.begun = True
            await self._database.ask(self._connection, PoolConnectionProxy.execute, "BEGIN")

    async def _run(self, query: Query[Any], verb: Callable[..., Awaitable[Any]], parameters: Any) -> Any:
        self.state.check()
        try:
            await self._begin()
            return await self._database.ask(self._connection, verb, query.postgresql, parameters)
        except BaseException:
            self.state.failed = True
            raise


async def _prepare_connection(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=encode_jsonb, decoder=decode_jsonb, format="binary"
    )
    if connection.get_server_version().major >= _HAS_TRANSACTION_TIMEOUT:
        await connection.execute(f"SET transaction_timeout = {_milliseconds(TRANSACTION_LIMIT)}")


async def _reset_nothing(connection: Any) -> None:
    """Skip the reset query: no statement of ours changes a session, and it costs as much as a look-up."""


def _hang_up(connection: Connection) -> None:
    """Break a connection off without asking the server to cancel what it does.

    A commit that waits for its synchronous standby is no longer undone: a cancel only ends the wait, and shows
    everybody a change that a failover takes back. A server whose client is gone goes on waiting.
    """
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


def _milliseconds(duration: timedelta) -> str:
    return str(duration // timedelta(milliseconds=1))


def _is_lost(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool took a broken connection back before its user did.
        return True


def _is_answer(error: BaseException, *, lost: bool) -> bool:
    """Say whether the server or the driver refused and lives on, so that nothing was committed."""
    # Only what the server says has a severity; FATAL ends the session, whatever it was doing.
    if isinstance(error, asyncpg.PostgresError) and error.severity_en is not None:
        return error.severity_en == "ERROR"
    return not lost and not isinstance(error, OSError | asyncpg.PostgresConnectionError)
