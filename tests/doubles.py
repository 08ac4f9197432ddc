"""Stand-ins that count what passes through them, or cut it; everything they wrap is the real thing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from ostiary.foundation.storage import Connections, Database, Parameter, Query, Statements, Transaction

R = TypeVar("R")


class _CountedStatements:
    """The three verbs of `inner`, one round trip each."""

    def __init__(self, inner: Statements, counter: CountingDatabase) -> None:
        self._statements = inner
        self._counter = counter

    async def fetch_one(self, query: Query[R], *parameters: Parameter) -> R | None:
        self._counter.round_trips += 1
        return await self._statements.fetch_one(query, *parameters)

    async def fetch_all(self, query: Query[R], *parameters: Parameter) -> list[R]:
        self._counter.round_trips += 1
        return await self._statements.fetch_all(query, *parameters)

    async def execute(self, query: Query[Any], *parameters: Parameter) -> int:
        self._counter.round_trips += 1
        return await self._statements.execute(query, *parameters)


class _CountedTransaction(_CountedStatements):
    def __init__(self, inner: Transaction, counter: CountingDatabase) -> None:
        super().__init__(inner, counter)
        self._transaction = inner
        self.deferred = 0

    def defer(self, query: Query[Any], *parameters: Parameter, otherwise: Exception | None = None) -> None:
        self.deferred += 1
        self._transaction.defer(query, *parameters, otherwise=otherwise)

    def on_commit(self, callback: Callable[[], None]) -> None:
        self._transaction.on_commit(callback)

    async def load(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Parameter]]) -> None:
        self._counter.round_trips += 1
        await self._transaction.load(table, columns, rows)


_counted_by: ContextVar[object] = ContextVar("counted_by", default=None)


class CountingDatabase(_CountedStatements):
    """A database that counts round trips: one for each statement, for BEGIN, and for COMMIT or ROLLBACK.

    What is deferred is one statement, and needs neither of the two when it is the only one.
    """

    def __init__(self, inner: Database) -> None:
        super().__init__(inner, self)
        self._inner = inner
        self.dialect = inner.dialect
        self.reset()

    def reset(self) -> None:
        """Start counting from nothing, what is done in the context of the caller alone: not the background work."""
        self._round_trips = 0
        self._counting = object()
        _counted_by.set(self._counting)

    @property
    def round_trips(self) -> int:
        """How many there were."""
        return self._round_trips

    @round_trips.setter
    def round_trips(self, number: int) -> None:
        if _counted_by.get() is self._counting:
            self._round_trips = number

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._inner.transaction() as tx:
            counted = _CountedTransaction(tx, self)
            before = self.round_trips
            try:
                yield counted
            finally:
                self.round_trips += (2 if self.round_trips > before else 0) + (1 if counted.deferred else 0)

    def connections(self) -> Connections:
        return self._inner.connections()

    async def fingerprint(self) -> str:
        return await self._inner.fingerprint()

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()


class Wire:
    """A wire to a PostgreSQL server's socket, which can be cut.

    While `is_cut`, nobody gets through. With `cut_after` set, the wire breaks as soon as the server has answered a
    message that contains those bytes, and before the client hears of it. With `hides_ends` set, the client hears what
    the server says last, and not that it hung up.
    """

    PORT_FILE = ".s.PGSQL.5432"

    def __init__(self, server: Path, client: Path) -> None:
        self._server = server / self.PORT_FILE
        self.client_directory = client
        self._client = client / self.PORT_FILE
        self._open_ends: set[asyncio.StreamWriter] = set()
        self.is_cut = False
        self.cut_after: bytes | None = None
        self.hides_ends = False

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Wire]:
        """Carry connections while the block lasts."""
        listener = await asyncio.start_unix_server(self._carry, self._client)
        try:
            yield self
        finally:
            listener.close()
            self.cut()
            await listener.wait_closed()

    def cut(self) -> None:
        """Break every connection, and let none through until `mend`."""
        self.is_cut = True
        for end in self._open_ends:
            end.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self.is_cut = False
        self.cut_after = None

    async def _carry(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self.is_cut:
            to_client.transport.abort()
            return
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        ends = {to_client, to_server}
        self._open_ends |= ends
        answers = asyncio.create_task(self._copy(from_server, to_client))
        try:
            while chunk := await from_client.read(65536):
                if self.cut_after is not None and self.cut_after in chunk:
                    answers.cancel()
                    to_server.write(chunk)
                    await asyncio.wait([answers])
                    await from_server.read(1)
                    self.cut()
                    break
                to_server.write(chunk)
        except ConnectionError:
            pass
        finally:
            answers.cancel()
            for end in ends:
                end.transport.abort()
            self._open_ends -= ends

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65536):
                target.write(chunk)
        except ConnectionError:
            pass
        if not self.hides_ends:
            target.close()
