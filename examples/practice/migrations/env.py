"""Alembic's environment: the practice's tables only; Ostiary's have a history of their own in the same database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alembic import context

from examples.practice.database import engine
from examples.practice.tables import Base
from ostiary.schema import include_object, render_item

if TYPE_CHECKING:
    from sqlalchemy import Connection


def run(connection: Connection) -> None:
    """Apply the revisions on a connection."""
    context.configure(
        connection,
        target_metadata=Base.metadata,
        include_schemas=True,
        include_object=include_object,
        render_item=render_item,
        version_table="practice_alembic_version",
        # SQLite changes a table by making it anew.
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Open the practice's engine for as long as it takes."""
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(run_online())
