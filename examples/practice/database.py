"""The practice's own way to its tables: one engine on the database that Ostiary is on, and a session for each request."""

from collections.abc import AsyncIterator
from typing import Annotated

from examples.practice.accounts import auth
from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ostiary.schema import engine_at

# A connection may have died while nobody asked for it: the server was restarted, a function's container was frozen.
engine = engine_at(auth.settings.database, pool_pre_ping=True)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def session() -> AsyncIterator[AsyncSession]:
    """Open a session for one request."""
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]
