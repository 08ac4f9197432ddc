"""Proofs: what shows that somebody is who they say, and the counts of those who failed to show it."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, text

from ostiary.schema.dialects import BIG_NUMBER, BYTES, DOCUMENT, FLAG, MOMENT, NUMBER, TEXT, UUID
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
    # Of what is made for nobody yet: the kind of account it is to become. One address may become several kinds.
    Column("entity_type", TEXT, nullable=False, server_default=text("''")),
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
        *("register", "verify_email", "verify_phone", "change_email", "change_phone", "undo_address_change"),
        *("reset_password", "sign_in_link", "sign_in_code", "mfa_email", "mfa_sms", "undo_factor_reset"),
        *("invite", "bootstrap", "undo_deletion", "merge"),
    ),
    one_of("format", "link", "code"),
    Index(None, "identity_id", "purpose", "destination", unique=True, **where("consumed_at IS NULL")),
    # NULLs never collide, so rows without an identity need a rule of their own.
    Index(
        None,
        "purpose",
        "entity_type",
        "destination",
        unique=True,
        **where("consumed_at IS NULL AND identity_id IS NULL"),
    ),
    Index(None, "identity_id", "purpose"),
    Index(None, "expires_at"),
)

totp_factors = table(
    "totp_factors",
    Column("id", UUID, primary_key=True),
    identity_key(),
    Column("secret_sealed", BYTES, nullable=False),
    Column("label", TEXT, nullable=False),
    # RFC 6238 §5.2: a time step is accepted once.
    Column("last_used_step", BIG_NUMBER),
    Column("created_at", MOMENT, nullable=False),
    Column("confirmed_at", MOMENT),
    Column("last_used_at", MOMENT),
    Index(None, "identity_id"),
    Index(None, "created_at", **where("confirmed_at IS NULL")),
)

recovery_codes = table(
    "recovery_codes",
    Column("id", UUID, primary_key=True),
    identity_key(),
    Column("code_mac", BYTES, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("used_at", MOMENT),
    Index(None, "identity_id", "code_mac", unique=True),
)

# An e-mail address or phone number that somebody has made a second factor of their own free will.
message_factors = table(
    "message_factors",
    Column("id", UUID, primary_key=True),
    identity_key(),
    Column("channel", TEXT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("last_used_at", MOMENT),
    one_of("channel", "email", "sms"),
    Index(None, "identity_id", "channel", unique=True),
)

passkeys = table(
    "passkeys",
    Column("id", UUID, primary_key=True),
    identity_key(),
    Column("credential_id", BYTES, nullable=False, unique=True),
    Column("public_key", BYTES, nullable=False),
    Column("sign_count", BIG_NUMBER, nullable=False),
    Column("aaguid", TEXT, nullable=False),
    Column("transports", DOCUMENT, nullable=False, server_default=text("'[]'")),
    Column("backup_eligible", FLAG, nullable=False),
    Column("backed_up", FLAG, nullable=False),
    Column("label", TEXT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("last_used_at", MOMENT),
    # When its counter went backwards: somebody may have a copy (WebAuthn §6.1.1).
    Column("clone_suspected_at", MOMENT),
    Index(None, "identity_id"),
)

# A passkey's challenge, between its options and its answer: for one browser, session or flow, used up by either outcome.
ceremonies = table(
    "ceremonies",
    Column("id", UUID, primary_key=True),
    Column("kind", TEXT, nullable=False),
    identity_key(nullable=True),
    Column("session_id", UUID),
    Column("flow_id", UUID),
    Column("secret_digest", BYTES, nullable=False),
    Column("challenge", BYTES, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("consumed_at", MOMENT),
    one_of("kind", "registration", "authentication"),
    Index(None, "identity_id"),
    Index(None, "expires_at"),
)

# A sign-in that is not finished: what was proven, and the epoch that was read with it.
sign_in_flows = table(
    "sign_in_flows",
    Column("id", UUID, primary_key=True),
    identity_key(),
    Column("secret_digest", BYTES, nullable=False),
    Column("token_epoch", NUMBER, nullable=False),
    Column("provider", TEXT, nullable=False),
    Column("method", TEXT, nullable=False),
    Column("completed", DOCUMENT, nullable=False),
    Column("required", DOCUMENT, nullable=False),
    # The factor that is made on the way, by somebody who must have one and has none.
    Column("enrolling", UUID),
    # What it began with at a provider; with the account goes whatever has not become a session yet.
    Column("linked_account_id", UUID, ForeignKey("ostiary.linked_accounts.id", ondelete="CASCADE")),
    Column("provider_session_id", TEXT),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("consumed_at", MOMENT),
    Index(None, "identity_id"),
    Index(None, "linked_account_id", **where("linked_account_id IS NOT NULL")),
    Index(None, "expires_at"),
)

remembered_devices = table(
    "remembered_devices",
    Column("id", UUID, primary_key=True),
    identity_key(),
    Column("secret_digest", BYTES, nullable=False),
    Column("label", TEXT, nullable=False),
    Column("ip_address", TEXT),
    Column("created_at", MOMENT, nullable=False),
    Column("last_used_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Index(None, "identity_id"),
    Index(None, "expires_at"),
)

# A wish to lose one's factors, without having any: an operator approves it, and time passes in which its owner may object.
factor_resets = table(
    "factor_resets",
    Column("id", UUID, primary_key=True),
    identity_key(),
    Column("requested_at", MOMENT, nullable=False),
    Column("approved_at", MOMENT),
    Column("approved_by", TEXT),
    Column("takes_effect_at", MOMENT),
    Column("completed_at", MOMENT),
    Column("cancelled_at", MOMENT),
    Column("cancelled_by", TEXT),
    Index(None, "identity_id", unique=True, **where("completed_at IS NULL AND cancelled_at IS NULL")),
    Index(None, "takes_effect_at", **where("completed_at IS NULL AND cancelled_at IS NULL")),
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

# What was begun at a provider and has to come back to the browser that began it; or a nonce that an application of ours
# asked for, to have it in an ID token.
upstream_flows = table(
    "upstream_flows",
    Column("id", UUID, primary_key=True),
    Column("provider", TEXT, nullable=False),
    Column("intent", TEXT, nullable=False),
    Column("entity_type", TEXT, nullable=False, server_default=text("''")),
    identity_key(nullable=True),
    Column("session_id", UUID),
    Column("secret_digest", BYTES, nullable=False),
    Column("browser_digest", BYTES),
    # The nonce and the PKCE verifier.
    Column("sealed", BYTES),
    Column("return_to", TEXT),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("consumed_at", MOMENT),
    one_of("intent", "sign_in", "link", "nonce"),
    Index(None, "identity_id", **where("identity_id IS NOT NULL")),
    Index(None, "expires_at"),
)

# Logout tokens of providers that were heeded: each one once.
received_logouts = table(
    "received_logouts",
    Column("provider", TEXT, primary_key=True),
    Column("token_id", TEXT, primary_key=True),
    Column("expires_at", MOMENT, nullable=False),
    Index(None, "expires_at"),
)
