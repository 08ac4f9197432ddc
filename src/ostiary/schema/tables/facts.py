"""Facts: who may sign in, their profiles and roles, their accounts elsewhere, and the keys that sign and seal."""

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
    # While the system somebody came from may yet come back: how it hashed, and a hash of today's password it can read.
    Column("shadow_scheme", TEXT),
    Column("shadow_hash", TEXT),
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

# Sealed under a root key that is kept outside the database, and everything else under one of these.
data_keys = table(
    "data_keys",
    Column("id", UUID, primary_key=True),
    Column("purpose", TEXT, nullable=False),
    Column("number", NUMBER, nullable=False),
    Column("wrapped_key", BYTES, nullable=False),
    Column("kek_version", NUMBER, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("retired_at", MOMENT),
    one_of("purpose", "installation", "vault"),
    # Of several workers that start together on an empty database, one gets to add the first key.
    Index(None, "purpose", "number", unique=True),
    Index(None, "kek_version"),
)

# The vault: an account at a provider, whose it is here, and its tokens, each sealed to its row and column.
linked_accounts = table(
    "linked_accounts",
    Column("id", UUID, primary_key=True),
    identity_key(),
    Column("entity_type", TEXT, nullable=False),
    Column("provider", TEXT, nullable=False),
    Column("provider_account_id", TEXT, nullable=False),
    Column("access_token", BYTES),
    Column("refresh_token", BYTES),
    Column("id_token", BYTES),
    # A key that something is still sealed under cannot be deleted.
    Column("data_key_id", UUID, ForeignKey("ostiary.data_keys.id", ondelete="RESTRICT")),
    Column("access_token_expires_at", MOMENT),
    Column("refresh_token_expires_at", MOMENT),
    Column("scope", TEXT),
    Column("token_type", TEXT),
    Column("profile", DOCUMENT, nullable=False, server_default=text("'{}'")),
    Column("linked_by", TEXT, nullable=False),
    Column("needs_reconnection", FLAG, nullable=False, server_default=text("false")),
    # The refresh that is under way: who may write its result, until when nobody else begins one, and since when it is
    # unknown whether the provider has already replaced the refresh token.
    Column("refresh_claim", UUID),
    Column("refresh_claimed_until", MOMENT),
    Column("refresh_begun_at", MOMENT),
    Column("refresh_failures", NUMBER, nullable=False, server_default=text("0")),
    Column("refresh_not_before", MOMENT),
    Column("last_token_refresh_at", MOMENT),
    Column("last_used_at", MOMENT),
    Column("created_at", MOMENT, nullable=False),
    Column("updated_at", MOMENT, nullable=False),
    one_of("linked_by", "sign_in", "intent"),
    # A user and a vendor may share one account at a provider.
    Index(None, "provider", "provider_account_id", "entity_type", unique=True),
    Index(None, "identity_id"),
    Index(None, "access_token_expires_at"),
    Index(None, "data_key_id"),
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
