"""The food market, after: who somebody is, Ostiary knows; stores, menus and addresses lie in the market's own tables still.

`OSTIARY_PUBLIC_URL` is where it is reached, with `/auth` at the end; `MARKET_DATABASE_URL` is where the market's tables are,
which may be the database that `OSTIARY_DATABASE_URL` names.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import uvicorn
from fastapi import Depends, FastAPI, HTTPException

from ostiary import InvalidProfile, NewIdentity, Ostiary, Principal, Query, Transaction
from ostiary.entrypoints.integrations.fastapi import SignedIn
from ostiary.foundation.storage import database_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


@dataclass(frozen=True)
class Address:
    label: str
    street: str
    city: str
    postcode: str


@dataclass(frozen=True)
class Store:
    id: str
    store_name: str
    description: str | None
    is_open: bool


@dataclass(frozen=True)
class Dish:
    title: str
    price_cents: int


# The key of somebody who came from the old application is the number they had there.
ADDRESSES = Query(
    'SELECT label, street, city, postcode FROM user_address WHERE CAST("userId" AS text) = $1 ORDER BY id',
    into=Address,
)
STORE = Query("SELECT id, store_name, description, is_open FROM vendors WHERE id = $1", into=Store)
MENU = Query('SELECT title, price_cents FROM vendor_menus WHERE "vendorId" = $1 ORDER BY title', into=Dish)


async def open_store(_tx: Transaction, _identity: NewIdentity, _profile: Mapping[str, Any]) -> str:
    """Refuse: as before, a store is opened at the market's desk."""
    raise InvalidProfile("entity_type", "Stores are opened at the market's desk.")


auth = Ostiary()
auth.entity_type("vendor", prefix="vnd", create=open_store, open_registration=False)
signed_in = SignedIn(auth)
vendor = SignedIn(auth, entity_types=["vendor"])
market = database_at(os.environ["MARKET_DATABASE_URL"])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    await market.open()
    async with auth.lifespan(app):
        yield
    await market.close()


app = FastAPI(title="Food market", lifespan=lifespan)
app.mount("/auth", auth)


@app.get("/me")
async def me(principal: Annotated[Principal, Depends(signed_in)]) -> dict[str, Any]:
    """Return what the market knows of somebody; names, addresses and numbers are at /auth/v1/me."""
    addresses = await market.fetch_all(ADDRESSES, principal.entity_id)
    return {"id": principal.entity_id, "kind": principal.entity_type, "addresses": addresses}


@app.get("/vendors/me")
async def my_store(principal: Annotated[Principal, Depends(vendor)]) -> dict[str, Any]:
    """Return the store of whoever signed in as its vendor."""
    store = await market.fetch_one(STORE, principal.entity_id)
    if store is None:
        raise HTTPException(404, "This store is closed.")
    return {"store": store, "menu": await market.fetch_all(MENU, principal.entity_id)}


if __name__ == "__main__":
    uvicorn.run(app, port=urlsplit(auth.settings.public_url).port or 8101, log_level="warning")
