"""Alembic's environment: our tables alone, with a history beside Ostiary's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alembic import context

from examples.event_platform.database import engine
from examples.event_platform.tables import Base
from ostiary.schema import include_object, render_item

if TYPE_CHECKING:
    from sqlalchemy import Connection


def migrate(connection: Connection) -> None:
    """Run the migrations on a connection."""
    context.configure(
        connection,
        target_metadata=Base.metadata,
        version_table="event_platform_alembic_version",
        include_schemas=True,
        include_object=include_object,
        render_item=render_item,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_alone() -> None:
    """Run the migrations of the `alembic` command, which brings no connection."""
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(migrate_alone())
else:
    migrate(given)
