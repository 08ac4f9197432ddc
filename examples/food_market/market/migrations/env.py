"""The market's own migrations; Ostiary's tables are left to Ostiary."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from examples.food_market.market.accounts import auth
from examples.food_market.market.tables import Base
from ostiary.schema import engine_at, include_object, render_item


def run(connection: Connection) -> None:
    """Run what was asked for, all of it or nothing."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=include_object,
        render_item=render_item,
        version_table="market_alembic_version",
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate() -> None:
    """Open the database by the same URL as Ostiary does."""
    engine = engine_at(auth.settings.database)
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


asyncio.run(migrate())
