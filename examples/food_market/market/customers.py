"""Whoever is signed in, and where customers live."""

from collections.abc import Sequence

from fastapi import APIRouter
from sqlalchemy import select

from ostiary.entrypoints.integrations.fastapi import REFUSALS

from .accounts import Anybody, Customer
from .database import Session
from .shapes import NOT_FOUND, PAGE, Body, PathKey, StoreView, Text, View, found
from .tables import Address, Identity, Vendor

router = APIRouter(tags=["Whoever is signed in"], responses=REFUSALS)


class Me(View):
    """Who is signed in, with the addresses they sign in with; `store` is a vendor's."""

    entity_type: str
    email: str | None
    phone: str | None
    store: StoreView | None


class NewAddress(Body):
    """Where to deliver."""

    label: Text
    street: Text
    city: Text


class AddressView(View):
    """An address as its owner sees it."""

    id: int
    label: str
    street: str
    city: str


@router.get("/me", responses=NOT_FOUND)
async def me(principal: Anybody, session: Session) -> Me:
    """Show who is signed in."""
    if principal.entity_type == "vendor":
        vendor = found(await session.get(Vendor, int(principal.entity_id)), "store")
        return Me(
            entity_type="vendor",
            email=vendor.email,
            phone=vendor.phone,
            store=StoreView.model_validate(vendor),
        )
    person = found(await session.get(Identity, principal.identity_id), "account")
    return Me(entity_type=principal.entity_type, email=person.email, phone=person.phone, store=None)


@router.get("/addresses", response_model=list[AddressView])
async def list_addresses(customer: Customer, session: Session) -> Sequence[Address]:
    """List where the customer lives."""
    own = select(Address).where(Address.identity_id == customer.identity_id).order_by(Address.id).limit(PAGE)
    return (await session.scalars(own)).all()


@router.post("/addresses", status_code=201, response_model=AddressView)
async def add_address(address: NewAddress, customer: Customer, session: Session) -> Address:
    """Add an address."""
    row = Address(identity_id=customer.identity_id, **address.model_dump())
    session.add(row)
    await session.flush()
    return row


@router.delete("/addresses/{address}", status_code=204, responses=NOT_FOUND)
async def remove_address(address: PathKey, customer: Customer, session: Session) -> None:
    """Forget an address; orders that were placed know where they go."""
    own = select(Address).where(Address.id == address, Address.identity_id == customer.identity_id)
    await session.delete(found(await session.scalar(own.with_for_update()), "address of yours"))
