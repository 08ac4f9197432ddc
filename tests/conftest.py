"""The test bed: a real PostgreSQL and real SQLite files, a fresh database for every test."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx2
import hypothesis
import pytest
from tests.postgres_server import postgres_server
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

# Nine thousand tests are a large heap, and nothing of it is garbage: while they are collected the collector stands still, and
# then it looks at what is newer only.
gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    gc.enable()
    gc.freeze()


# A console believes these for good when it is made, and processes that pytest starts have them from the terminal library.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_cluster():
    with postgres_server() as cluster:
        yield cluster


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
