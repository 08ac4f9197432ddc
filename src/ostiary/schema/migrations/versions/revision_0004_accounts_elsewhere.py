"""Accounts elsewhere: data keys, linked accounts with their tokens, sign-ins at providers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ostiary.schema.dialects import BYTES, DOCUMENT, FLAG, MOMENT, NUMBER, SCHEMA, TEXT, UUID
from ostiary.schema.migrations.operations import (
    create_index,
    create_table,
    foreign_key,
    primary_key,
)

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _data_keys()
    _linked_accounts()
    _linked("sessions", on_delete="SET NULL")
    _linked("sign_in_flows", on_delete="CASCADE")
    for table in ("sessions", "sign_in_flows"):
        op.add_column(table, sa.Column("provider_session_id", TEXT), schema=SCHEMA)
        create_index(table, "linked_account_id", where="linked_account_id IS NOT NULL")
    create_index("sessions", "provider_session_id", where="provider_session_id IS NOT NULL")
    _upstream_flows()
    _received_logouts()


def _linked(table: str, *, on_delete: str) -> None:
    name, target = f"fk_{table}_linked_account_id", "ostiary.linked_accounts"
    if op.get_context().dialect.name == "sqlite":
        # SQLite adds no constraint to a table that is there, and Alembic gives none in a new column its name.
        op.execute(
            f"ALTER TABLE ostiary.{table} ADD COLUMN linked_account_id BLOB"
            f" CONSTRAINT {name} REFERENCES {target} (id) ON DELETE {on_delete}"
        )
        return
    key = sa.ForeignKey(f"{target}.id", name=name, ondelete=on_delete)
    op.add_column(table, sa.Column("linked_account_id", UUID, key), schema=SCHEMA)


def downgrade() -> None:
    for table in ("received_logouts", "upstream_flows"):
        op.drop_table(table, schema=SCHEMA)
    for table in ("sign_in_flows", "sessions"):
        op.drop_index(f"ix_{table}_linked_account_id", table, schema=SCHEMA)
    op.drop_index("ix_sessions_provider_session_id", "sessions", schema=SCHEMA)
    for table in ("sign_in_flows", "sessions"):
        op.drop_column(table, "provider_session_id", schema=SCHEMA)
        op.drop_column(table, "linked_account_id", schema=SCHEMA)
    for table in ("linked_accounts", "data_keys"):
        op.drop_table(table, schema=SCHEMA)


def _data_keys() -> None:
    create_table(
        "data_keys",
        sa.Column("id", UUID, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("wrapped_key", BYTES, nullable=False),
        sa.Column("kek_version", NUMBER, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.CheckConstraint("purpose IN ('installation', 'vault')", name="ck_data_keys_purpose"),
        primary_key("data_keys", "id"),
    )
    create_index("data_keys", "purpose", "number", unique=True)
    create_index("data_keys", "kek_version")


def _linked_accounts() -> None:
    create_table(
        "linked_accounts",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("entity_type", TEXT, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("provider_account_id", TEXT, nullable=False),
        sa.Column("access_token", BYTES),
        sa.Column("refresh_token", BYTES),
        sa.Column("id_token", BYTES),
        sa.Column("data_key_id", UUID),
        sa.Column("access_token_expires_at", MOMENT),
        sa.Column("refresh_token_expires_at", MOMENT),
        sa.Column("scope", TEXT),
        sa.Column("token_type", TEXT),
        sa.Column("profile", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("linked_by", TEXT, nullable=False),
        sa.Column("needs_reconnection", FLAG, server_default=sa.text("false"), nullable=False),
        sa.Column("refresh_claim", UUID),
        sa.Column("refresh_claimed_until", MOMENT),
        sa.Column("refresh_begun_at", MOMENT),
        sa.Column("refresh_failures", NUMBER, server_default=sa.text("0"), nullable=False),
        sa.Column("refresh_not_before", MOMENT),
        sa.Column("last_token_refresh_at", MOMENT),
        sa.Column("last_used_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint("linked_by IN ('sign_in', 'intent')", name="ck_linked_accounts_linked_by"),
        foreign_key("linked_accounts", "identity_id", "identities"),
        sa.ForeignKeyConstraint(
            ["data_key_id"],
            [f"{SCHEMA}.data_keys.id"],
            name="fk_linked_accounts_data_key_id",
            ondelete="RESTRICT",
        ),
        primary_key("linked_accounts", "id"),
    )
    create_index("linked_accounts", "provider", "provider_account_id", "entity_type", unique=True)
    create_index("linked_accounts", "identity_id")
    create_index("linked_accounts", "access_token_expires_at")
    create_index("linked_accounts", "data_key_id")


def _upstream_flows() -> None:
    create_table(
        "upstream_flows",
        sa.Column("id", UUID, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("intent", TEXT, nullable=False),
        sa.Column("entity_type", TEXT, server_default=sa.text("''"), nullable=False),
        sa.Column("identity_id", UUID),
        sa.Column("session_id", UUID),
        sa.Column("secret_digest", BYTES, nullable=False),
        sa.Column("browser_digest", BYTES),
        sa.Column("sealed", BYTES),
        sa.Column("return_to", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("consumed_at", MOMENT),
        sa.CheckConstraint("intent IN ('sign_in', 'link', 'nonce')", name="ck_upstream_flows_intent"),
        foreign_key("upstream_flows", "identity_id", "identities"),
        primary_key("upstream_flows", "id"),
    )
    create_index("upstream_flows", "identity_id", where="identity_id IS NOT NULL")
    create_index("upstream_flows", "expires_at")


def _received_logouts() -> None:
    create_table(
        "received_logouts",
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("token_id", TEXT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        primary_key("received_logouts", "provider", "token_id"),
    )
    create_index("received_logouts", "expires_at")
