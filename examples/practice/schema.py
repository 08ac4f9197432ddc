"""Bringing the database up to date: Ostiary's tables first, then the practice's own, which refer to them."""

from __future__ import annotations

import asyncio

from alembic import command
from alembic.config import Config

from examples.practice.accounts import auth


def migrate() -> None:
    """Apply what either history has that the database has not."""
    asyncio.run(auth.deploy())
    configuration = Config()
    configuration.set_main_option("script_location", "examples.practice:migrations")
    command.upgrade(configuration, "head")
