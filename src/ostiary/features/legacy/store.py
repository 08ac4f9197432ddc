"""All SQL about migrations: their state, and whatever they make, change and take away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ostiary.features.legacy.model import Migration
from ostiary.foundation.storage import Query

if TYPE_CHECKING:
    from collections.abc import Iterable

_MIGRATION: Final = """
    id, plan, state, fence, holder, leased_until, checkpoint, verification, started_at, verified_at, cut_over_at,
    contracted_at, archive_until
"""

CURRENT = Query(
    f"SELECT {_MIGRATION} FROM ostiary.legacy_migrations ORDER BY is_over, started_at DESC LIMIT 1",
    into=Migration,
)

BEGIN: Query[Any] = Query(
    "INSERT INTO ostiary.legacy_migrations (id, plan, state, started_at) VALUES ($1, $2, $3, $4)"
)

# Whoever takes it over gets the next number, and no batch of the one before is kept from then on. $5 a holder that is
# known to be gone.
TAKE = Query(
    """
    UPDATE ostiary.legacy_migrations SET fence = fence + 1, holder = $2, leased_until = $3
     WHERE id = $1 AND (leased_until IS NULL OR leased_until <= $4 OR holder = $5)
    RETURNING fence
    """,
    into=int,
)

# In the transaction of every batch: the row is locked until it commits, so that there is one runner. $2 its number.
HOLD: Query[Any] = Query(
    "UPDATE ostiary.legacy_migrations SET leased_until = $3, checkpoint = $4, state = $5 WHERE id = $1 AND fence = $2"
)

RENEW: Query[Any] = Query(
    "UPDATE ostiary.legacy_migrations SET leased_until = $3 WHERE id = $1 AND fence = $2"
)

LET_GO: Query[Any] = Query(
    "UPDATE ostiary.legacy_migrations SET leased_until = NULL, holder = NULL WHERE id = $1 AND fence = $2"
)

SET_STATE: Query[Any] = Query(
    "UPDATE ostiary.legacy_migrations SET state = $3, is_over = $4 WHERE id = $1 AND fence = $2"
)

VERIFIED: Query[Any] = Query(
    """
    UPDATE ostiary.legacy_migrations SET state = $3, verification = $4, verified_at = $5
     WHERE id = $1 AND fence = $2
    """
)

CUT_OVER: Query[Any] = Query(
    "UPDATE ostiary.legacy_migrations SET state = $3, cut_over_at = $4 WHERE id = $1 AND fence = $2"
)

CONTRACTED: Query[Any] = Query(
    """
    UPDATE ostiary.legacy_migrations SET state = $3, contracted_at = $4, archive_until = $5, is_over = true
     WHERE id = $1 AND fence = $2
    """
)

END: Query[Any] = Query("DELETE FROM ostiary.legacy_migrations WHERE id = $1 AND fence = $2")

SOME: Final = "IN (SELECT value FROM json_each($2))"


@dataclass(frozen=True, slots=True)
class RootRow:
    """What is known here of an owner over there."""

    root_key: str
    version: int
    digest: bytes | None
    made: dict[str, Any]
    counts: dict[str, Any]


_ROOT: Final = (
    "SELECT root_key, version, digest, made, counts FROM ostiary.legacy_roots WHERE migration_id = $1"
)

ROOTS = Query(
    postgresql=f"{_ROOT} AND root_key IN (SELECT jsonb_array_elements_text($2)) ORDER BY root_key FOR UPDATE",
    sqlite=f"{_ROOT} AND root_key {SOME} ORDER BY root_key",
    into=RootRow,
)

ROOTS_AFTER = Query(
    postgresql=f'{_ROOT} AND root_key COLLATE "C" > $2 ORDER BY root_key COLLATE "C" LIMIT $3',
    sqlite=f"{_ROOT} AND root_key > $2 ORDER BY root_key LIMIT $3",
    into=RootRow,
)

FORGET_ROOTS: Query[Any] = Query(
    postgresql="""
    DELETE FROM ostiary.legacy_roots WHERE migration_id = $1 AND root_key IN (SELECT jsonb_array_elements_text($2))
    """,
    sqlite=f"DELETE FROM ostiary.legacy_roots WHERE migration_id = $1 AND root_key {SOME}",
)

FORGET_IDENTITIES: Query[Any] = Query(
    postgresql="""
    DELETE FROM ostiary.legacy_identities
     WHERE migration_id = $1 AND root_key IN (SELECT jsonb_array_elements_text($2))
    """,
    sqlite=f"DELETE FROM ostiary.legacy_identities WHERE migration_id = $1 AND root_key {SOME}",
)

FORGET_FINDINGS: Query[Any] = Query(
    postgresql="""
    DELETE FROM ostiary.legacy_findings
     WHERE migration_id = $1 AND root_key IN (SELECT jsonb_array_elements_text($2))
    """,
    sqlite=f"DELETE FROM ostiary.legacy_findings WHERE migration_id = $1 AND root_key {SOME}",
)


@dataclass(frozen=True, slots=True)
class Archive:
    """The rows of an owner over there, sealed."""

    root_key: str
    archive: bytes


ARCHIVES_AFTER = Query(
    postgresql="""
    SELECT root_key, archive FROM ostiary.legacy_roots
     WHERE migration_id = $1 AND root_key COLLATE "C" > $2 AND archive IS NOT NULL
     ORDER BY root_key COLLATE "C" LIMIT $3
    """,
    sqlite="""
    SELECT root_key, archive FROM ostiary.legacy_roots
     WHERE migration_id = $1 AND root_key > $2 AND archive IS NOT NULL ORDER BY root_key LIMIT $3
    """,
    into=Archive,
)


# Ids and digests come as one value of 16 bytes each, $1, and where in it each begins, $2: both databases can look each up
# by its index.
_GIVEN_PLACES: Final = "FROM json_each($2)"
IDS: Final = {
    "postgresql": """
    (SELECT encode(substring($1::bytea FROM place::int FOR 16), 'hex')::uuid FROM jsonb_array_elements_text($2) AS place)
    """,
    "sqlite": f"(SELECT substr($1, value, 16) {_GIVEN_PLACES})",
}


def among(text: str, column: str, *, into: type[Any] | None = None) -> Query[Any]:
    """Build a statement about the rows whose column is one of the given ids, see `packed`."""
    return Query(
        postgresql=f"{text} {column} IN {IDS['postgresql']}",
        sqlite=f"{text} {column} IN {IDS['sqlite']}",
        into=into,
    )


DELETE: Final = {
    name: among(f"DELETE FROM ostiary.{name} WHERE", "id")
    for name in (
        *("identities", "linked_accounts", "sessions", "challenges", "totp_factors", "passkeys"),
        "login_history",
    )
}

GRANTED_BY: Final = "legacy"
"""Who granted the roles that came along."""

UNGRANT = among(f"DELETE FROM ostiary.role_grants WHERE granted_by = '{GRANTED_BY}' AND", "identity_id")

# An identity that is here already stays, with whatever it has got here; what is known over there replaces what was.
UPDATE_IDENTITY: Query[Any] = Query(
    """
    UPDATE ostiary.identities
       SET entity_id = $2, email = $3, email_normalized = $4, email_verified_at = $5, phone = $6, phone_verified_at = $7,
           password_hash = $8, password_scheme = $9, password_changed_at = NULL, shadow_scheme = $10,
           shadow_hash = NULL, status = $11,
           failed_login_attempts = $12, locked_until = $13, last_login_at = $14, locale = $15, created_at = $16,
           updated_at = $17, deleted_at = $18
     WHERE id = $1
    """
)

PROFILE_FIELDS: Final = ("display_name", "given_name", "family_name", "locale", "avatar_url")

UPDATE_PROFILE: Final = {
    name: Query[Any](
        f"""
        UPDATE ostiary.{name}
           SET display_name = $2, given_name = $3, family_name = $4, locale = $5, avatar_url = $6, created_at = $7,
               updated_at = $8, deleted_at = $9
         WHERE identity_id = $1
        """
    )
    for name in ("users", "admins", "services")
}

# Before any address is given to somebody, those who lose theirs let go of it.
RELEASE = among("UPDATE ostiary.identities SET email_normalized = NULL, phone = NULL WHERE", "id")


# How far the slowest replica is behind, in seconds; of SQLite there is none.
REPLICA_LAG = Query(
    postgresql="""
    SELECT COALESCE(EXTRACT(epoch FROM max(replay_lag)), 0)::double precision FROM pg_stat_replication
    """,
    sqlite="SELECT 0.0",
    into=float,
)

STRAYS = Query(
    "SELECT root_key FROM ostiary.legacy_roots WHERE migration_id = $1 AND root_key >= $2 AND root_key < $3",
    into=str,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What an owner over there was refused, as somebody else keeps it."""

    root_key: str
    claim: bytes


CLAIMS = Query(
    """
    SELECT root_key, claim FROM ostiary.legacy_findings
     WHERE migration_id = $1 AND claim IS NOT NULL AND root_key IS NOT NULL
    """,
    into=Claim,
)

ROLE_ID = Query(
    """
    INSERT INTO ostiary.roles (id, name) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name
    RETURNING id
    """,
    into=UUID,
)


@dataclass(frozen=True, slots=True)
class Address:
    """What an identity answers to."""

    id: UUID
    entity_type: str
    email_normalized: str | None
    phone: str | None
    deleted_at: datetime | None


ADDRESSES: Query[Address] = among(
    "SELECT id, entity_type, email_normalized, phone, deleted_at FROM ostiary.identities WHERE",
    "id",
    into=Address,
)


@dataclass(frozen=True, slots=True)
class LinkedAccount:
    """An account at a provider, and whose it is."""

    identity_id: UUID
    entity_type: str
    provider: str
    provider_account_id: str


ACCOUNTS: Query[LinkedAccount] = among(
    "SELECT identity_id, entity_type, provider, provider_account_id FROM ostiary.linked_accounts WHERE",
    "id",
    into=LinkedAccount,
)


def packed(values: Iterable[bytes]) -> tuple[bytes, list[int]]:
    """Write ids or digests of 16 bytes as one value, and where in it each begins, counted from one."""
    joined = b"".join(values)
    return joined, list(range(1, len(joined) + 1, 16))
