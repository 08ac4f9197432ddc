"""Stores and their menus: everybody reads them, and each vendor changes their own."""

from collections.abc import Sequence

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ostiary.entrypoints.integrations.fastapi import REFUSALS

from .accounts import OwnStore
from .database import Session
from .shapes import (
    NOT_FOUND,
    PAGE,
    After,
    Body,
    Cents,
    PathKey,
    Store,
    StoreView,
    Text,
    View,
    found,
)
from .tables import MenuItem, Vendor

public = APIRouter(tags=["Stores"])
own = APIRouter(prefix="/store", tags=["A vendor's own store"], responses=REFUSALS)

# A vendor who is suspended has no store, from the same moment on as they have no access.
IS_OPEN = Vendor.identity.has(status="active")


class Dish(Body):
    """A dish, and what it costs from now on."""

    title: Text
    price_cents: Cents


class DishView(View):
    """A dish as everybody sees it."""

    id: int
    title: str
    price_cents: int


@public.get("/stores", response_model=list[StoreView])
async def list_stores(session: Session, after: After = 0) -> Sequence[Vendor]:
    """List the stores, in the order they were opened."""
    page = select(Vendor).where(IS_OPEN, Vendor.id > after).order_by(Vendor.id).limit(PAGE)
    return (await session.scalars(page)).all()


@public.get("/stores/{store}/menu", response_model=list[DishView], responses=NOT_FOUND)
async def read_menu(store: PathKey, session: Session) -> Sequence[MenuItem]:
    """Show what a store has to offer."""
    vendor = found(await session.scalar(select(Vendor).where(Vendor.id == store, IS_OPEN)), "store")
    menu = select(MenuItem).where(MenuItem.vendor_id == vendor.id).order_by(MenuItem.id)
    return (await session.scalars(menu)).all()


@own.put("", response_model=StoreView, responses=NOT_FOUND)
async def change_store(change: Store, store: OwnStore, session: Session) -> Vendor:
    """Change the store's name and hours."""
    vendor = found(await session.get(Vendor, store), "store")
    vendor.name, vendor.opens_at, vendor.closes_at = change.name, change.opens_at, change.closes_at
    return vendor


@own.post("/menu", status_code=201, response_model=DishView, responses=NOT_FOUND)
async def add_dish(dish: Dish, store: OwnStore, session: Session) -> MenuItem:
    """Put a dish on the menu."""
    vendor = found(await session.get(Vendor, store), "store")
    item = MenuItem(vendor_id=vendor.id, **dish.model_dump())
    session.add(item)
    await session.flush()
    return item


@own.put("/menu/{dish}", response_model=DishView, responses=NOT_FOUND)
async def change_dish(dish: PathKey, change: Dish, store: OwnStore, session: Session) -> MenuItem:
    """Change a dish; orders that were placed keep the price of their time."""
    item = await _own_dish(session, dish, store)
    item.title, item.price_cents = change.title, change.price_cents
    return item


@own.delete("/menu/{dish}", status_code=204, responses=NOT_FOUND)
async def remove_dish(dish: PathKey, store: OwnStore, session: Session) -> None:
    """Take a dish off the menu."""
    await session.delete(await _own_dish(session, dish, store))


async def _own_dish(session: AsyncSession, dish: int, store: int) -> MenuItem:
    """Return a dish of this store, locked; another store's is none."""
    own_one = select(MenuItem).where(MenuItem.id == dish, MenuItem.vendor_id == store)
    return found(await session.scalar(own_one.with_for_update()), "dish on your menu")
