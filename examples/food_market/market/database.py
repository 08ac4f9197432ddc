"""The market's side of the one database: a session for each request, and whatever cannot be kept."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ostiary.schema import engine_at

from .accounts import auth

engine = engine_at(auth.settings.database)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def transaction() -> AsyncIterator[AsyncSession]:
    """Open the transaction of a request; a refusal rolls it back."""
    async with sessions.begin() as session:
        yield session


# FastAPI would end it after the answer was sent: what was acknowledged has to be committed.
Session = Annotated[AsyncSession, Depends(transaction, scope="function")]
