"""Who somebody is: the kinds of accounts, the roles, and who may ask what. Everything about signing in is in this module."""

import os
from typing import Annotated

from fastapi import Depends

from ostiary import Identity, NewIdentity, Ostiary, Principal, Query, Transaction
from ostiary.entrypoints.integrations.fastapi import SignedIn

from .shapes import Store

PORT = int(os.environ.get("PORT", "8100"))
OPEN_STORE = Query(
    "INSERT INTO vendors (identity_id, name, opens_at, closes_at) VALUES ($1, $2, $3, $4) RETURNING id",
    into=int,
)
FORGET_CUSTOMER = Query("UPDATE orders SET deliver_to = NULL WHERE customer_id = $1")

auth = Ostiary(defaults={"public_url": f"http://127.0.0.1:{PORT}/auth"})


async def open_store(tx: Transaction, identity: NewIdentity, store: Store) -> int:
    """Open the store of a new vendor, in the transaction that makes the account; its number is the account's key."""
    [key] = await tx.fetch_all(OPEN_STORE, identity.id, store.name, store.opens_at, store.closes_at)
    return key


async def forget_customer(tx: Transaction, identity: Identity) -> None:
    """Keep the orders of somebody who is erased for the vendors' books, without where they lived."""
    await tx.execute(FORGET_CUSTOMER, identity.id)


auth.entity_type("vendor", prefix="vnd", profile=Store, create=open_store)
auth.role("moderator", permissions=["vendors:suspend"], description="Keeps the market clean.")
auth.on_erasure(forget_customer)

Anybody = Annotated[Principal, Depends(SignedIn(auth))]
Trader = Annotated[Principal, Depends(SignedIn(auth, entity_types=["user", "vendor"]))]
Customer = Annotated[Principal, Depends(SignedIn(auth, entity_types=["user"]))]
Moderator = Annotated[Principal, Depends(SignedIn(auth, "vendors:suspend", entity_types=["admin"]))]


def number_of(vendor: Annotated[Principal, Depends(SignedIn(auth, entity_types=["vendor"]))]) -> int:
    """Return the number of the store whose vendor asks."""
    return int(vendor.entity_id)


OwnStore = Annotated[int, Depends(number_of)]
