"""The market opens: stores, menus, addresses, orders."""

import sqlalchemy as sa
from alembic import op

from examples.food_market.market.tables import Identity
from ostiary.schema import Moment, TypedId, guard_profile_table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the trigger by which an account goes with its store."""
    dialect = op.get_bind().dialect.name
    identity = Identity.__table__.c.id
    op.create_table(
        "vendors",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "identity_id",
            TypedId("idn"),
            sa.ForeignKey(identity, ondelete="CASCADE"),
            nullable=False,
            unique=True,
        ),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("opens_at", sa.String(5), nullable=False),
        sa.Column("closes_at", sa.String(5), nullable=False),
        sqlite_autoincrement=True,
    )
    for statement in guard_profile_table("vendors", dialect):
        op.execute(statement)
    op.create_table(
        "vendor_menus",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "vendor_id",
            sa.Integer,
            sa.ForeignKey("vendors.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
    )
    op.create_table(
        "user_addresses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "identity_id",
            TypedId("idn"),
            sa.ForeignKey(identity, ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("street", sa.String(80), nullable=False),
        sa.Column("city", sa.String(80), nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("id", TypedId("ord"), primary_key=True),
        sa.Column("customer_id", TypedId("idn"), sa.ForeignKey(identity, ondelete="SET NULL")),
        sa.Column("vendor_id", sa.Integer, sa.ForeignKey("vendors.id", ondelete="SET NULL")),
        sa.Column("store_name", sa.String(80), nullable=False),
        sa.Column("deliver_to", sa.String(200)),
        sa.Column("status", sa.String(9), nullable=False),
        sa.Column("total_cents", sa.Integer, nullable=False),
        sa.Column("placed_at", Moment, nullable=False),
        sa.CheckConstraint("status IN ('placed', 'accepted', 'delivered', 'cancelled')", name="status"),
    )
    op.create_index("ix_orders_customer_id_id", "orders", ["customer_id", "id"])
    op.create_index("ix_orders_vendor_id_id", "orders", ["vendor_id", "id"])
    op.create_table(
        "order_lines",
        sa.Column(
            "order_id", TypedId("ord"), sa.ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("unit_price_cents", sa.Integer, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Take the market down; the accounts of its vendors stay."""
    for table in ("order_lines", "orders", "user_addresses", "vendor_menus", "vendors"):
        op.drop_table(table)
