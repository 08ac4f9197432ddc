"""Grants: sessions, refresh tokens, and what makes tokens dead early."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, text

from ostiary.schema.dialects import BIG_NUMBER, BYTES, DOCUMENT, MOMENT, NUMBER, TEXT, UUID
from ostiary.schema.tables.declaring import identity_key, one_of, table, where

sessions = table(
    "sessions",
    Column("id", UUID, primary_key=True),
    identity_key(),
    # The account at a provider it began with, if it did, and what the provider calls its own session.
    Column("linked_account_id", UUID, ForeignKey("ostiary.linked_accounts.id", ondelete="SET NULL")),
    Column("provider_session_id", TEXT),
    Column("ip_address", TEXT),
    Column("user_agent", TEXT),
    Column("device_label", TEXT),
    Column("amr", DOCUMENT, nullable=False, server_default=text("'[]'")),
    Column("authenticated_at", MOMENT, nullable=False),
    Column("metadata", DOCUMENT, nullable=False, server_default=text("'{}'")),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    Column("last_used_at", MOMENT, nullable=False),
    Column("idle_expires_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("ended_at", MOMENT),
    Column("end_reason", TEXT),
    # Over all rows, not the live ones alone: deleting an identity must find its ended sessions too.
    Index(None, "identity_id"),
    Index("ix_sessions_expires_at_live", "expires_at", **where("ended_at IS NULL")),
    Index(None, "expires_at"),
    Index(None, "last_used_at"),
    Index(None, "ended_at", **where("ended_at IS NOT NULL")),
    # Over ended sessions too: unlinking an account must find them all.
    Index(None, "linked_account_id", **where("linked_account_id IS NOT NULL")),
    Index(None, "provider_session_id", **where("provider_session_id IS NOT NULL")),
)

refresh_tokens = table(
    "refresh_tokens",
    Column("id", UUID, primary_key=True),
    Column("session_id", UUID, ForeignKey("ostiary.sessions.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", UUID),
    Column("secret_digest", BYTES, nullable=False),
    Column("issued_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("consumed_at", MOMENT),
    Column("successor_sealed", BYTES),
    Index(None, "session_id"),
)

# No foreign key: a revocation outlives the identity it names.
revocations = table(
    "revocations",
    Column(
        "seq",
        BIG_NUMBER,
        nullable=False,
        unique=True,
        server_default=text("nextval('ostiary.revocation_seq')"),
    ),
    Column("kind", TEXT, primary_key=True),
    Column("subject", TEXT, primary_key=True),
    Column("identity_id", UUID),
    Column("min_epoch", NUMBER),
    Column("not_before", MOMENT),
    Column("expires_at", MOMENT, nullable=False),
    Column("reason", TEXT),
    Column("revoked_by", TEXT),
    Column("revoked_at", MOMENT, nullable=False),
    one_of("kind", "token", "session", "identity", "client", "all"),
    Index(None, "identity_id"),
    Index(None, "expires_at"),
)
