"""The market's own history of tables, beside Ostiary's."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import anyio
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from tests.examples.market.conftest import PACKAGE

from ostiary.schema import check, engine_at, include_object

pytestmark = pytest.mark.anyio

INI = Path(__file__).parents[3] / "examples" / "food_market" / "market" / "alembic.ini"


def differences(connection):
    options = {
        "include_object": include_object,
        "version_table": "market_alembic_version",
        "compare_type": True,
    }
    metadata = import_module(f"{PACKAGE}.tables").Base.metadata
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


async def test_the_models_are_what_the_migrations_make(environment, migrated_url):
    """Autogenerate finds nothing to do, and Ostiary's own tables are as Ostiary wants them."""
    await anyio.to_thread.run_sync(import_module(f"{PACKAGE}.__main__").migrate)
    engine = engine_at(migrated_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert found == []
    assert await check(migrated_url) == []


async def test_the_history_goes_back_and_forward_again(environment, migrated_url):
    """Going back takes the market's tables and nothing of Ostiary's; a second upgrade does nothing."""
    migrate = import_module(f"{PACKAGE}.__main__").migrate
    config = Config(INI)
    await anyio.to_thread.run_sync(migrate)
    await anyio.to_thread.run_sync(command.downgrade, config, "base")
    without = await check(migrated_url)
    for _ in range(2):
        await anyio.to_thread.run_sync(migrate)
    engine = engine_at(migrated_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert (without, found) == ([], [])


async def test_a_market_is_filled_once(environment):
    """Whoever seeds again changes nothing."""
    await anyio.to_thread.run_sync(import_module(f"{PACKAGE}.__main__").migrate)
    seed = import_module(f"{PACKAGE}.seed").seed

    assert [await seed(), await seed()] == [True, False]


async def test_nobody_with_a_known_password_comes_into_a_market_in_production(environment, monkeypatch):
    """Seeding does nothing there."""
    monkeypatch.setenv("OSTIARY_ENV", "production")

    assert not await import_module(f"{PACKAGE}.seed").seed()
