"""Where systems to migrate from are written."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from tests.features.legacy.returning import PASSWORDS, Soaking, journey
from tests.features.legacy.systems import build

from ostiary.testing import auth_for_tests


@pytest.fixture
def place(request, dialect, tmp_path):
    """Where a system is written: the address of an empty database, or an empty folder."""
    return tmp_path if dialect == "files" else request.getfixturevalue(f"{dialect}_url")


@pytest.fixture
def source_url(request, dialect, tmp_path):
    """The address of an empty database to migrate from."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path}/legacy.db"
    return request.getfixturevalue("postgresql_url")


@pytest.fixture
async def arrival(migrated_sqlite_url, tmp_path):
    """A started installation that nobody uses yet, which reads every kind of hash."""
    async with auth_for_tests(
        database_url=migrated_sqlite_url, data=tmp_path, passwords=PASSWORDS
    ) as started:
        yield started


@pytest.fixture
async def moving(arrival, source_url):
    """Writes a system, and begins to move it here."""
    async with AsyncExitStack() as entered:

        async def begin(name, size="clean"):
            system = build(name, size)
            await system.write(source_url)
            return Soaking(await entered.enter_async_context(journey(arrival, name, source_url)), system)

        yield begin


@pytest.fixture
def soaking(moving):
    """Moves a system here, and cuts it over."""

    async def begin(name, size="clean"):
        soak = await moving(name, size)
        await soak.going.run()
        await soak.going.cut_over()
        return soak

    return begin
