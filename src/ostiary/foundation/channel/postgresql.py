"""LISTEN and NOTIFY, over a connection of their own outside the pool."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.writer import FAILURES, Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

_NAME: Final = "ostiary"
_ANSWER_LIMIT: Final = timedelta(seconds=3)
_ECHO: Final = ""


class PostgreSQLChannel:
    """The channel of one database.

    A pooler that gives a connection away between transactions (PgBouncer's transaction mode) swallows messages;
    `open` sends one to itself to find that out.
    """

    def __init__(self, url: str) -> None:
        self._writer = Writer(url, within=_ANSWER_LIMIT)
        self._connection: asyncpg.Connection[Any] | None = None
        # None says that the connection is gone.
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()

    async def open(self) -> None:
        """Connect, listen, and wait for a message of our own. Raises `Unavailable`."""
        await self.close()
        heard: asyncio.Queue[str | None] = asyncio.Queue()
        self._heard = heard
        try:
            async with asyncio.timeout(_ANSWER_LIMIT.total_seconds()):
                self._connection = connection = await self._writer.connect(
                    server_settings={"application_name": "ostiary-channel"}
                )
                connection.add_termination_listener(lambda _connection: heard.put_nowait(None))
                await connection.add_listener(_NAME, lambda *notice: heard.put_nowait(notice[-1]))
                await self.send(_ECHO)
                while await heard.get() is None:
                    raise OSError
        except (*FAILURES, Unavailable):
            await self.close()
            raise Unavailable(
                "Messages between workers do not arrive (LISTEN/NOTIFY): connect to PostgreSQL directly or through a "
                "pooler in session mode. Until then workers ask for news instead."
            ) from None

    async def receive(self, within: timedelta) -> Sequence[str] | None:
        """Wait for messages; see `Channel`."""
        if self._connection is None:
            raise _gone()
        try:
            async with asyncio.timeout(within.total_seconds()):
                first = await self._heard.get()
        except TimeoutError:
            await self._ask()
            return None
        messages = [first]
        while not self._heard.empty():
            messages.append(self._heard.get_nowait())
        if None in messages:
            await self.close()
            raise _gone()
        return [message for message in messages if message]

    async def send(self, message: str) -> None:
        """Tell everybody who listens."""
        await self._run("SELECT pg_notify($1, $2)", _NAME, message)

    async def close(self) -> None:
        """Disconnect without waiting for the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*FAILURES):
                connection.terminate()

    async def _ask(self) -> None:
        """Make sure that a silent connection is alive: a half-open one would be silent for ever."""
        await self._run("SELECT 1")

    async def _run(self, text: str, *parameters: str) -> None:
        if self._connection is None:
            raise _gone()
        try:
            await self._connection.execute(text, *parameters, timeout=_ANSWER_LIMIT.total_seconds())
        except FAILURES:
            await self.close()
            raise _gone() from None


def _gone() -> Unavailable:
    return Unavailable("The connection that carries messages between workers is gone.")
