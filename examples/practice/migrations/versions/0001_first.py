"""Clients, therapists, and the verification of their licences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from examples.practice.tables import IDENTITIES, Texts

from ostiary.schema import Moment, TypedId

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "clients",
        sa.Column("id", TypedId("cli"), nullable=False),
        sa.Column("display_name", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_clients"),
        sa.ForeignKeyConstraint(["id"], [IDENTITIES.c.id], name="fk_clients_id", ondelete="CASCADE"),
    )
    op.create_table(
        "therapists",
        sa.Column("id", TypedId("thp"), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("bio_short", sa.String()),
        sa.Column("specializations", Texts, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("languages_spoken", Texts, server_default=sa.text("'[]'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_therapists"),
        sa.ForeignKeyConstraint(["id"], [IDENTITIES.c.id], name="fk_therapists_id", ondelete="CASCADE"),
    )
    op.create_table(
        "therapist_verifications",
        sa.Column("therapist_id", TypedId("thp"), nullable=False),
        sa.Column("license_number", sa.String(), nullable=False),
        sa.Column("requested_at", Moment(), nullable=False),
        sa.Column("decided_at", Moment()),
        sa.Column("decided_by", sa.String()),
        sa.Column("is_approved", sa.Boolean()),
        sa.Column("reason", sa.String()),
        sa.PrimaryKeyConstraint("therapist_id", name="pk_therapist_verifications"),
        sa.ForeignKeyConstraint(
            ["therapist_id"],
            ["therapists.id"],
            name="fk_therapist_verifications_therapist_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "ix_therapist_verifications_open",
        "therapist_verifications",
        ["requested_at"],
        postgresql_where=sa.text("decided_at IS NULL"),
        sqlite_where=sa.text("decided_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the tables, and what the practice knew."""
    op.drop_table("therapist_verifications")
    op.drop_table("therapists")
    op.drop_table("clients")
