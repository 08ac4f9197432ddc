"""Every table of this release, on one page: columns, keys, checks, cascades and indexes.

The migrations make these tables and `check` compares a database with them; no request comes here. Names are
those of PostgreSQL (`ostiary.identities`); on SQLite the schema becomes a prefix. Triggers are in triggers.py.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, MetaData, Table, text

from ostiary.schema.dialects import (
    BIG_NUMBER,
    BYTES,
    DOCUMENT,
    FLAG,
    MOMENT,
    NAMING,
    NUMBER,
    SCHEMA,
    TEXT,
    UUID,
)

METADATA: Final = MetaData(schema=SCHEMA, naming_convention=NAMING)

# Sequences of PostgreSQL; on SQLite the statement computes the next number.
SEQUENCES: Final = ("audit_seq", "revocation_seq")


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


def _where(condition: str) -> dict[str, Any]:
    """Make an index partial: it holds only the rows that meet the condition."""
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


def _identity(*, nullable: bool = False, unique: bool = False) -> Column[Any]:
    """Point at the identity a row belongs to and goes with."""
    target = ForeignKey("ostiary.identities.id", ondelete="CASCADE")
    return Column("identity_id", UUID, target, nullable=nullable, unique=unique)


def _table(name: str, *items: Any, **options: Any) -> Table:
    """Declare a table; on SQLite a STRICT one, which refuses values of the wrong type as PostgreSQL does."""
    return Table(name, METADATA, *items, sqlite_strict=True, **options)


# Facts

identities = _table(
    "identities",
    Column("id", UUID, primary_key=True),
    Column("entity_type", TEXT, nullable=False),
    Column("entity_id", TEXT, nullable=False),
    Column("email", TEXT),
    Column("email_normalized", TEXT),
    Column("email_verified_at", MOMENT),
    Column("phone", TEXT),
    Column("phone_verified_at", MOMENT),
    Column("password_hash", TEXT),
    Column("password_scheme", TEXT),
    Column("password_params_id", TEXT),
    Column("password_changed_at", MOMENT),
    Column("must_change_password", FLAG, nullable=False, server_default=text("false")),
    Column("status", TEXT, nullable=False),
    Column("failed_login_attempts", NUMBER, nullable=False, server_default=text("0")),
    Column("locked_until", MOMENT),
    Column("last_login_at", MOMENT),
    Column("token_epoch", NUMBER, nullable=False, server_default=text("0")),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    Column("deleted_at", MOMENT),
    _one_of("status", "pending_verification", "active", "suspended", "deleted"),
    CheckConstraint("failed_login_attempts >= 0", name="failed_login_attempts"),
    Index(None, "entity_type", "entity_id", unique=True, **_where("deleted_at IS NULL")),
    Index(None, "entity_type", "email_normalized", unique=True, **_where("deleted_at IS NULL")),
    Index(None, "entity_type", "phone", unique=True, **_where("deleted_at IS NULL")),
    Index(None, "email_normalized"),
)


def _profiles(name: str) -> Table:
    return _table(
        name,
        Column("id", UUID, primary_key=True),
        _identity(unique=True),
        Column("display_name", TEXT),
        Column("given_name", TEXT),
        Column("family_name", TEXT),
        Column("locale", TEXT),
        Column("time_zone", TEXT),
        Column("avatar_url", TEXT),
        Column("metadata", DOCUMENT, nullable=False, server_default=text("'{}'")),
        Column("created_at", MOMENT, nullable=False),
        Column("updated_at", MOMENT, nullable=False),
        Column("deleted_at", MOMENT),
    )


users = _profiles("users")
admins = _profiles("admins")
services = _profiles("services")

roles = _table(
    "roles",
    Column("id", UUID, primary_key=True),
    Column("name", TEXT, nullable=False, unique=True),
    Column("description", TEXT),
)

role_permissions = _table(
    "role_permissions",
    Column("role_id", UUID, ForeignKey("ostiary.roles.id", ondelete="CASCADE"), primary_key=True),
    Column("permission", TEXT, primary_key=True),
)

role_grants = _table(
    "role_grants",
    Column("identity_id", UUID, ForeignKey("ostiary.identities.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", UUID, ForeignKey("ostiary.roles.id", ondelete="CASCADE"), primary_key=True),
    Column("granted_by", TEXT),
    Column("granted_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT),
    Index(None, "role_id"),
)

signing_keys = _table(
    "signing_keys",
    Column("kid", TEXT, primary_key=True),
    Column("algorithm", TEXT, nullable=False),
    Column("public_jwk", DOCUMENT, nullable=False),
    Column("private_key", BYTES),
    Column("state", TEXT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("activates_at", MOMENT),
    Column("retires_at", MOMENT),
    _one_of("state", "next", "active", "retiring", "retired"),
    # Of several workers that start together on an empty database, one gets to add the key that signs.
    Index(None, "algorithm", unique=True, **_where("state = 'active'")),
)

# Proofs

service_credentials = _table(
    "service_credentials",
    Column("id", UUID, primary_key=True),
    _identity(),
    Column("secret_digest", BYTES, nullable=False),
    Column("scopes", DOCUMENT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("created_by", TEXT),
    Column("expires_at", MOMENT),
    Column("revoked_at", MOMENT),
    Column("last_used_at", MOMENT),
    Index(None, "identity_id"),
)

challenges = _table(
    "challenges",
    Column("id", UUID, primary_key=True),
    _identity(nullable=True),
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
    _one_of(
        "purpose",
        *("register", "verify_email", "verify_phone", "change_email", "change_phone", "reset_password"),
        *("sign_in_link", "sign_in_code", "mfa_email", "mfa_sms", "invite", "bootstrap"),
    ),
    _one_of("format", "link", "code"),
    Index(None, "identity_id", "purpose", "destination", unique=True, **_where("consumed_at IS NULL")),
    # NULLs never collide, so rows without an identity need a rule of their own.
    Index(
        None,
        "purpose",
        "destination",
        unique=True,
        **_where("consumed_at IS NULL AND identity_id IS NULL"),
    ),
    Index(None, "identity_id", "purpose"),
    Index(None, "expires_at"),
)

rate_limits = _table(
    "rate_limits",
    Column("key", BYTES, primary_key=True),
    Column("count", NUMBER, nullable=False),
    Column("window_ends_at", MOMENT, nullable=False),
    Index(None, "window_ends_at"),
)

# HMAC of an entity type and an identifier nobody holds: guesses at it are counted as if somebody did.
unknown_identifiers = _table(
    "unknown_identifiers",
    Column("subject", BYTES, primary_key=True),
    Column("failed_login_attempts", NUMBER, nullable=False, server_default=text("0")),
    Column("locked_until", MOMENT),
    Column("expires_at", MOMENT, nullable=False),
    Index(None, "expires_at"),
)

# Grants

sessions = _table(
    "sessions",
    Column("id", UUID, primary_key=True),
    _identity(),
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
    Index("ix_sessions_expires_at_live", "expires_at", **_where("ended_at IS NULL")),
    Index(None, "expires_at"),
    Index(None, "last_used_at"),
    Index(None, "ended_at", **_where("ended_at IS NOT NULL")),
)

refresh_tokens = _table(
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
revocations = _table(
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
    _one_of("kind", "token", "session", "identity", "client", "all"),
    Index(None, "identity_id"),
    Index(None, "expires_at"),
)

# Records: no foreign keys, history outlives what it tells of. On PostgreSQL a month's rows are a partition, dropped
# whole when they are old: ids begin with the time, so a range of ids is a range of time and the id can stay the key.

_BY_MONTH: Final = "RANGE (id)"

audit_events = _table(
    "audit_events",
    Column("id", UUID, primary_key=True),
    Column("seq", BIG_NUMBER, nullable=False, server_default=text("nextval('ostiary.audit_seq')")),
    Column("occurred_at", MOMENT, nullable=False),
    Column("action", TEXT, nullable=False),
    Column("actor_kind", TEXT),
    Column("actor_id", TEXT),
    Column("target_kind", TEXT),
    Column("target_id", TEXT),
    Column("session_id", UUID),
    Column("ip_address", TEXT),
    Column("user_agent", TEXT),
    Column("success", FLAG, nullable=False),
    Column("reason", TEXT),
    Column("metadata", DOCUMENT, nullable=False, server_default=text("'{}'")),
    Index(None, "seq"),
    Index(None, "target_kind", "target_id", "occurred_at"),
    Index(None, "actor_id", "occurred_at"),
    Index(None, "session_id"),
    Index(None, "action", "occurred_at"),
    Index(None, "occurred_at"),
    postgresql_partition_by=_BY_MONTH,
)

# One row: audit events up to this number may be deleted, later ones never.
audit_purge_mark = _table(
    "audit_purge_mark",
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("through_seq", BIG_NUMBER, nullable=False),
    CheckConstraint("id = 1", name="id"),
)

login_history = _table(
    "login_history",
    Column("id", UUID, primary_key=True),
    Column("identity_id", UUID),
    Column("session_id", UUID),
    Column("occurred_at", MOMENT, nullable=False),
    Column("provider", TEXT),
    Column("method", TEXT),
    Column("success", FLAG, nullable=False),
    Column("failure_reason", TEXT),
    Column("ip_address", TEXT),
    Column("user_agent", TEXT),
    Column("session_ended_at", MOMENT),
    Index(None, "identity_id", "occurred_at"),
    Index(None, "session_id"),
    Index(None, "occurred_at"),
    postgresql_partition_by=_BY_MONTH,
)

# Each seal covers the audit events of a range of numbers and the seal before it. `leaves` lists what was sealed, so
# that a row which was changed, deleted or inserted can be named.
audit_seals = _table(
    "audit_seals",
    Column("from_seq", BIG_NUMBER, primary_key=True, autoincrement=False),
    Column("to_seq", BIG_NUMBER, nullable=False, unique=True),
    Column("events", NUMBER, nullable=False),
    Column("leaves", BYTES, nullable=False),
    Column("merkle_root", BYTES, nullable=False),
    Column("previous_root", BYTES, nullable=False),
    Column("signature", BYTES, nullable=False),
    Column("sealed_at", MOMENT, nullable=False),
)

# What was done in the background, and by whom it is being done: an unfinished run is the lease of its task.
maintenance_runs = _table(
    "maintenance_runs",
    Column("id", UUID, primary_key=True),
    Column("task", TEXT, nullable=False),
    Column("holder", TEXT, nullable=False),
    Column("started_at", MOMENT, nullable=False),
    Column("leased_until", MOMENT, nullable=False),
    Column("finished_at", MOMENT),
    Column("removed", BIG_NUMBER, nullable=False, server_default=text("0")),
    Column("outcome", TEXT),
    Column("detail", TEXT),
    _one_of("outcome", "done", "interrupted", "failed"),
    Index(None, "task", unique=True, **_where("finished_at IS NULL")),
    Index(None, "task", "started_at"),
    Index(None, "started_at"),
)

# One row: which database this was when it was last seen, so that a restored copy is recognised.
restore_guard = _table(
    "restore_guard",
    Column("id", NUMBER, primary_key=True, autoincrement=False),
    Column("fingerprint", TEXT, nullable=False),
    Column("seen_at", MOMENT, nullable=False),
    CheckConstraint("id = 1", name="id"),
)
