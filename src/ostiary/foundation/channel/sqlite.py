"""Noticing that another connection, of whatever process, committed to the same SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from ostiary.foundation.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOK_EVERY: Final = timedelta(milliseconds=50)


class SQLiteChannel:
    """The channel of one file: `PRAGMA data_version` changes with every commit of another connection."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._version = 0

    async def open(self) -> None:
        """Open the file for looking at it. Raises `Unavailable`."""
        await self.close()
        try:
            self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
            self._version = self._look()
        except sqlite3.Error:
            await self.close()
            raise Unavailable("The database file cannot be watched for changes.") from None

    async def receive(self, within: timedelta) -> Sequence[str] | None:
        """Wait until somebody committed; see `Channel`."""
        ends_at = monotonic() + within.total_seconds()
        while True:
            try:
                version = self._look()
            except sqlite3.Error:
                await self.close()
                raise Unavailable("The database file cannot be watched for changes.") from None
            if version != self._version:
                self._version = version
                return ()
            left = ends_at - monotonic()
            if left <= 0:
                return None
            await asyncio.sleep(min(left, _LOOK_EVERY.total_seconds()))

    async def send(self, message: str) -> None:
        """Do nothing: the commit itself is what others notice."""

    async def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _look(self) -> int:
        if self._connection is None:
            raise Unavailable("The database file is not being watched.")
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)
