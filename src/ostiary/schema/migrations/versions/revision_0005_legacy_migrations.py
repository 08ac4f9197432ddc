"""Legacy migrations: what moved here from other systems, what they handed out, and the way back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ostiary.schema.dialects import BIG_NUMBER, BYTES, DOCUMENT, FLAG, MOMENT, SCHEMA, TEXT, UUID
from ostiary.schema.migrations.operations import (
    create_index,
    create_table,
    foreign_key,
    primary_key,
)

revision = "0005"
down_revision = "0004"
# It only adds: what that release runs, runs here.
serves_from = "0004"


def upgrade() -> None:
    for column in ("shadow_scheme", "shadow_hash"):
        op.add_column("identities", sa.Column(column, TEXT), schema=SCHEMA)
    _legacy_migrations()
    _legacy_roots()
    _legacy_identities()
    _legacy_findings()
    _legacy_bearers()


def downgrade() -> None:
    for table in (
        "legacy_bearers",
        "legacy_findings",
        "legacy_identities",
        "legacy_roots",
        "legacy_migrations",
    ):
        op.drop_table(table, schema=SCHEMA)
    for column in ("shadow_hash", "shadow_scheme"):
        op.drop_column("identities", column, schema=SCHEMA)


def _legacy_migrations() -> None:
    create_table(
        "legacy_migrations",
        sa.Column("id", UUID, nullable=False),
        sa.Column("plan", DOCUMENT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("fence", BIG_NUMBER, server_default=sa.text("0"), nullable=False),
        sa.Column("holder", TEXT),
        sa.Column("leased_until", MOMENT),
        sa.Column("checkpoint", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("verification", DOCUMENT),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("verified_at", MOMENT),
        sa.Column("cut_over_at", MOMENT),
        sa.Column("contracted_at", MOMENT),
        sa.Column("archive_until", MOMENT),
        sa.Column("is_over", FLAG, server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "state IN ('expanded', 'capturing', 'backfilling', 'backfilled', 'verified', 'soaking', 'contracted')",
            name="ck_legacy_migrations_state",
        ),
        primary_key("legacy_migrations", "id"),
    )
    create_index("legacy_migrations", "is_over", unique=True, where="NOT is_over")


def _legacy_roots() -> None:
    create_table(
        "legacy_roots",
        sa.Column("migration_id", UUID, nullable=False),
        sa.Column("root_key", TEXT, nullable=False),
        sa.Column("version", BIG_NUMBER, nullable=False),
        sa.Column("digest", BYTES),
        sa.Column("archive", BYTES),
        sa.Column("made", DOCUMENT, nullable=False),
        sa.Column("counts", DOCUMENT, nullable=False),
        foreign_key("legacy_roots", "migration_id", "legacy_migrations"),
        primary_key("legacy_roots", "migration_id", "root_key"),
    )


def _legacy_identities() -> None:
    create_table(
        "legacy_identities",
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("migration_id", UUID, nullable=False),
        sa.Column("root_key", TEXT, nullable=False),
        sa.Column("is_adopted", FLAG, server_default=sa.text("false"), nullable=False),
        foreign_key("legacy_identities", "migration_id", "legacy_migrations"),
        primary_key("legacy_identities", "identity_id"),
    )
    create_index("legacy_identities", "migration_id", "root_key")
    create_index("legacy_identities", "root_key", where="is_adopted")


def _legacy_findings() -> None:
    create_table(
        "legacy_findings",
        sa.Column("migration_id", UUID, nullable=False),
        sa.Column("source_table", TEXT, nullable=False),
        sa.Column("source_key", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("column_name", TEXT, nullable=False),
        sa.Column("root_key", TEXT),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("claim", BYTES),
        sa.Column("found_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "severity IN ('block', 'quarantine', 'warning')", name="ck_legacy_findings_severity"
        ),
        foreign_key("legacy_findings", "migration_id", "legacy_migrations"),
        sa.PrimaryKeyConstraint(
            *("migration_id", "source_table", "source_key", "reason", "column_name"),
            name="pk_legacy_findings",
        ),
    )
    create_index("legacy_findings", "migration_id", "root_key")
    create_index("legacy_findings", "migration_id", "reason")
    create_index("legacy_findings", "claim", where="claim IS NOT NULL")


def _legacy_bearers() -> None:
    create_table(
        "legacy_bearers",
        sa.Column("digest", BYTES, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("session_id", UUID),
        sa.Column("challenge_id", UUID),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("consumed_at", MOMENT),
        foreign_key("legacy_bearers", "identity_id", "identities"),
        foreign_key("legacy_bearers", "session_id", "sessions"),
        foreign_key("legacy_bearers", "challenge_id", "challenges", onupdate="SET NULL"),
        primary_key("legacy_bearers", "digest"),
    )
    create_index("legacy_bearers", "identity_id")
    create_index("legacy_bearers", "session_id", where="session_id IS NOT NULL")
    create_index("legacy_bearers", "challenge_id", where="challenge_id IS NOT NULL")
    create_index("legacy_bearers", "expires_at")
