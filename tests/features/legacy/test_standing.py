"""How a migration stands, as `ostiary legacy status` tells it."""

from __future__ import annotations

import pytest
from tests.features.legacy.returning import PASSWORDS, journey
from tests.features.legacy.systems import build

from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio


@pytest.fixture
async def target(migrated_url, tmp_path):
    """A started installation that nobody uses yet."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, passwords=PASSWORDS) as started:
        yield started


@pytest.fixture
async def place(tmp_path):
    """The address of a system that has everything a table of people can have wrong."""
    url = f"sqlite:///{tmp_path}/legacy.db"
    await build("auth-entity", "dirty").write(url)
    return url


async def test_rows_are_counted_once_however_often_it_goes_back(target, place):
    """Forward again after a rollback, the rows of each table are what they were, and not none."""
    async with journey(target, "auth-entity", place) as going:
        await going.run()
        first = (await going.legacy.status()).counts
        await going.cut_over()
        await going.roll_back()
        await going.run()
        again = (await going.legacy.status()).counts

    assert again == first
    assert sum(first["user"]) > 0


async def test_passwords_that_are_as_they_were_are_counted_to_the_end(target, place):
    """Contracting forgets the shadows, and not who has not signed in yet."""
    async with journey(target, "auth-entity", place) as going:
        await going.run()
        await going.cut_over()
        soaking = await going.legacy.status()
        await going.contract()
        contracted = await going.legacy.status()

    assert contracted.not_rehashed == soaking.not_rehashed > 0
