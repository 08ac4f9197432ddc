"""The first release: identities, profiles, roles, proofs, sessions, revocations and records."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from ostiary.schema.dialects import BIG_NUMBER, BYTES, DOCUMENT, FLAG, MOMENT, NUMBER, SCHEMA, TEXT, UUID
from ostiary.schema.migrations.operations import (
    create_index,
    create_table,
    foreign_key,
    primary_key,
    unique,
)
from ostiary.schema.migrations.triggers_0001 import create_statements

revision = "0001"
down_revision = None

_TABLES: Final = (
    "identities",
    "users",
    "admins",
    "services",
    "roles",
    "role_permissions",
    "role_grants",
    "signing_keys",
    "challenges",
    "rate_limits",
    "unknown_identifiers",
    "sessions",
    "refresh_tokens",
    "revocations",
    "audit_events",
    "audit_purge_mark",
    "login_history",
)


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    if dialect == "postgresql":
        op.execute("CREATE SEQUENCE ostiary.revocation_seq")
    _identities()
    _profiles("users")
    _profiles("admins")
    _profiles("services")
    _roles()
    _role_permissions()
    _role_grants()
    _signing_keys()
    _challenges()
    _rate_limits()
    _unknown_identifiers()
    _sessions()
    _refresh_tokens()
    _revocations()
    _audit_events()
    _audit_purge_mark()
    _login_history()
    for statement in create_statements(dialect):
        op.execute(statement)
    op.execute("INSERT INTO ostiary.audit_purge_mark (id, through_seq) VALUES (1, 0)")


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table, schema=SCHEMA)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP SEQUENCE ostiary.revocation_seq")
        op.execute("DROP FUNCTION ostiary.delete_identity_of_profile()")
        op.execute("DROP FUNCTION ostiary.keep_audit_events()")


def _identities() -> None:
    create_table(
        "identities",
        sa.Column("id", UUID, nullable=False),
        sa.Column("entity_type", TEXT, nullable=False),
        sa.Column("entity_id", TEXT, nullable=False),
        sa.Column("email", TEXT),
        sa.Column("email_normalized", TEXT),
        sa.Column("email_verified_at", MOMENT),
        sa.Column("phone", TEXT),
        sa.Column("phone_verified_at", MOMENT),
        sa.Column("password_hash", TEXT),
        sa.Column("password_scheme", TEXT),
        sa.Column("password_params_id", TEXT),
        sa.Column("password_changed_at", MOMENT),
        sa.Column("must_change_password", FLAG, server_default=sa.text("false"), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("failed_login_attempts", NUMBER, server_default=sa.text("0"), nullable=False),
        sa.Column("locked_until", MOMENT),
        sa.Column("last_login_at", MOMENT),
        sa.Column("token_epoch", NUMBER, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        sa.CheckConstraint(
            "status IN ('pending_verification', 'active', 'suspended', 'deleted')",
            name="ck_identities_status",
        ),
        sa.CheckConstraint("failed_login_attempts >= 0", name="ck_identities_failed_login_attempts"),
        primary_key("identities", "id"),
    )
    create_index("identities", "email_normalized")
    create_index("identities", "entity_type", "email_normalized", unique=True, where="deleted_at IS NULL")
    create_index("identities", "entity_type", "entity_id", unique=True, where="deleted_at IS NULL")
    create_index("identities", "entity_type", "phone", unique=True, where="deleted_at IS NULL")


def _profiles(table: str) -> None:
    create_table(
        table,
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("display_name", TEXT),
        sa.Column("given_name", TEXT),
        sa.Column("family_name", TEXT),
        sa.Column("locale", TEXT),
        sa.Column("time_zone", TEXT),
        sa.Column("avatar_url", TEXT),
        sa.Column("metadata", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
        foreign_key(table, "identity_id", "identities"),
        primary_key(table, "id"),
        unique(table, "identity_id"),
    )


def _roles() -> None:
    create_table(
        "roles",
        sa.Column("id", UUID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("description", TEXT),
        primary_key("roles", "id"),
        unique("roles", "name"),
    )


def _role_permissions() -> None:
    create_table(
        "role_permissions",
        sa.Column("role_id", UUID, nullable=False),
        sa.Column("permission", TEXT, nullable=False),
        foreign_key("role_permissions", "role_id", "roles"),
        primary_key("role_permissions", "role_id", "permission"),
    )


def _role_grants() -> None:
    create_table(
        "role_grants",
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("role_id", UUID, nullable=False),
        sa.Column("granted_by", TEXT),
        sa.Column("granted_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        foreign_key("role_grants", "identity_id", "identities"),
        foreign_key("role_grants", "role_id", "roles"),
        primary_key("role_grants", "identity_id", "role_id"),
    )
    create_index("role_grants", "role_id")


def _signing_keys() -> None:
    create_table(
        "signing_keys",
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("algorithm", TEXT, nullable=False),
        sa.Column("public_jwk", DOCUMENT, nullable=False),
        sa.Column("private_key", BYTES),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("activates_at", MOMENT),
        sa.Column("retires_at", MOMENT),
        sa.CheckConstraint(
            "state IN ('next', 'active', 'retiring', 'retired')", name="ck_signing_keys_state"
        ),
        primary_key("signing_keys", "kid"),
    )
    create_index("signing_keys", "algorithm", unique=True, where="state = 'active'")


def _challenges() -> None:
    create_table(
        "challenges",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID),
        sa.Column("payload_sealed", BYTES),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("destination", TEXT, nullable=False),
        sa.Column("format", TEXT, nullable=False),
        sa.Column("secret_digest", BYTES, nullable=False),
        sa.Column("attempts", NUMBER, server_default=sa.text("0"), nullable=False),
        sa.Column("max_attempts", NUMBER, nullable=False),
        sa.Column("flow_id", UUID),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("consumed_at", MOMENT),
        sa.CheckConstraint("format IN ('link', 'code')", name="ck_challenges_format"),
        sa.CheckConstraint(
            "purpose IN ('register', 'verify_email', 'verify_phone', 'change_email', 'change_phone', 'reset_password', 'sign_in_link', 'sign_in_code', 'mfa_email', 'mfa_sms', 'invite', 'bootstrap')",
            name="ck_challenges_purpose",
        ),
        foreign_key("challenges", "identity_id", "identities"),
        primary_key("challenges", "id"),
    )
    create_index("challenges", "expires_at")
    create_index("challenges", "identity_id", "purpose")
    create_index(
        "challenges", "identity_id", "purpose", "destination", unique=True, where="consumed_at IS NULL"
    )
    create_index(
        "challenges",
        "purpose",
        "destination",
        unique=True,
        where="consumed_at IS NULL AND identity_id IS NULL",
    )


def _rate_limits() -> None:
    create_table(
        "rate_limits",
        sa.Column("key", BYTES, nullable=False),
        sa.Column("count", NUMBER, nullable=False),
        sa.Column("window_ends_at", MOMENT, nullable=False),
        primary_key("rate_limits", "key"),
    )
    create_index("rate_limits", "window_ends_at")


def _unknown_identifiers() -> None:
    create_table(
        "unknown_identifiers",
        sa.Column("subject", BYTES, nullable=False),
        sa.Column("failed_login_attempts", NUMBER, server_default=sa.text("0"), nullable=False),
        sa.Column("locked_until", MOMENT),
        sa.Column("expires_at", MOMENT, nullable=False),
        primary_key("unknown_identifiers", "subject"),
    )
    create_index("unknown_identifiers", "expires_at")


def _sessions() -> None:
    create_table(
        "sessions",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("ip_address", TEXT),
        sa.Column("user_agent", TEXT),
        sa.Column("device_label", TEXT),
        sa.Column("amr", DOCUMENT, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("authenticated_at", MOMENT, nullable=False),
        sa.Column("metadata", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=False),
        sa.Column("idle_expires_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("end_reason", TEXT),
        foreign_key("sessions", "identity_id", "identities"),
        primary_key("sessions", "id"),
    )
    create_index("sessions", "expires_at")
    create_index("sessions", "expires_at", where="ended_at IS NULL", name="ix_sessions_expires_at_live")
    create_index("sessions", "identity_id")
    create_index("sessions", "last_used_at")


def _refresh_tokens() -> None:
    create_table(
        "refresh_tokens",
        sa.Column("id", UUID, nullable=False),
        sa.Column("session_id", UUID, nullable=False),
        sa.Column("parent_id", UUID),
        sa.Column("secret_digest", BYTES, nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("consumed_at", MOMENT),
        sa.Column("successor_sealed", BYTES),
        foreign_key("refresh_tokens", "session_id", "sessions"),
        primary_key("refresh_tokens", "id"),
    )
    create_index("refresh_tokens", "session_id")


def _revocations() -> None:
    create_table(
        "revocations",
        sa.Column(
            "seq", BIG_NUMBER, server_default=sa.text("nextval('ostiary.revocation_seq')"), nullable=False
        ),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("identity_id", UUID),
        sa.Column("min_epoch", NUMBER),
        sa.Column("not_before", MOMENT),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("reason", TEXT),
        sa.Column("revoked_by", TEXT),
        sa.Column("revoked_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('token', 'session', 'identity', 'client', 'all')", name="ck_revocations_kind"
        ),
        primary_key("revocations", "kind", "subject"),
        unique("revocations", "seq"),
    )
    create_index("revocations", "expires_at")
    create_index("revocations", "identity_id")


def _audit_events() -> None:
    create_table(
        "audit_events",
        sa.Column("seq", BIG_NUMBER, sa.Identity(always=True), nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("actor_kind", TEXT),
        sa.Column("actor_id", TEXT),
        sa.Column("target_kind", TEXT),
        sa.Column("target_id", TEXT),
        sa.Column("session_id", UUID),
        sa.Column("ip_address", TEXT),
        sa.Column("user_agent", TEXT),
        sa.Column("success", FLAG, nullable=False),
        sa.Column("reason", TEXT),
        sa.Column("metadata", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        primary_key("audit_events", "seq"),
        unique("audit_events", "id"),
        sqlite_autoincrement=True,
    )
    create_index("audit_events", "action", "occurred_at")
    create_index("audit_events", "actor_id", "occurred_at")
    create_index("audit_events", "occurred_at")
    create_index("audit_events", "session_id")
    create_index("audit_events", "target_kind", "target_id", "occurred_at")


def _audit_purge_mark() -> None:
    create_table(
        "audit_purge_mark",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("through_seq", BIG_NUMBER, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_audit_purge_mark_id"),
        primary_key("audit_purge_mark", "id"),
    )


def _login_history() -> None:
    create_table(
        "login_history",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID),
        sa.Column("session_id", UUID),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("provider", TEXT),
        sa.Column("method", TEXT),
        sa.Column("success", FLAG, nullable=False),
        sa.Column("failure_reason", TEXT),
        sa.Column("ip_address", TEXT),
        sa.Column("user_agent", TEXT),
        sa.Column("session_ended_at", MOMENT),
        primary_key("login_history", "id"),
    )
    create_index("login_history", "identity_id", "occurred_at")
    create_index("login_history", "occurred_at")
    create_index("login_history", "session_id")
