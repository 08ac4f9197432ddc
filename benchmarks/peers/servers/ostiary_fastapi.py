"""Ostiary mounted in a FastAPI application, as its README shows it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI

from ostiary import Ostiary, Principal
from ostiary.entrypoints.integrations.fastapi import SignedIn

auth = Ostiary()
app = FastAPI(lifespan=auth.lifespan)
app.mount("/auth", auth)


@app.get("/hello")
async def hello(principal: Annotated[Principal, Depends(SignedIn(auth))]) -> dict[str, str]:
    """Say who asks."""
    return {"id": principal.entity_id}
