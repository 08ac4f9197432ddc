"""The application: its routers, with Ostiary at /auth."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError

from ostiary.entrypoints.integrations.fastapi import answer_errors

from . import customers, moderation, orders, stores
from .accounts import auth
from .database import engine


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """Run Ostiary while the market runs."""
    async with auth.lifespan(application):
        yield
    await engine.dispose()


UNREADABLE: dict[int | str, dict[str, Any]] = {400: {"description": "The body is no text."}}

app = FastAPI(title="Food market", lifespan=lifespan, responses=UNREADABLE)
app.mount("/auth", auth)
answer_errors(app, auth)
for router in (stores.public, stores.own, customers.router, orders.router, moderation.router):
    app.include_router(router)


@app.exception_handler(IntegrityError)
async def refuse_change(_request: Request, _error: IntegrityError) -> JSONResponse:
    """Answer who changes what somebody else removes in the same moment."""
    return JSONResponse({"detail": "What this belongs to is gone. Look again, then try again."}, 409)
