"""Proving who one is: factors, passkeys, sign-ins under way, onboarding, messages, erasure."""

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
from ostiary.schema.migrations.triggers_0003 import FORGETTING, REMEMBERING

revision = "0003"
down_revision = "0002"

# In the order they can be dropped in.
_NEW_TABLES: Final = (
    *("erasures", "outbox", "webhook_endpoints", "audit_keys", "onboarding_sessions", "factor_resets"),
    *("remembered_devices", "sign_in_flows", "ceremonies", "passkeys", "message_factors", "recovery_codes"),
    "totp_factors",
)
_FIRST_PURPOSES: Final = (
    *("register", "verify_email", "verify_phone", "change_email", "change_phone", "reset_password"),
    *("sign_in_link", "sign_in_code", "mfa_email", "mfa_sms", "invite", "bootstrap"),
)
_PURPOSES: Final = (
    *("register", "verify_email", "verify_phone", "change_email", "change_phone", "undo_address_change"),
    *("reset_password", "sign_in_link", "sign_in_code", "mfa_email", "mfa_sms", "undo_factor_reset"),
    *("invite", "bootstrap", "undo_deletion", "merge"),
)
_CHALLENGE: Final = (
    "id, identity_id, payload_sealed, purpose, destination, format, secret_digest, attempts, max_attempts, flow_id,"
    " created_at, expires_at, consumed_at"
)


def upgrade() -> None:
    op.add_column("identities", sa.Column("locale", TEXT), schema=SCHEMA)
    create_index("identities", "phone")
    create_index("identities", "status", "id", where="status <> 'active'")
    _roles()
    op.execute("CREATE TABLE ostiary.challenges_before AS SELECT * FROM ostiary.challenges")
    op.drop_table("challenges", schema=SCHEMA)
    _challenges(_PURPOSES, sa.Column("entity_type", TEXT, server_default=sa.text("''"), nullable=False))
    _take_challenges_over("")
    _totp_factors()
    _recovery_codes()
    _message_factors()
    _passkeys()
    _ceremonies()
    _sign_in_flows()
    _remembered_devices()
    _factor_resets()
    _onboarding_sessions()
    _audit_keys()
    _webhook_endpoints()
    _outbox()
    _erasures()
    op.add_column("login_history", sa.Column("device", BYTES), schema=SCHEMA)
    for statement in FORGETTING[op.get_context().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    for statement in REMEMBERING[op.get_context().dialect.name]:
        op.execute(statement)
    op.drop_column("login_history", "device", schema=SCHEMA)
    for name in _NEW_TABLES:
        op.drop_table(name, schema=SCHEMA)
    op.execute("CREATE TABLE ostiary.challenges_before AS SELECT * FROM ostiary.challenges")
    op.drop_table("challenges", schema=SCHEMA)
    _challenges(_FIRST_PURPOSES)
    # What the older release does not know, and what it could not tell apart, has to be asked for anew.
    _take_challenges_over(
        f" WHERE entity_type = '' AND purpose IN ({', '.join(repr(purpose) for purpose in _FIRST_PURPOSES)})"
    )
    op.drop_index("ix_role_grants_role_id_identity_id", "role_grants", schema=SCHEMA)
    create_index("role_grants", "role_id")
    op.drop_column("roles", "declared", schema=SCHEMA)
    op.drop_index("ix_identities_status_id", "identities", schema=SCHEMA)
    op.drop_index("ix_identities_phone", "identities", schema=SCHEMA)
    op.drop_column("identities", "locale", schema=SCHEMA)


def _roles() -> None:
    declared: sa.Column[bool] = sa.Column("declared", FLAG, server_default=sa.text("false"), nullable=False)
    op.add_column("roles", declared, schema=SCHEMA)
    create_index("role_grants", "role_id", "identity_id")
    op.drop_index("ix_role_grants_role_id", "role_grants", schema=SCHEMA)


def _take_challenges_over(which: str) -> None:
    op.execute(
        f"INSERT INTO ostiary.challenges ({_CHALLENGE}) SELECT {_CHALLENGE} FROM ostiary.challenges_before{which}"
    )
    op.execute("DROP TABLE ostiary.challenges_before")


def _challenges(purposes: tuple[str, ...], *more: sa.Column[str]) -> None:
    allowed = ", ".join(repr(purpose) for purpose in purposes)
    create_table(
        "challenges",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID),
        sa.Column("payload_sealed", BYTES),
        sa.Column("purpose", TEXT, nullable=False),
        *more,
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
        sa.CheckConstraint(f"purpose IN ({allowed})", name="ck_challenges_purpose"),
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
        *("purpose", *(str(column.name) for column in more), "destination"),
        unique=True,
        where="consumed_at IS NULL AND identity_id IS NULL",
    )


def _totp_factors() -> None:
    create_table(
        "totp_factors",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("secret_sealed", BYTES, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("last_used_step", BIG_NUMBER),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("confirmed_at", MOMENT),
        sa.Column("last_used_at", MOMENT),
        foreign_key("totp_factors", "identity_id", "identities"),
        primary_key("totp_factors", "id"),
    )
    create_index("totp_factors", "created_at", where="confirmed_at IS NULL")
    create_index("totp_factors", "identity_id")


def _recovery_codes() -> None:
    create_table(
        "recovery_codes",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("code_mac", BYTES, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        foreign_key("recovery_codes", "identity_id", "identities"),
        primary_key("recovery_codes", "id"),
    )
    create_index("recovery_codes", "identity_id", "code_mac", unique=True)


def _message_factors() -> None:
    create_table(
        "message_factors",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("channel", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT),
        sa.CheckConstraint("channel IN ('email', 'sms')", name="ck_message_factors_channel"),
        foreign_key("message_factors", "identity_id", "identities"),
        primary_key("message_factors", "id"),
    )
    create_index("message_factors", "identity_id", "channel", unique=True)


def _passkeys() -> None:
    create_table(
        "passkeys",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("credential_id", BYTES, nullable=False),
        sa.Column("public_key", BYTES, nullable=False),
        sa.Column("sign_count", BIG_NUMBER, nullable=False),
        sa.Column("aaguid", TEXT, nullable=False),
        sa.Column("transports", DOCUMENT, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("backup_eligible", FLAG, nullable=False),
        sa.Column("backed_up", FLAG, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT),
        sa.Column("clone_suspected_at", MOMENT),
        foreign_key("passkeys", "identity_id", "identities"),
        primary_key("passkeys", "id"),
        unique("passkeys", "credential_id"),
    )
    create_index("passkeys", "identity_id")


def _ceremonies() -> None:
    create_table(
        "ceremonies",
        sa.Column("id", UUID, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("identity_id", UUID),
        sa.Column("session_id", UUID),
        sa.Column("flow_id", UUID),
        sa.Column("secret_digest", BYTES, nullable=False),
        sa.Column("challenge", BYTES, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("consumed_at", MOMENT),
        sa.CheckConstraint("kind IN ('registration', 'authentication')", name="ck_ceremonies_kind"),
        foreign_key("ceremonies", "identity_id", "identities"),
        primary_key("ceremonies", "id"),
    )
    create_index("ceremonies", "expires_at")
    create_index("ceremonies", "identity_id")


def _sign_in_flows() -> None:
    create_table(
        "sign_in_flows",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("secret_digest", BYTES, nullable=False),
        sa.Column("token_epoch", NUMBER, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("method", TEXT, nullable=False),
        sa.Column("completed", DOCUMENT, nullable=False),
        sa.Column("required", DOCUMENT, nullable=False),
        sa.Column("enrolling", UUID),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("consumed_at", MOMENT),
        foreign_key("sign_in_flows", "identity_id", "identities"),
        primary_key("sign_in_flows", "id"),
    )
    create_index("sign_in_flows", "expires_at")
    create_index("sign_in_flows", "identity_id")


def _remembered_devices() -> None:
    create_table(
        "remembered_devices",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("secret_digest", BYTES, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("ip_address", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        foreign_key("remembered_devices", "identity_id", "identities"),
        primary_key("remembered_devices", "id"),
    )
    create_index("remembered_devices", "expires_at")
    create_index("remembered_devices", "identity_id")


def _factor_resets() -> None:
    create_table(
        "factor_resets",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("approved_at", MOMENT),
        sa.Column("approved_by", TEXT),
        sa.Column("takes_effect_at", MOMENT),
        sa.Column("completed_at", MOMENT),
        sa.Column("cancelled_at", MOMENT),
        sa.Column("cancelled_by", TEXT),
        foreign_key("factor_resets", "identity_id", "identities"),
        primary_key("factor_resets", "id"),
    )
    create_index("factor_resets", "takes_effect_at", where="completed_at IS NULL AND cancelled_at IS NULL")
    create_index(
        "factor_resets", "identity_id", unique=True, where="completed_at IS NULL AND cancelled_at IS NULL"
    )


def _onboarding_sessions() -> None:
    create_table(
        "onboarding_sessions",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("flow", TEXT, nullable=False),
        sa.Column("current_step", TEXT),
        sa.Column("step_data", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT),
        foreign_key("onboarding_sessions", "identity_id", "identities"),
        primary_key("onboarding_sessions", "id"),
        unique("onboarding_sessions", "identity_id"),
    )
    create_index("onboarding_sessions", "expires_at", where="completed_at IS NULL")
    create_index("onboarding_sessions", "flow", "created_at")


def _audit_keys() -> None:
    create_table(
        "audit_keys",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("key_sealed", BYTES, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        primary_key("audit_keys", "id"),
        foreign_key("audit_keys", "identity_id", "identities"),
    )
    create_index("audit_keys", "identity_id")
    create_index("audit_keys", "created_at")


def _webhook_endpoints() -> None:
    create_table(
        "webhook_endpoints",
        sa.Column("id", UUID, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("description", TEXT),
        sa.Column("events", DOCUMENT, nullable=False),
        sa.Column("secret_sealed", BYTES, nullable=False),
        sa.Column("previous_secret_sealed", BYTES),
        sa.Column("previous_expires_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", TEXT),
        sa.Column("disabled_at", MOMENT),
        primary_key("webhook_endpoints", "id"),
    )


def _outbox() -> None:
    create_table(
        "outbox",
        sa.Column("id", UUID, nullable=False),
        sa.Column("topic", TEXT, nullable=False),
        sa.Column("endpoint_id", UUID),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("payload_sealed", BYTES),
        sa.Column("dedupe_key", TEXT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("available_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("attempts", NUMBER, server_default=sa.text("0"), nullable=False),
        sa.Column("claimed_until", MOMENT),
        sa.Column("delivered_at", MOMENT),
        sa.Column("failed_at", MOMENT),
        sa.Column("last_error", TEXT),
        sa.Column("recipient_digest", BYTES),
        sa.CheckConstraint("topic IN ('email', 'sms', 'event', 'webhook')", name="ck_outbox_topic"),
        foreign_key("outbox", "endpoint_id", "webhook_endpoints"),
        primary_key("outbox", "id"),
        unique("outbox", "dedupe_key"),
    )
    create_index("outbox", "topic", "available_at", where="delivered_at IS NULL AND failed_at IS NULL")
    create_index("outbox", "delivered_at", where="delivered_at IS NOT NULL")
    create_index("outbox", "endpoint_id", where="endpoint_id IS NOT NULL")
    create_index("outbox", "failed_at", where="failed_at IS NOT NULL")
    create_index("outbox", "recipient_digest", where="recipient_digest IS NOT NULL")


def _erasures() -> None:
    create_table(
        "erasures",
        sa.Column("id", UUID, nullable=False),
        sa.Column("identity_id", UUID, nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("requested_by", TEXT, nullable=False),
        sa.Column("status_before", TEXT, nullable=False),
        sa.Column("erase_after", MOMENT, nullable=False),
        sa.Column("cancelled_at", MOMENT),
        sa.Column("completed_at", MOMENT),
        sa.Column("erased", DOCUMENT, server_default=sa.text("'{}'"), nullable=False),
        primary_key("erasures", "id"),
    )
    create_index("erasures", "erase_after", where="completed_at IS NULL AND cancelled_at IS NULL")
    create_index(
        "erasures", "identity_id", unique=True, where="completed_at IS NULL AND cancelled_at IS NULL"
    )
