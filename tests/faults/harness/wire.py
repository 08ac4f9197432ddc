"""A wire to a PostgreSQL server's socket that can be cut, slowed and led elsewhere, from outside every worker."""

from __future__ import annotations

import asyncio
import re
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SOCKET: Final = ".s.PGSQL.5432"
_CHUNK: Final = 65536
# The frontend messages Parse and Bind: a letter, four bytes of length, then texts that end in NUL.
_PARSE: Final = re.compile(rb"P.{4}([^\0]*)\0([^\0]*)\0", re.DOTALL)
_BIND: Final = re.compile(rb"\AB.{4}[^\0]*\0([^\0]*)\0", re.DOTALL)


class Wire:
    """Carries connections to `server`, a folder with a socket, which may be changed at any time.

    While `is_cut`, nobody gets through. `delay` holds back each message on its way to the server, in seconds.
    """

    def __init__(self, server: Path) -> None:
        self.server = server
        self.folder = Path(tempfile.mkdtemp(prefix="ostiary-wire-"))
        self.is_cut = False
        self.delay = 0.0
        self._doomed = b""
        self._cuts = 0
        self._open_ends: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Wire]:
        """Carry connections while the block lasts."""
        listener = await asyncio.start_unix_server(self._accept, self.folder / _SOCKET, backlog=512)
        try:
            # A standby connects as the user the servers run as.
            self.folder.chmod(0o755)
            (self.folder / _SOCKET).chmod(0o777)
            yield self
        finally:
            listener.close()
            self.cut()
            await asyncio.gather(*self._carrying, return_exceptions=True)
            (self.folder / _SOCKET).unlink(missing_ok=True)
            self.folder.rmdir()

    def cut(self) -> None:
        """Break every connection, and let none through until `mend`."""
        self.is_cut = True
        self.break_connections()

    def break_connections(self) -> None:
        """Break every connection; new ones get through."""
        for end in self._open_ends:
            end.transport.abort()

    def mend(self) -> None:
        """Carry everything again, and at once."""
        self.is_cut = False
        self.delay = 0.0
        self._cuts = 0

    def cut_at(self, statement: bytes, count: int) -> None:
        """Break the next `count` connections that run a statement with these words.

        Each breaks once the server has answered, and before the client hears of it.
        """
        self._doomed, self._cuts = statement, count

    async def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)
        with suppress(OSError):
            await self._carry(from_client, to_client)
        to_client.transport.abort()

    async def _carry(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self.is_cut:
            return
        from_server, to_server = await asyncio.open_unix_connection(self.server / _SOCKET)
        ends = {to_client, to_server}
        self._open_ends |= ends
        answers = asyncio.create_task(_copy(from_server, to_client))
        statements = _Statements()
        try:
            while chunk := await from_client.read(_CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if statements.runs(chunk, self._doomed) and self._cuts:
                    self._cuts -= 1
                    answers.cancel()
                    await asyncio.wait([answers])
                    to_server.write(chunk)
                    await from_server.read(1)
                    return
                to_server.write(chunk)
        finally:
            answers.cancel()
            for end in ends:
                end.transport.abort()
            self._open_ends -= ends


class _Statements:
    """What one connection runs: plain queries carry their text, prepared statements a name that stands for it."""

    def __init__(self) -> None:
        self._prepared: dict[bytes, bytes] = {}

    def runs(self, chunk: bytes, words: bytes) -> bool:
        """Say whether this message to the server runs a statement with these words."""
        prepared = _PARSE.findall(chunk)
        self._prepared.update(prepared)
        if prepared:
            return False
        if chunk.startswith(b"Q"):
            return words in chunk
        named = _BIND.search(chunk)
        return named is not None and words in self._prepared.get(named[1], b"")


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
    target.close()
