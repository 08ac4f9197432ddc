"""The database: one for Ostiary's tables and ours, each with a history of its own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from alembic import command
from alembic.config import Config
from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ostiary.schema import engine_at

from .accounts import auth
from .tables import now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

engine = engine_at(auth.settings.database)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def transaction() -> AsyncIterator[AsyncSession]:
    """Give a request a transaction: what it changed holds when it is answered, and nothing of what it was refused."""
    async with sessions.begin() as session:
        yield session


# With the scope of the function everything is kept before the answer goes out, not after.
Session = Annotated[AsyncSession, Depends(transaction, scope="function")]
Now = Annotated[datetime, Depends(now)]


async def migrate() -> None:
    """Bring both schemas up to date, Ostiary's first: ours refers to it."""
    await auth.deploy()
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)


def upgrade(connection: Connection) -> None:
    """Bring our schema up to date on a connection."""
    config = Config(Path(__file__).parent / "alembic.ini", attributes={"connection": connection})
    command.upgrade(config, "head")
