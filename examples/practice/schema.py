"""Bringing the database up to date: Ostiary's tables first, then the practice's own, which refer to them."""

from __future__ import annotations

import asyncio

from alembic import command
from alembic.config import Config
from examples.practice.accounts import auth

from ostiary import schema


def migrate() -> None:
    """Apply what either history has that the database has not."""
    auth.settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(schema.deploy(auth.settings.database))
    configuration = Config()
    configuration.set_main_option("script_location", "examples.practice:migrations")
    command.upgrade(configuration, "head")
