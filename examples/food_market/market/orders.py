"""Orders: placed by customers, accepted and delivered by vendors; each side sees its own."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from ostiary import Principal
from ostiary.entrypoints.integrations.fastapi import REFUSALS
from ostiary.schema import TypedId

from .accounts import Customer, OwnStore, Trader, auth
from .database import Session
from .shapes import CONFLICT, NOT_FOUND, PAGE, Body, Key, View, found
from .stores import IS_OPEN
from .tables import Address, MenuItem, Order, OrderLine, OrderStatus, Vendor

router = APIRouter(prefix="/orders", tags=["Orders"], responses=REFUSALS)

OrderKey = TypedId("ord").pattern
OrderId = Annotated[str, Path(pattern=OrderKey)]
# What an order has to be before it may become something else.
BEFORE = {
    OrderStatus.ACCEPTED: OrderStatus.PLACED,
    OrderStatus.DELIVERED: OrderStatus.ACCEPTED,
    OrderStatus.CANCELLED: OrderStatus.PLACED,
}


class Wish(Body):
    """So many of a dish."""

    dish: Key
    quantity: Annotated[int, Field(ge=1, le=99)]


class NewOrder(Body):
    """What to deliver from one store to one of the customer's addresses; what it costs, the menu says."""

    store: Key
    address: Key
    wishes: Annotated[list[Wish], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _each_dish_once(self) -> Self:
        if len({wish.dish for wish in self.wishes}) < len(self.wishes):
            raise PydanticCustomError("wishes", "Name each dish once, and say how many")
        return self


class LineView(View):
    """A line of an order, as it was called and priced when it was placed."""

    title: str
    unit_price_cents: int
    quantity: int


class OrderView(View):
    """An order as both sides of the trade see it."""

    id: str
    store_name: str
    deliver_to: str | None
    status: OrderStatus
    total_cents: int
    placed_at: datetime
    lines: list[LineView]


@router.post("", status_code=201, response_model=OrderView, responses=NOT_FOUND)
async def place_order(new: NewOrder, customer: Customer, session: Session) -> Order:
    """Order from a store, at what its menu says now."""
    own_address = select(Address).where(
        Address.id == new.address, Address.identity_id == customer.identity_id
    )
    address = found(await session.scalar(own_address), "address of yours")
    vendor = found(await session.scalar(select(Vendor).where(Vendor.id == new.store, IS_OPEN)), "store")
    menu = await session.scalars(
        select(MenuItem).where(
            MenuItem.vendor_id == vendor.id, MenuItem.id.in_([wish.dish for wish in new.wishes])
        )
    )
    lines = _lines(new.wishes, menu)
    order = Order(
        id=auth.new_id("ord"),
        customer_id=customer.identity_id,
        vendor_id=vendor.id,
        store_name=vendor.name,
        deliver_to=f"{address.street}, {address.city}",
        total_cents=sum(line.unit_price_cents * line.quantity for line in lines),
        placed_at=auth.clock.now(),
        lines=lines,
    )
    session.add(order)
    await session.flush()
    return order


def _lines(wishes: Sequence[Wish], menu: Iterable[MenuItem]) -> list[OrderLine]:
    """Write down what each wish is called and costs at this moment."""
    dishes = {dish.id: dish for dish in menu}
    chosen = [(found(dishes.get(wish.dish), "dish on the menu of this store"), wish) for wish in wishes]
    return [
        OrderLine(number=number, title=dish.title, unit_price_cents=dish.price_cents, quantity=wish.quantity)
        for number, (dish, wish) in enumerate(chosen, start=1)
    ]


@router.get("", response_model=list[OrderView])
async def list_orders(
    trader: Trader, session: Session, before: Annotated[str | None, Query(pattern=OrderKey)] = None
) -> Sequence[Order]:
    """List the orders that somebody placed or got, the newest first; `before` goes on behind the last one."""
    page = select(Order).where(_belongs_to(trader)).order_by(Order.id.desc()).limit(PAGE)
    return (await session.scalars(page if before is None else page.where(Order.id < before))).all()


@router.get("/{order}", response_model=OrderView, responses=NOT_FOUND)
async def read_order(order: OrderId, trader: Trader, session: Session) -> Order:
    """Show an order to either side of the trade."""
    return await _order(session, order, _belongs_to(trader))


@router.post("/{order}/accept", response_model=OrderView, responses=NOT_FOUND | CONFLICT)
async def accept_order(order: OrderId, store: OwnStore, session: Session) -> Order:
    """Begin to cook."""
    return _become(OrderStatus.ACCEPTED, await _order(session, order, Order.vendor_id == store))


@router.post("/{order}/deliver", response_model=OrderView, responses=NOT_FOUND | CONFLICT)
async def deliver_order(order: OrderId, store: OwnStore, session: Session) -> Order:
    """Hand it over."""
    return _become(OrderStatus.DELIVERED, await _order(session, order, Order.vendor_id == store))


@router.post("/{order}/cancel", response_model=OrderView, responses=NOT_FOUND | CONFLICT)
async def cancel_order(order: OrderId, trader: Trader, session: Session) -> Order:
    """Take an order back, or decline it, before it is accepted."""
    return _become(OrderStatus.CANCELLED, await _order(session, order, _belongs_to(trader)))


def _belongs_to(trader: Principal) -> ColumnElement[bool]:
    """Say which orders concern somebody: those of their store, or those they placed."""
    if trader.entity_type == "vendor":
        return Order.vendor_id == int(trader.entity_id)
    return Order.customer_id == trader.identity_id


async def _order(session: AsyncSession, order: str, belonging: ColumnElement[bool]) -> Order:
    """Return an order, locked so that of two who change it at once the second sees what the first did."""
    row = await session.scalar(select(Order).where(Order.id == order, belonging).with_for_update())
    return found(row, "order of yours")


def _become(status: OrderStatus, order: Order) -> Order:
    if order.status != BEFORE[status]:
        raise HTTPException(409, f"This order is {order.status}: it cannot be {status} any more, or not yet.")
    order.status = status
    return order
