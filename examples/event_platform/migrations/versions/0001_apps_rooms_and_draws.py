"""Apps, rooms, participants, prizes and winners."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from examples.event_platform.tables import IDENTITIES
from ostiary.schema import Moment, TypedId

revision = "0001"
down_revision = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
STATUS = sa.Enum("DRAFT", "ACTIVE", "COMPLETED", "CANCELLED", name="room_status", create_constraint=True)
ROLE = sa.Enum(
    *("ADMIN", "ORGANIZER", "MODERATOR", "PARTICIPANT", "VIEWER"),
    name="participant_role",
    create_constraint=True,
)
INDEXES: dict[str, list[tuple[str, ...]]] = {
    "apps": [("deleted_at",)],
    "rooms": [("app_id",), ("status",), ("is_public",), ("deleted_at",), ("status", "is_public", "app_id")],
    "participants": [("user_id",), ("room_id",), ("role",), ("deleted_at",), ("room_id", "role")],
    "prizes": [("room_id",), ("deleted_at",)],
    "winners": [
        *(("room_id",), ("participant_id",), ("prize_id",)),
        *(("deleted_at",), ("room_id", "prize_id")),
    ],
}


def upgrade() -> None:
    """Make the tables."""
    make(
        "apps",
        sa.Column("id", TypedId("app"), primary_key=True),
        sa.Column("app_id", sa.String, nullable=False),
        sa.Column("manifest", JSON, nullable=False),
        unique=("app_id",),
    )
    make(
        "rooms",
        sa.Column("id", TypedId("room"), primary_key=True),
        belongs_to("apps.app_id", "app_id", sa.String(), "RESTRICT"),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("is_public", sa.Boolean, nullable=False),
        sa.Column("app_settings", JSON, nullable=False),
    )
    make(
        "participants",
        sa.Column("id", TypedId("par"), primary_key=True),
        belongs_to(IDENTITIES.c.id, "user_id", TypedId("idn"), "CASCADE"),
        belongs_to("rooms.id", "room_id", TypedId("room"), "CASCADE"),
        sa.Column("role", ROLE, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
    )
    make(
        "prizes",
        sa.Column("id", TypedId("prize"), primary_key=True),
        belongs_to("rooms.id", "room_id", TypedId("room"), "CASCADE"),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unique_winners", sa.Boolean, nullable=False),
        sa.Column("draws", sa.Integer, nullable=False),
        sa.Column("seed", sa.String),
        sa.Column("commitment", sa.String),
        sa.Column("metadata", JSON, nullable=False),
    )
    make(
        "winners",
        sa.Column("id", TypedId("win"), primary_key=True),
        belongs_to("rooms.id", "room_id", TypedId("room"), "CASCADE"),
        belongs_to("participants.id", "participant_id", TypedId("par"), "CASCADE"),
        belongs_to("prizes.id", "prize_id", TypedId("prize"), "RESTRICT"),
        sa.Column("draw", sa.Integer, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        unique=("prize_id", "draw"),
    )
    # Whoever has left may come again, and nobody is in a room twice.
    is_in = sa.text("deleted_at IS NULL")
    op.create_index(
        "ix_participants_user_id_room_id",
        "participants",
        ["user_id", "room_id"],
        unique=True,
        postgresql_where=is_in,
        sqlite_where=is_in,
    )


def make(table: str, *columns: sa.Column[Any], unique: tuple[str, ...] = ()) -> None:
    """Make a table whose rows are marked as deleted, not deleted, with its indexes."""
    constraints = [sa.UniqueConstraint(*unique)] if unique else []
    op.create_table(
        table,
        *columns,
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("deleted_at", Moment),
        *constraints,
    )
    for index in INDEXES[table]:
        op.create_index(f"ix_{table}_{'_'.join(index)}", table, index)


def belongs_to(
    key: str | sa.Column[Any], column: str, kind: sa.types.TypeEngine[str], when_deleted: str
) -> sa.Column[str]:
    """Return a column that refers to a row, and goes with it or keeps it."""
    return sa.Column(column, kind, sa.ForeignKey(key, ondelete=when_deleted), nullable=False)


def downgrade() -> None:
    """Remove the tables, and everything in them."""
    for table in reversed(INDEXES):
        op.drop_table(table)
    for kind in (STATUS, ROLE):
        kind.drop(op.get_bind())
