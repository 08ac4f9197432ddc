"""All SQL that reads what a migration has made: by the ids of its records, many owners at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ostiary.features.legacy.store import GRANTED_BY, PROFILE_FIELDS, among
from ostiary.foundation.storage import Query

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """An identity, but for what it gets here."""

    id: UUID
    entity_type: str
    entity_id: str
    email: str | None
    email_normalized: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    password_hash: str | None = field(repr=False)
    password_scheme: str | None
    shadow_scheme: str | None
    status: str
    failed_login_attempts: int
    locked_until: datetime | None
    last_login_at: datetime | None
    locale: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """What is known of somebody."""

    identity_id: UUID
    display_name: str | None
    given_name: str | None
    family_name: str | None
    locale: str | None
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A role that came along."""

    identity_id: UUID
    name: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account elsewhere, and which tokens of it there are."""

    id: UUID
    identity_id: UUID
    entity_type: str
    provider: str
    provider_account_id: str
    has_access_token: bool
    has_refresh_token: bool
    has_id_token: bool
    access_token_expires_at: datetime | None
    refresh_token_expires_at: datetime | None
    scope: str | None
    token_type: str | None
    profile: dict[str, Any]
    linked_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session."""

    id: UUID
    identity_id: UUID
    linked_account_id: UUID | None
    provider_session_id: str | None
    ip_address: str | None
    user_agent: str | None
    device_label: str | None
    authenticated_at: datetime
    created_at: datetime
    last_used_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChallengeRow:
    """A one-time token, but for its secret, which nobody has."""

    id: UUID
    identity_id: UUID | None
    purpose: str
    destination: str
    format: str
    created_at: datetime
    expires_at: datetime
    consumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class BearerRow:
    """What is good for one exchange."""

    digest: bytes
    identity_id: UUID
    session_id: UUID | None
    challenge_id: UUID | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TotpRow:
    """An authenticator app, but for its secret."""

    id: UUID
    identity_id: UUID
    label: str
    created_at: datetime
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    """A passkey."""

    id: UUID
    identity_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    transports: list[Any]
    backup_eligible: bool
    backed_up: bool
    label: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LoginRow:
    """A session that is over."""

    id: UUID
    identity_id: UUID | None
    session_id: UUID | None
    occurred_at: datetime
    provider: str | None
    method: str | None
    success: bool
    ip_address: str | None
    user_agent: str | None
    session_ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class MapRow:
    """Whose identity one is over there."""

    identity_id: UUID
    root_key: str


def _columns(row: type[Any]) -> str:
    return ", ".join(one.name for one in fields(row))


_TOKENS: Final = ", ".join(
    f"{name} IS NOT NULL AS has_{name}" for name in ("access_token", "refresh_token", "id_token")
)
_ACCOUNT: Final = f"""
    id, identity_id, entity_type, provider, provider_account_id, {_TOKENS}, access_token_expires_at,
    refresh_token_expires_at, scope, token_type, profile, linked_by, created_at, updated_at
"""


def _of(table: str, column: str, row: type[Any]) -> Query[Any]:
    return among(f"SELECT {_columns(row)} FROM ostiary.{table} WHERE", column, into=row)


# By the ids of the records themselves.
BY_ID: Final[Mapping[str, Query[Any]]] = MappingProxyType(
    {
        "identities": _of("identities", "id", IdentityRow),
        "linked_accounts": among(
            f"SELECT {_ACCOUNT} FROM ostiary.linked_accounts WHERE", "id", into=AccountRow
        ),
        "sessions": _of("sessions", "id", SessionRow),
        "challenges": _of("challenges", "id", ChallengeRow),
        "totp_factors": _of("totp_factors", "id", TotpRow),
        "passkeys": _of("passkeys", "id", PasskeyRow),
        "login_history": _of("login_history", "id", LoginRow),
    }
)

# By those of the identity, the session or the challenge they belong to.
PROFILES: Final[Mapping[str, Query[ProfileRow]]] = MappingProxyType(
    {
        name: among(
            f"SELECT identity_id, {', '.join(PROFILE_FIELDS)} FROM ostiary.{name} WHERE",
            "identity_id",
            into=ProfileRow,
        )
        for name in ("users", "admins", "services")
    }
)
GRANTS: Query[GrantRow] = among(
    f"""
    SELECT granted.identity_id, role.name, granted.expires_at
      FROM ostiary.role_grants AS granted JOIN ostiary.roles AS role ON role.id = granted.role_id
     WHERE granted.granted_by = '{GRANTED_BY}' AND
    """,
    "granted.identity_id",
    into=GrantRow,
)
BEARERS: Final[tuple[Query[BearerRow], ...]] = (
    _of("legacy_bearers", "session_id", BearerRow),
    _of("legacy_bearers", "challenge_id", BearerRow),
)
MAP: Query[MapRow] = _of("legacy_identities", "identity_id", MapRow)


@dataclass(frozen=True, slots=True)
class SealedAccount:
    """The sealed columns of an account."""

    id: UUID
    identity_id: UUID
    access_token: bytes | None = field(repr=False)
    refresh_token: bytes | None = field(repr=False)
    id_token: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedTotp:
    """The sealed secret of an authenticator app."""

    id: UUID
    secret_sealed: bytes = field(repr=False)


SEALED_ACCOUNTS: Query[SealedAccount] = _of("linked_accounts", "id", SealedAccount)
SEALED_TOTPS: Query[SealedTotp] = _of("totp_factors", "id", SealedTotp)


@dataclass(frozen=True, slots=True)
class KnownRoot:
    """What is kept here of an owner over there; no digest if they are gone there."""

    root_key: str
    digest: bytes | None
    made: dict[str, Any]
    counts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Archived:
    """The rows of an owner over there, sealed."""

    root_key: str
    archive: bytes | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """What an owner was refused, as somebody else has it: a keyed digest."""

    root_key: str
    claim: bytes


def _by_root(text: str, into: type[Any]) -> Query[Any]:
    return Query(
        postgresql=f"{text} AND root_key IN (SELECT jsonb_array_elements_text($2))",
        sqlite=f"{text} AND root_key IN (SELECT value FROM json_each($2))",
        into=into,
    )


_ROOT: Final = "SELECT root_key, digest, made, counts FROM ostiary.legacy_roots WHERE migration_id = $1"

KNOWN: Query[KnownRoot] = _by_root(_ROOT, KnownRoot)
KNOWN_AFTER = Query(
    postgresql=f'{_ROOT} AND root_key COLLATE "C" > $2 ORDER BY root_key COLLATE "C" LIMIT $3',
    sqlite=f"{_ROOT} AND root_key > $2 ORDER BY root_key LIMIT $3",
    into=KnownRoot,
)
ARCHIVES: Query[Archived] = _by_root(
    "SELECT root_key, archive FROM ostiary.legacy_roots WHERE migration_id = $1", Archived
)
CLAIMS: Query[Claimed] = _by_root(
    "SELECT root_key, claim FROM ostiary.legacy_findings WHERE migration_id = $1 AND claim IS NOT NULL",
    Claimed,
)


@dataclass(frozen=True, slots=True)
class MappedIdentity:
    """An identity of the map, whether it and its owner are there, and how its password is hashed."""

    identity_id: UUID
    root_key: str
    is_there: bool
    has_root: bool
    password_scheme: str | None


MAPPED_AFTER = Query(
    """
    SELECT known.identity_id, known.root_key, held.id IS NOT NULL AS is_there,
           root.digest IS NOT NULL AS has_root, held.password_scheme
      FROM ostiary.legacy_identities AS known
      LEFT JOIN ostiary.identities AS held ON held.id = known.identity_id
      LEFT JOIN ostiary.legacy_roots AS root
        ON root.migration_id = known.migration_id AND root.root_key = known.root_key
     WHERE known.migration_id = $1 AND known.identity_id > $2
     ORDER BY known.identity_id LIMIT $3
    """,
    into=MappedIdentity,
)

# Of what is never cleaned up by itself: which of the given ids are there.
THERE: Final[Mapping[str, Query[UUID]]] = MappingProxyType(
    {
        name: among(f"SELECT id FROM ostiary.{name} WHERE", "id", into=UUID)
        for name in ("identities", "linked_accounts", "totp_factors", "passkeys")
    }
)


@dataclass(frozen=True, slots=True)
class CanaryRow:
    """What somebody's password is compared with."""

    identity_id: UUID
    root_key: str
    password_hash: str | None = field(repr=False)
    password_scheme: str | None


def _canary(condition: str) -> Query[CanaryRow]:
    return Query(
        f"""
        SELECT known.identity_id, known.root_key, held.password_hash, held.password_scheme
          FROM ostiary.legacy_identities AS known JOIN ostiary.identities AS held ON held.id = known.identity_id
         WHERE known.migration_id = $1 AND {condition} AND held.deleted_at IS NULL ORDER BY held.id
        """,
        into=CanaryRow,
    )


CANARY_BY_EMAIL = _canary("held.email_normalized = $2")
CANARY_BY_PHONE = _canary("held.phone = $2")
CANARY_BY_KEY = _canary("known.root_key = $2")
