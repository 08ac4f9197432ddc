"""The application: Ostiary at /auth, what happens in rooms beside it, and a page that shows both."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import IntegrityError

from ostiary.entrypoints.integrations.fastapi import answer_errors

from . import apps, participants, prizes, rooms, winners
from .accounts import auth
from .database import engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request

PAGE = Path(__file__).parent / "page"
ONLY_OURS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run Ostiary while the application runs."""
    async with auth.lifespan(app):
        yield
    await engine.dispose()


app = FastAPI(
    title="Event platform", lifespan=lifespan, responses={400: {"description": "The body is no JSON."}}
)
for router in (
    rooms.public,
    rooms.router,
    rooms.one,
    participants.router,
    prizes.router,
    winners.router,
    apps.router,
):
    app.include_router(router)
app.mount("/auth", auth)
answer_errors(app, auth)
app.mount("/page", StaticFiles(directory=PAGE))


@app.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """Show the page."""
    return FileResponse(PAGE / "index.html", headers=ONLY_OURS)


@app.exception_handler(IntegrityError)
async def say_it_is_gone(_: Request, _error: IntegrityError) -> JSONResponse:
    """Answer whoever changes what somebody else removed, or made, in the same moment."""
    return JSONResponse({"detail": "Somebody else changed this at the same moment: look again."}, 409)
