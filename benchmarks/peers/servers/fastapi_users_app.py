"""fastapi-users as its documentation sets it up: SQLAlchemy, asyncpg, and the strategy PEERS_STRATEGY names."""

from __future__ import annotations

import os
import uuid
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.password import PasswordHelper
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

LIFETIME = int(os.environ["PEERS_ACCESS_SECONDS"])
SECRET = os.environ["PEERS_SECRET"]
PASSWORDS = PasswordHelper(PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19456, parallelism=1),)))


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    pass


class ReadUser(schemas.BaseUser[uuid.UUID]):
    pass


class CreateUser(schemas.BaseUserCreate):
    pass


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


engine = create_async_engine(
    os.environ["PEERS_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=10,
    max_overflow=0,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


async def database_session():
    async with sessions() as session:
        yield session


async def user_database(session: Annotated[object, Depends(database_session)]):
    yield SQLAlchemyUserDatabase(session, User)


async def token_database(session: Annotated[object, Depends(database_session)]):
    yield SQLAlchemyAccessTokenDatabase(session, AccessToken)


async def user_manager(database: Annotated[object, Depends(user_database)]):
    yield UserManager(database, PASSWORDS)


def jwt_strategy() -> JWTStrategy:
    return JWTStrategy(secret=SECRET, lifetime_seconds=LIFETIME)


def database_strategy(tokens: Annotated[object, Depends(token_database)]) -> DatabaseStrategy:
    return DatabaseStrategy(tokens, lifetime_seconds=LIFETIME)


backend = AuthenticationBackend(
    name="bearer",
    transport=BearerTransport(tokenUrl="/login"),
    get_strategy={"jwt": jwt_strategy, "database": database_strategy}[os.environ["PEERS_STRATEGY"]],
)
users = FastAPIUsers[User, uuid.UUID](user_manager, [backend])


@asynccontextmanager
async def lifespan(_app: FastAPI):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.include_router(users.get_auth_router(backend))
app.include_router(users.get_register_router(ReadUser, CreateUser))


@app.get("/hello")
async def hello(user: Annotated[User, Depends(users.current_user(active=True))]) -> dict[str, str]:
    """Say who asks."""
    return {"id": str(user.id)}
