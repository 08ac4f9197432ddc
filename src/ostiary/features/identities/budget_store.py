"""All SQL of the failure budget: of identities, and of identifiers nobody holds.

Counting, locking and reading the hash are one statement, so of 200 parallel guesses only the free ones reach the verifier
(ABU-02); one that dies before it verifies has still been counted. Known and unknown identifiers run the same statement
(ABU-04).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ostiary.features.identities.model import Credentials, Status
from ostiary.features.identities.store import CREDENTIALS
from ostiary.foundation.storage import Query, bounded_delete


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """Whether an attempt was granted, and the credentials it may be checked against (nulls when unknown)."""

    granted: bool
    locked_until: datetime | None
    id: UUID | None
    entity_type: str | None
    entity_id: str | None
    status: Status | None
    token_epoch: int | None
    must_change_password: bool | None
    email: str | None
    phone: str | None
    locale: str | None
    password_hash: str | None
    password_scheme: str | None
    shadow_scheme: str | None
    shadow_hash: str | None

    def credentials(self) -> Credentials | None:
        """Return the credentials, or None for an identifier nobody holds."""
        if self.id is None:
            return None
        return Credentials(**{field.name: getattr(self, field.name) for field in fields(Credentials)})


# The first parameters of each name whose budget it is; from the placeholder `now` on they are: now, the free attempts, the
# final attempt, the shortest and the longest lock in seconds.

_FOR_GOOD_PG: Final = "timestamptz '9999-12-31 00:00:00+00'"
_FOR_GOOD_SQLITE: Final = "253402214400000000"


def _lock_postgresql(attempts: str, *, now: int) -> str:
    free, final, shortest, longest = (f"${now + offset}::int" for offset in (1, 2, 3, 4))
    return f"""
        CASE WHEN {attempts} < {free} THEN NULL
             WHEN {attempts} >= {final} THEN {_FOR_GOOD_PG}
             ELSE ${now}::timestamptz + interval '1 second'
                  * least({longest}, {shortest} * power(2, least({attempts} - {free}, 16)))
        END"""


def _lock_sqlite(attempts: str, *, now: int) -> str:
    free, final, shortest, longest = (f"${now + offset}" for offset in (1, 2, 3, 4))
    return f"""
        CASE WHEN {attempts} < {free} THEN NULL
             WHEN {attempts} >= {final} THEN {_FOR_GOOD_SQLITE}
             ELSE ${now} + 1000000 * min({longest}, {shortest} << min({attempts} - {free}, 16))
        END"""


def _columns_of(source: str) -> str:
    return ", ".join(f"{source}.{name.strip()}" for name in CREDENTIALS.split(","))


_NULLS: Final = ", ".join(f"NULL AS {name.strip()}" for name in CREDENTIALS.split(","))


def _reserve(column: str) -> Query[AttemptRow]:
    """Build the statement that counts one attempt at the identifier in `column`."""
    named = f"entity_type = $1 AND {column} = $2 AND deleted_at IS NULL"
    return Query(
        postgresql=f"""
        WITH known AS (
            SELECT id, locked_until FROM ostiary.identities WHERE {named}
        ), attempted AS (
            UPDATE ostiary.identities AS identity
               SET failed_login_attempts = identity.failed_login_attempts + 1,
                   locked_until = {_lock_postgresql("identity.failed_login_attempts + 1", now=4)}
              FROM known
             WHERE identity.id = known.id
               AND (identity.locked_until IS NULL OR identity.locked_until <= $4::timestamptz)
            RETURNING identity.*
        ), unknown AS (
            INSERT INTO ostiary.unknown_identifiers AS stranger
                   (subject, failed_login_attempts, locked_until, expires_at)
            SELECT $3::bytea, 1, {_lock_postgresql("1", now=4)}, $9::timestamptz
             WHERE NOT EXISTS (SELECT FROM known)
            ON CONFLICT (subject) DO UPDATE
               SET failed_login_attempts = stranger.failed_login_attempts + 1,
                   locked_until = {_lock_postgresql("stranger.failed_login_attempts + 1", now=4)},
                   expires_at = excluded.expires_at
             WHERE stranger.locked_until IS NULL OR stranger.locked_until <= $4::timestamptz
            RETURNING subject
        )
        SELECT attempted.id IS NOT NULL OR unknown.subject IS NOT NULL AS granted,
               (SELECT locked_until FROM known
                 UNION ALL SELECT locked_until FROM ostiary.unknown_identifiers WHERE subject = $3::bytea
                 LIMIT 1) AS locked_until,
               {_columns_of("attempted")}
          FROM (VALUES (TRUE)) AS always LEFT JOIN attempted ON TRUE LEFT JOIN unknown ON TRUE
        """,
        sqlite=(
            f"""
            UPDATE ostiary.identities
               SET failed_login_attempts = failed_login_attempts + 1,
                   locked_until = {_lock_sqlite("(failed_login_attempts + 1)", now=4)}
             WHERE {named} AND (locked_until IS NULL OR locked_until <= $4)
            RETURNING 1 AS granted, NULL AS locked_until, {CREDENTIALS}
            """,
            f"""
            INSERT INTO ostiary.unknown_identifiers AS stranger
                   (subject, failed_login_attempts, locked_until, expires_at)
            SELECT $3, 1, {_lock_sqlite("1", now=4)}, $9
             WHERE NOT EXISTS (SELECT 1 FROM ostiary.identities WHERE {named})
            ON CONFLICT (subject) DO UPDATE
               SET failed_login_attempts = stranger.failed_login_attempts + 1,
                   locked_until = {_lock_sqlite("(stranger.failed_login_attempts + 1)", now=4)},
                   expires_at = excluded.expires_at
             WHERE stranger.locked_until IS NULL OR stranger.locked_until <= $4
            RETURNING 1 AS granted, NULL AS locked_until, {_NULLS}
            """,
            f"""
            SELECT 0 AS granted, locked_until, {_NULLS} FROM ostiary.identities WHERE {named}
             UNION ALL
            SELECT 0, locked_until, {_NULLS} FROM ostiary.unknown_identifiers WHERE subject = $3
             LIMIT 1
            """,
        ),
        into=AttemptRow,
    )


RESERVE_BY_EMAIL: Final = _reserve("email_normalized")
RESERVE_BY_PHONE: Final = _reserve("phone")

_NEXT_ATTEMPT: Final = "(identity.failed_login_attempts + 1)"
RESERVE_BY_ID = Query(
    postgresql=f"""
    WITH attempted AS (
        UPDATE ostiary.identities AS identity
           SET failed_login_attempts = {_NEXT_ATTEMPT}, locked_until = {_lock_postgresql(_NEXT_ATTEMPT, now=2)}
         WHERE id = $1 AND deleted_at IS NULL AND (locked_until IS NULL OR locked_until <= $2::timestamptz)
        RETURNING identity.*
    )
    SELECT attempted.id IS NOT NULL AS granted, identity.locked_until, {_columns_of("attempted")}
      FROM ostiary.identities AS identity LEFT JOIN attempted ON TRUE
     WHERE identity.id = $1
    """,
    sqlite=(
        f"""
        UPDATE ostiary.identities AS identity
           SET failed_login_attempts = {_NEXT_ATTEMPT}, locked_until = {_lock_sqlite(_NEXT_ATTEMPT, now=2)}
         WHERE id = $1 AND deleted_at IS NULL AND (locked_until IS NULL OR locked_until <= $2)
        RETURNING 1 AS granted, NULL AS locked_until, {CREDENTIALS}
        """,
        f"SELECT 0 AS granted, locked_until, {_NULLS} FROM ostiary.identities WHERE id = $1",
    ),
    into=AttemptRow,
)
FORGET_UNKNOWN: Query[Any] = Query("DELETE FROM ostiary.unknown_identifiers WHERE subject = $1")

PURGE_UNKNOWN: Query[Any] = bounded_delete(
    "unknown_identifiers", key="subject", where="expires_at <= $1", order="expires_at", limit="$2"
)
