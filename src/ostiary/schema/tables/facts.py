"""Facts: who may sign in, their profiles, their roles, and the keys that sign."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, text

from ostiary.schema.dialects import BYTES, DOCUMENT, FLAG, MOMENT, NUMBER, TEXT, UUID
from ostiary.schema.tables.declaring import identity_key, one_of, table, where

identities = table(
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
    # The language messages to its owner are written in.
    Column("locale", TEXT),
    Column("token_epoch", NUMBER, nullable=False, server_default=text("0")),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    Column("deleted_at", MOMENT),
    one_of("status", "pending_verification", "active", "suspended", "deleted"),
    CheckConstraint("failed_login_attempts >= 0", name="failed_login_attempts"),
    Index(None, "entity_type", "entity_id", unique=True, **where("deleted_at IS NULL")),
    Index(None, "entity_type", "email_normalized", unique=True, **where("deleted_at IS NULL")),
    Index(None, "entity_type", "phone", unique=True, **where("deleted_at IS NULL")),
    Index(None, "email_normalized"),
    Index(None, "phone"),
    # Those who wait or are kept out are few, and are looked for among many.
    Index(None, "status", "id", **where("status <> 'active'")),
)


def _profiles(name: str) -> Table:
    return table(
        name,
        Column("id", UUID, primary_key=True),
        identity_key(unique=True),
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

roles = table(
    "roles",
    Column("id", UUID, primary_key=True),
    Column("name", TEXT, nullable=False, unique=True),
    Column("description", TEXT),
    # Named in configuration: by the application's code or by a setting. Not deleted or changed by hand.
    Column("declared", FLAG, nullable=False, server_default=text("false")),
)

role_permissions = table(
    "role_permissions",
    Column("role_id", UUID, ForeignKey("ostiary.roles.id", ondelete="CASCADE"), primary_key=True),
    Column("permission", TEXT, primary_key=True),
)

role_grants = table(
    "role_grants",
    Column("identity_id", UUID, ForeignKey("ostiary.identities.id", ondelete="CASCADE"), primary_key=True),
    Column("role_id", UUID, ForeignKey("ostiary.roles.id", ondelete="CASCADE"), primary_key=True),
    Column("granted_by", TEXT),
    Column("granted_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT),
    Index(None, "role_id", "identity_id"),
)

signing_keys = table(
    "signing_keys",
    Column("kid", TEXT, primary_key=True),
    Column("algorithm", TEXT, nullable=False),
    Column("public_jwk", DOCUMENT, nullable=False),
    Column("private_key", BYTES),
    Column("state", TEXT, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("activates_at", MOMENT),
    Column("retires_at", MOMENT),
    one_of("state", "next", "active", "retiring", "retired"),
    # Of several workers that start together on an empty database, one gets to add the key that signs.
    Index(None, "algorithm", unique=True, **where("state = 'active'")),
)

onboarding_sessions = table(
    "onboarding_sessions",
    Column("id", UUID, primary_key=True),
    identity_key(unique=True),
    Column("flow", TEXT, nullable=False),
    Column("current_step", TEXT),
    Column("step_data", DOCUMENT, nullable=False, server_default=text("'{}'")),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("completed_at", MOMENT),
    Index(None, "flow", "created_at"),
    Index(None, "expires_at", **where("completed_at IS NULL")),
)
