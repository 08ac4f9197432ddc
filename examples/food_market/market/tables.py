"""The market's own tables, beside Ostiary's in one database."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, MetaData, String
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from ostiary.schema import Moment, TypedId, identities

from .accounts import auth


class Base(DeclarativeBase):
    """What all tables of the market have in common: constraints with names that migrations can use."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Identity(Base):
    """Who can sign in. The table is Ostiary's: it is read here, and never written."""

    __table__ = identities(Base.metadata, auth.settings.database)
    id: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    status: Mapped[str]


class Vendor(Base):
    """A store. Its vendor's addresses are those they sign in with."""

    __tablename__ = "vendors"
    id: Mapped[int] = mapped_column(primary_key=True)
    identity_id: Mapped[str] = mapped_column(
        TypedId("idn"), ForeignKey(Identity.id, ondelete="CASCADE"), unique=True
    )
    name: Mapped[str] = mapped_column(String(80))
    opens_at: Mapped[str] = mapped_column(String(5))
    closes_at: Mapped[str] = mapped_column(String(5))
    # The number of a store that is gone is nobody else's: it may stand in a token.
    __table_args__ = ({"sqlite_autoincrement": True},)

    identity: Mapped[Identity] = relationship(lazy="joined", innerjoin=True)
    email: AssociationProxy[str | None] = association_proxy("identity", "email")
    phone: AssociationProxy[str | None] = association_proxy("identity", "phone")
    status: AssociationProxy[str] = association_proxy("identity", "status")


class MenuItem(Base):
    """A dish, and what it costs from now on."""

    __tablename__ = "vendor_menus"
    id: Mapped[int] = mapped_column(primary_key=True)
    vendor_id: Mapped[int] = mapped_column(ForeignKey(Vendor.id, ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(80))
    price_cents: Mapped[int]


class Address(Base):
    """Where a customer wants to have things delivered."""

    __tablename__ = "user_addresses"
    id: Mapped[int] = mapped_column(primary_key=True)
    identity_id: Mapped[str] = mapped_column(
        TypedId("idn"), ForeignKey(Identity.id, ondelete="CASCADE"), index=True
    )
    label: Mapped[str] = mapped_column(String(80))
    street: Mapped[str] = mapped_column(String(80))
    city: Mapped[str] = mapped_column(String(80))


class OrderStatus(StrEnum):
    """How far an order has come."""

    PLACED = "placed"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Order(Base):
    """What somebody ordered, at the prices of that moment. It outlives both sides of the trade, for the books."""

    __tablename__ = "orders"
    id: Mapped[str] = mapped_column(TypedId("ord"), primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(
        TypedId("idn"), ForeignKey(Identity.id, ondelete="SET NULL")
    )
    vendor_id: Mapped[int | None] = mapped_column(ForeignKey(Vendor.id, ondelete="SET NULL"))
    store_name: Mapped[str] = mapped_column(String(80))
    deliver_to: Mapped[str | None] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(9), default=OrderStatus.PLACED)
    total_cents: Mapped[int]
    placed_at: Mapped[datetime] = mapped_column(Moment)

    lines: Mapped[list["OrderLine"]] = relationship(lazy="selectin", order_by="OrderLine.number")

    __table_args__ = (
        CheckConstraint("status IN ('placed', 'accepted', 'delivered', 'cancelled')", name="status"),
        # Either side sees its orders, the newest first: keys are in the order they were made.
        Index(None, "customer_id", "id"),
        Index(None, "vendor_id", "id"),
    )


class OrderLine(Base):
    """A dish of an order, as it was called and priced then."""

    __tablename__ = "order_lines"
    order_id: Mapped[str] = mapped_column(
        TypedId("ord"), ForeignKey(Order.id, ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    unit_price_cents: Mapped[int]
    quantity: Mapped[int]
