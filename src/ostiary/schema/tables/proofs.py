"""Proofs: what shows that somebody is who they say, and the counts of those who failed to show it."""

from __future__ import annotations

from sqlalchemy import Column, Index, text

from ostiary.schema.dialects import BYTES, DOCUMENT, MOMENT, NUMBER, TEXT, UUID
from ostiary.schema.tables.declaring import identity_key, one_of, table, where

service_credentials = table(
    "service_credentials",
    Column("id", UUID, primary_key=True),
    identity_key(),
    Column("secret_digest", BYTES, nullable=False),
    Column("scopes", DOCUMENT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("created_by", TEXT),
    Column("expires_at", MOMENT),
    Column("revoked_at", MOMENT),
    Column("last_used_at", MOMENT),
    Index(None, "identity_id"),
)

challenges = table(
    "challenges",
    Column("id", UUID, primary_key=True),
    identity_key(nullable=True),
    Column("payload_sealed", BYTES),
    Column("purpose", TEXT, nullable=False),
    Column("destination", TEXT, nullable=False),
    Column("format", TEXT, nullable=False),
    Column("secret_digest", BYTES, nullable=False),
    Column("attempts", NUMBER, nullable=False, server_default=text("0")),
    Column("max_attempts", NUMBER, nullable=False),
    Column("flow_id", UUID),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("consumed_at", MOMENT),
    one_of(
        "purpose",
        *("register", "verify_email", "verify_phone", "change_email", "change_phone", "reset_password"),
        *("sign_in_link", "sign_in_code", "mfa_email", "mfa_sms", "invite", "bootstrap"),
    ),
    one_of("format", "link", "code"),
    Index(None, "identity_id", "purpose", "destination", unique=True, **where("consumed_at IS NULL")),
    # NULLs never collide, so rows without an identity need a rule of their own.
    Index(
        None,
        "purpose",
        "destination",
        unique=True,
        **where("consumed_at IS NULL AND identity_id IS NULL"),
    ),
    Index(None, "identity_id", "purpose"),
    Index(None, "expires_at"),
)

rate_limits = table(
    "rate_limits",
    Column("key", BYTES, primary_key=True),
    Column("count", NUMBER, nullable=False),
    Column("window_ends_at", MOMENT, nullable=False),
    Index(None, "window_ends_at"),
)

# HMAC of an entity type and an identifier nobody holds: guesses at it are counted as if somebody did.
unknown_identifiers = table(
    "unknown_identifiers",
    Column("subject", BYTES, primary_key=True),
    Column("failed_login_attempts", NUMBER, nullable=False, server_default=text("0")),
    Column("locked_until", MOMENT),
    Column("expires_at", MOMENT, nullable=False),
    Index(None, "expires_at"),
)
