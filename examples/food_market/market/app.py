"""The application: its routers, with Ostiary at /auth."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError

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
for router in (stores.public, stores.own, customers.router, orders.router, moderation.router):
    app.include_router(router)


@app.exception_handler(RequestValidationError)
async def refuse_request(_request: Request, error: RequestValidationError) -> Response:
    """Say what is wrong and where, and not what was sent: it may be no text that can be sent back."""
    problems = [{name: problem[name] for name in ("loc", "msg", "type")} for problem in error.errors()]
    return Response(json.dumps({"detail": problems}), 422, media_type="application/json")


@app.exception_handler(IntegrityError)
async def refuse_change(_request: Request, _error: IntegrityError) -> Response:
    """Answer who changes what somebody else removes in the same moment."""
    return JSONResponse({"detail": "What this belongs to is gone. Look again, then try again."}, 409)
