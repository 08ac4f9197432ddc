"""The application: its routers, and Ostiary below /auth."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from examples.practice import clients, therapists, verifications
from examples.practice.accounts import auth
from examples.practice.database import engine
from ostiary.entrypoints.integrations.fastapi import answer_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Run Ostiary while the application runs."""
    async with auth.lifespan(application):
        yield
    await engine.dispose()


app = FastAPI(title="Practice", lifespan=lifespan)
app.include_router(therapists.router)
app.include_router(clients.router)
app.include_router(verifications.router)
app.mount("/auth", auth)
answer_errors(app, auth)
