"""All SQL about the way back: what has changed here since, what is found about rows, and how a migration stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ostiary.features.legacy.store import IDS, SOME, Claim, among
from ostiary.features.sessions import EndReason
from ostiary.foundation.storage import Query

_ENDED_BY_GOING_BACK: Final = EndReason.OPERATOR.value
_EXCHANGED: Final = EndReason.EXCHANGED.value


@dataclass(frozen=True, slots=True)
class Present:
    """An identity as it is here now, as far as the other system can know of it."""

    id: UUID
    entity_type: str
    entity_id: str
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    password_hash: str | None
    password_scheme: str | None
    password_changed_at: datetime | None
    shadow_scheme: str | None
    shadow_hash: str | None
    status: str
    failed_login_attempts: int
    locked_until: datetime | None
    last_login_at: datetime | None
    locale: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    display_name: str | None
    given_name: str | None
    family_name: str | None
    avatar_url: str | None


_PRESENT: Final = """
    SELECT held.id, held.entity_type, held.entity_id, held.email, held.email_verified_at, held.phone,
           held.phone_verified_at, held.password_hash, held.password_scheme, held.password_changed_at,
           held.shadow_scheme, held.shadow_hash, held.status, held.failed_login_attempts, held.locked_until, held.last_login_at, held.locale, held.created_at,
           held.updated_at, held.deleted_at, profile.display_name, profile.given_name, profile.family_name,
           profile.avatar_url
      FROM ostiary.identities AS held LEFT JOIN ostiary.users AS profile ON profile.identity_id = held.id
     WHERE
"""

PRESENT: Query[Present] = among(_PRESENT, "held.id", into=Present)

# Who was born here since, and is no one's over there. $1 the kinds of accounts there are over there, $2 and $3 ids.
BORN = Query(
    postgresql=f"""
    {_PRESENT} held.id >= $2 AND held.id > $3 AND held.entity_type IN (SELECT jsonb_array_elements_text($1))
       AND NOT EXISTS (SELECT 1 FROM ostiary.legacy_identities AS known WHERE known.identity_id = held.id)
     ORDER BY held.id LIMIT $4
    """,
    sqlite=f"""
    {_PRESENT} held.id >= $2 AND held.id > $3 AND held.entity_type IN (SELECT value FROM json_each($1))
       AND NOT EXISTS (SELECT 1 FROM ostiary.legacy_identities AS known WHERE known.identity_id = held.id)
     ORDER BY held.id LIMIT $4
    """,
    into=Present,
)

# Accounts whose tokens are others than those that came along: got or taken away here. $3 since when.
RENEWED: Query[UUID] = Query(
    postgresql=f"""
    SELECT id FROM ostiary.linked_accounts
     WHERE last_token_refresh_at >= $3 AND access_token IS NOT NULL AND id IN {IDS["postgresql"]}
    """,
    sqlite=f"""
    SELECT id FROM ostiary.linked_accounts
     WHERE last_token_refresh_at >= $3 AND access_token IS NOT NULL AND id IN {IDS["sqlite"]}
    """,
    into=UUID,
)


@dataclass(frozen=True, slots=True)
class Belonging:
    """Something an identity has here that is no column of theirs."""

    kind: str
    identity_id: UUID
    id: UUID
    name: str


def _belongings(ids: str) -> str:
    return f"""
    SELECT 'role' AS kind, had.identity_id, had.role_id AS id, role.name
      FROM ostiary.role_grants AS had JOIN ostiary.roles AS role ON role.id = had.role_id
     WHERE had.identity_id IN {ids}
    UNION ALL
    SELECT 'account' AS kind, had.identity_id, had.id, had.provider AS name FROM ostiary.linked_accounts AS had
     WHERE had.identity_id IN {ids}
    UNION ALL
    SELECT 'passkey' AS kind, had.identity_id, had.id, had.label AS name FROM ostiary.passkeys AS had
     WHERE had.identity_id IN {ids}
    UNION ALL
    SELECT 'authenticator app' AS kind, had.identity_id, had.id, had.label AS name FROM ostiary.totp_factors AS had
     WHERE had.confirmed_at IS NOT NULL AND had.identity_id IN {ids}
    """


BELONGINGS = Query(
    postgresql=_belongings(IDS["postgresql"]), sqlite=_belongings(IDS["sqlite"]), into=Belonging
)

# Of these sessions, those that nobody has ended. Going back ends sessions itself: what it did since $3 is no wish of
# anybody's. One that was exchanged goes on as the session that began at that moment, and is good for as long as that is.
_NOT_ENDED: Final = "({0}.ended_at IS NULL OR ({0}.ended_at >= $3 AND {0}.end_reason = '{1}'))"


def _live_sessions(ids: str) -> str:
    return f"""
    SELECT old.id FROM ostiary.sessions AS old
     WHERE old.id IN {ids}
       AND ({_NOT_ENDED.format("old", _ENDED_BY_GOING_BACK)}
            OR (old.end_reason = '{EndReason.EXCHANGED}' AND EXISTS (
                SELECT 1 FROM ostiary.sessions AS new
                 WHERE new.identity_id = old.identity_id AND new.created_at = old.ended_at
                   AND {_NOT_ENDED.format("new", _ENDED_BY_GOING_BACK)})))
    """


LIVE_SESSIONS: Query[UUID] = Query(
    postgresql=_live_sessions(IDS["postgresql"]), sqlite=_live_sessions(IDS["sqlite"]), into=UUID
)

LIVE_CHALLENGES: Query[UUID] = among(
    "SELECT id FROM ostiary.challenges WHERE consumed_at IS NULL AND", "id", into=UUID
)


@dataclass(frozen=True, slots=True)
class ArchivedRoot:
    """What was made here of an owner over there, and their rows, sealed."""

    root_key: str
    made: dict[str, Any]
    archive: bytes


_ARCHIVED: Final = """
    SELECT root_key, made, archive FROM ostiary.legacy_roots WHERE migration_id = $1 AND archive IS NOT NULL
"""

ARCHIVED_AFTER = Query(
    postgresql=f'{_ARCHIVED} AND root_key COLLATE "C" > $2 ORDER BY root_key COLLATE "C" LIMIT $3',
    sqlite=f"{_ARCHIVED} AND root_key > $2 ORDER BY root_key LIMIT $3",
    into=ArchivedRoot,
)

# Whoever was let in here, by a session that is not only one that came along. $1 after whom, $2 how many.
SIGNED_IN = Query(
    """
    SELECT DISTINCT session.identity_id FROM ostiary.sessions AS session
      JOIN ostiary.refresh_tokens AS token ON token.session_id = session.id
      JOIN ostiary.legacy_identities AS known ON known.identity_id = session.identity_id
     WHERE session.ended_at IS NULL AND session.identity_id > $1 ORDER BY session.identity_id LIMIT $2
    """,
    into=UUID,
)

RESET: Query[Any] = Query(
    """
    UPDATE ostiary.legacy_migrations
       SET state = $3, checkpoint = $4, verification = NULL, verified_at = NULL, cut_over_at = NULL,
           contracted_at = NULL, archive_until = NULL, is_over = false
     WHERE id = $1 AND fence = $2
    """
)

# What tokens were exchanged for has ended with all that began here; those that are good over there are good once more.
FORGET_SPENT: Query[Any] = Query(
    """
    DELETE FROM ostiary.legacy_bearers
     WHERE consumed_at IS NOT NULL
       AND identity_id IN (SELECT identity_id FROM ostiary.legacy_identities WHERE migration_id = $1)
    """
)

# Whatever is read over there from now on is newer: what counts the changes there may begin anew.
FORGET_VERSIONS: Query[Any] = Query(
    "UPDATE ostiary.legacy_roots SET version = 0 WHERE migration_id = $1 AND version <> 0"
)

# From now on something may be erased over there, and the archive is all there is of it.
ERASING: Query[Any] = Query(
    "UPDATE ostiary.legacy_migrations SET archive_until = $3 WHERE id = $1 AND fence = $2"
)

DELETE_ADOPTED: Query[Any] = Query(
    """
    DELETE FROM ostiary.identities
     WHERE id IN (SELECT identity_id FROM ostiary.legacy_identities WHERE migration_id = $1 AND is_adopted)
    """
)

# An identity that is somebody's over there without having been made of their rows.
ADOPT: Query[Any] = Query(
    """
    INSERT INTO ostiary.legacy_identities (identity_id, migration_id, root_key, is_adopted) VALUES ($1, $2, $3, true)
    ON CONFLICT (identity_id) DO NOTHING
    """
)


_REFUSED: Final = """
    SELECT root_key, claim FROM ostiary.legacy_findings WHERE migration_id = $1 AND claim IS NOT NULL
"""

# What these owners were refused, as somebody else keeps it.
REFUSED: Query[Claim] = Query(
    postgresql=f"{_REFUSED} AND root_key IN (SELECT jsonb_array_elements_text($2))",
    sqlite=f"{_REFUSED} AND root_key {SOME}",
    into=Claim,
)

FORGET_SHADOWS = Query(
    postgresql="""
    UPDATE ostiary.identities SET shadow_scheme = NULL, shadow_hash = NULL
     WHERE id = ANY (ARRAY(SELECT id FROM ostiary.identities WHERE shadow_scheme IS NOT NULL AND id > $1
                            ORDER BY id LIMIT $2))
    RETURNING id
    """,
    sqlite="""
    UPDATE ostiary.identities SET shadow_scheme = NULL, shadow_hash = NULL
     WHERE id IN (SELECT id FROM ostiary.identities WHERE shadow_scheme IS NOT NULL AND id > $1 ORDER BY id LIMIT $2)
    RETURNING id
    """,
    into=UUID,
)
