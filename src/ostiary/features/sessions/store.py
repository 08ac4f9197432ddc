"""All SQL about sessions and refresh tokens."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ostiary.features.sessions.model import (
    Ended,
    Owned,
    Purged,
    RevocationRecord,
    Rotation,
    Session,
    SessionFigures,
    SessionRecord,
    TakenOver,
)
from ostiary.foundation.storage import Query, bounded_delete

# The revocation of everything stands before every session it concerns, so that none has to be touched to end it.
_ALL_ENDED: Final = """(
    SELECT everything.not_before FROM ostiary.revocations AS everything
     WHERE everything.kind = 'all' AND everything.subject = 'sessions' AND everything.not_before > session.created_at)"""

INSERT_SESSION: Query[Any] = Query(
    """
    INSERT INTO ostiary.sessions
           (id, identity_id, ip_address, user_agent, device_label, amr, authenticated_at, metadata,
            created_at, updated_at, last_used_at, idle_expires_at, expires_at, linked_account_id, provider_session_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9, $10, $11, $12, $13)
    """
)

# $12 is the session that is replaced: what it began with at a provider, the new one goes on with.
INSERT_FOLLOWING: Query[Any] = Query(
    """
    INSERT INTO ostiary.sessions
           (id, identity_id, ip_address, user_agent, device_label, amr, authenticated_at, metadata,
            created_at, updated_at, last_used_at, idle_expires_at, expires_at, linked_account_id, provider_session_id)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9, $10, $11,
           (SELECT linked_account_id FROM ostiary.sessions WHERE id = $12),
           (SELECT provider_session_id FROM ostiary.sessions WHERE id = $12)
    """
)

INSERT_REFRESH_TOKEN: Query[Any] = Query(
    """
    INSERT INTO ostiary.refresh_tokens (id, session_id, secret_digest, issued_at, expires_at)
    VALUES ($1, $2, $3, $4, $5)
    """
)

LIST = Query(
    f"""
    SELECT id, ip_address, user_agent, device_label, amr, authenticated_at, created_at, last_used_at,
           idle_expires_at, expires_at
      FROM ostiary.sessions AS session
     WHERE identity_id = $1 AND ended_at IS NULL AND expires_at > $2 AND idle_expires_at > $2
       AND NOT EXISTS {_ALL_ENDED}
     ORDER BY last_used_at DESC, id DESC
    """,
    into=Session,
)

FIND = Query(
    f"""
    SELECT id, ip_address, user_agent, device_label, amr, authenticated_at, created_at, last_used_at,
           idle_expires_at, expires_at
      FROM ostiary.sessions AS session
     WHERE id = $1 AND identity_id = $2 AND ended_at IS NULL AND NOT EXISTS {_ALL_ENDED}
    """,
    into=Session,
)

IS_LIVE = Query(
    f"""
    SELECT id FROM ostiary.sessions AS session
     WHERE id = $1 AND identity_id = $2 AND ended_at IS NULL AND expires_at > $3 AND idle_expires_at > $3
       AND NOT EXISTS {_ALL_ENDED}
    """,
    into=UUID,
)

# Locked with its owner by whoever asks; none that has ever had a token of ours.
LIVE_FROM_ELSEWHERE = Query(
    f"""
    SELECT amr, authenticated_at, expires_at, linked_account_id, provider_session_id FROM ostiary.sessions AS session
     WHERE id = $1 AND identity_id = $2 AND ended_at IS NULL AND expires_at > $3 AND idle_expires_at > $3
       AND NOT EXISTS {_ALL_ENDED}
       AND NOT EXISTS (SELECT 1 FROM ostiary.refresh_tokens AS token WHERE token.session_id = session.id)
    """,
    into=TakenOver,
)

# For operators, the newest first and page by page: $1 the id to stay before, $2 how many.


def _records(whose: str) -> Query[SessionRecord]:
    return Query(
        f"""
        SELECT id, identity_id, ip_address, user_agent, device_label, amr, authenticated_at, created_at, last_used_at,
               idle_expires_at, expires_at, coalesce(ended_at, {_ALL_ENDED}) AS ended_at, end_reason
          FROM ostiary.sessions AS session WHERE id < $1{whose} ORDER BY id DESC LIMIT $2
        """,
        into=SessionRecord,
    )


RECORDS = _records("")
RECORDS_OF_IDENTITY = _records(" AND identity_id = $3")

OWNER = Query("SELECT identity_id FROM ostiary.sessions WHERE id = $1", into=UUID)

REVOCATIONS = Query(
    """
    SELECT seq, kind, subject, identity_id, min_epoch, not_before, reason, revoked_by, revoked_at, expires_at
      FROM ostiary.revocations WHERE seq < $1 ORDER BY seq DESC LIMIT $2
    """,
    into=RevocationRecord,
)


def _end(which: str, reason: str) -> Query[Ended]:
    # $2 is the moment, `reason` the parameter that says why.
    return Query(
        f"""
        UPDATE ostiary.sessions SET ended_at = $2, end_reason = {reason}, updated_at = $2
         WHERE {which} AND ended_at IS NULL
        RETURNING id, linked_account_id
        """,
        into=Ended,
    )


END = _end("identity_id = $1 AND id = $4", "$3")
END_OTHERS = _end("identity_id = $1 AND id <> $4", "$3")
END_ALL = _end("identity_id = $1", "$3")

# Sessions that began with an account at a provider: $1 the provider, $2 the account's key there, $3 what the provider
# calls its session (null for any of either), $4 the moment after which a session is none that it speaks of.
BEGAN_WITH = Query(
    """
    SELECT session.id, session.identity_id
      FROM ostiary.sessions AS session
      JOIN ostiary.linked_accounts AS account ON account.id = session.linked_account_id
     WHERE account.provider = $1 AND (CAST($2 AS text) IS NULL OR account.provider_account_id = $2)
       AND (CAST($3 AS text) IS NULL OR session.provider_session_id = $3)
       AND session.created_at <= $4 AND session.ended_at IS NULL
     ORDER BY session.identity_id, session.id
    """,
    into=Owned,
)

OF_ACCOUNT = Query(
    """
    SELECT id FROM ostiary.sessions WHERE identity_id = $1 AND linked_account_id = $2 AND ended_at IS NULL ORDER BY id
    """,
    into=UUID,
)

# Unfinished sign-ins and the devices that need no second factor: whoever took them over must not go on with them.
CANCEL_FLOWS: Query[Any] = Query(
    postgresql="""
    WITH flows AS (DELETE FROM ostiary.sign_in_flows WHERE identity_id = $1)
    DELETE FROM ostiary.remembered_devices WHERE identity_id = $1
    """,
    sqlite=(
        "DELETE FROM ostiary.sign_in_flows WHERE identity_id = $1",
        "DELETE FROM ostiary.remembered_devices WHERE identity_id = $1",
    ),
)

SESSION_OF_REFRESH_TOKEN = Query(
    """
    SELECT token.session_id FROM ostiary.refresh_tokens AS token
      JOIN ostiary.sessions AS session ON session.id = token.session_id
     WHERE token.id = $1 AND token.secret_digest = $2 AND session.identity_id = $3
    """,
    into=UUID,
)


# Rotation. Parameters: $1 the presented token, $2 its digest, $3 now, $4 the successor's id, $5 its digest,
# $6 the successor sealed under the presented token, $7 the new idle expiry, $8 when a session is due to be touched.
#
# Spending, storing the successor, erasing what the presented token's parent still held, touching the session and
# checking that token, session and identity allow it are one statement, which also answers what the new access
# token has to say. Of parallel callers the row lock lets one through; the others see the token unspent in their
# snapshot but touch no row, and read again (FACTS).

_FACTS: Final = f"""
       token.expires_at AS token_expires_at, token.consumed_at, token.successor_sealed,
       session.id AS session_id, coalesce(session.ended_at, {_ALL_ENDED}) AS session_ended_at, session.expires_at AS session_expires_at,
       session.idle_expires_at, session.authenticated_at, session.amr,
       identity.id AS identity_id, identity.entity_type, identity.entity_id, identity.status AS identity_status,
       identity.token_epoch"""

_OWNERS: Final = """
      FROM ostiary.refresh_tokens AS token
      JOIN ostiary.sessions AS session ON session.id = token.session_id
      JOIN ostiary.identities AS identity ON identity.id = session.identity_id"""

_GRANTED: Final = """
      FROM ostiary.role_grants AS held JOIN ostiary.roles AS role ON role.id = held.role_id
     WHERE held.identity_id = identity.id AND (held.expires_at IS NULL OR held.expires_at > $3)"""

# The grants are looked up once, and what they allow only for whoever has any.
_ROLES_POSTGRESQL: Final = """
       coalesce(granted.roles, '[]'::jsonb) AS roles, granted.expire_at AS roles_expire_at,
       CASE WHEN granted.roles IS NULL THEN '[]'::jsonb ELSE (
           SELECT coalesce(jsonb_agg(DISTINCT allowed.permission), '[]'::jsonb)
             FROM ostiary.role_permissions AS allowed WHERE allowed.role_id = ANY (granted.role_ids)) END AS permissions"""

_WITH_ROLES_POSTGRESQL: Final = f"""{_OWNERS}
      CROSS JOIN LATERAL (
          SELECT jsonb_agg(role.name ORDER BY role.name) AS roles, min(held.expires_at) AS expire_at,
                 array_agg(role.id) AS role_ids {_GRANTED}) AS granted"""

_ROLES_SQLITE: Final = f"""
       (SELECT json_group_array(name) FROM (SELECT role.name {_GRANTED} ORDER BY role.name)) AS roles,
       (SELECT min(held.expires_at) {_GRANTED}) AS roles_expire_at,
       (SELECT json_group_array(permission) FROM (
           SELECT DISTINCT allowed.permission FROM ostiary.role_permissions AS allowed
            WHERE allowed.role_id IN (SELECT role.id {_GRANTED}) ORDER BY allowed.permission)) AS permissions"""

_MAY_BE_SPENT: Final = f"""
           token.id = $1 AND token.secret_digest = $2 AND token.consumed_at IS NULL AND token.expires_at > $3
       AND session.ended_at IS NULL AND session.expires_at > $3 AND session.idle_expires_at > $3
       AND NOT EXISTS {_ALL_ENDED}
       AND identity.status = 'active'"""

ROTATE = Query(
    postgresql=f"""
    WITH spent AS (
        UPDATE ostiary.refresh_tokens AS token SET consumed_at = $3, successor_sealed = $6
          FROM ostiary.sessions AS session JOIN ostiary.identities AS identity ON identity.id = session.identity_id
         WHERE session.id = token.session_id AND {_MAY_BE_SPENT}
        RETURNING token.session_id, token.parent_id, token.expires_at
    ), successor AS (
        INSERT INTO ostiary.refresh_tokens (id, session_id, parent_id, secret_digest, issued_at, expires_at)
        SELECT $4::uuid, session_id, $1, $5::bytea, $3, expires_at FROM spent
        RETURNING id
    ), erased AS (
        UPDATE ostiary.refresh_tokens AS parent SET successor_sealed = NULL
          FROM spent WHERE parent.id = spent.parent_id
    ), touched AS (
        UPDATE ostiary.sessions AS session SET last_used_at = $3, updated_at = $3, idle_expires_at = $7
          FROM spent WHERE session.id = spent.session_id AND session.last_used_at <= $8
    )
    SELECT EXISTS (SELECT FROM successor) AS spent_now, {_FACTS}, {_ROLES_POSTGRESQL} {_WITH_ROLES_POSTGRESQL}
     WHERE token.id = $1 AND token.secret_digest = $2
    """,
    sqlite=(
        f"""
        UPDATE ostiary.refresh_tokens AS token SET consumed_at = $3, successor_sealed = $6
          FROM ostiary.sessions AS session JOIN ostiary.identities AS identity ON identity.id = session.identity_id
         WHERE session.id = token.session_id AND {_MAY_BE_SPENT}
        """,
        """
        INSERT INTO ostiary.refresh_tokens (id, session_id, parent_id, secret_digest, issued_at, expires_at)
        SELECT $4, session_id, $1, $5, $3, expires_at FROM ostiary.refresh_tokens WHERE id = $1 AND changes() = 1
        """,
        """
        UPDATE ostiary.refresh_tokens SET successor_sealed = NULL
         WHERE changes() = 1 AND id = (SELECT parent_id FROM ostiary.refresh_tokens WHERE id = $1)
        """,
        """
        UPDATE ostiary.sessions SET last_used_at = $3, updated_at = $3, idle_expires_at = $7
         WHERE id = (SELECT session_id FROM ostiary.refresh_tokens WHERE id = $4) AND last_used_at <= $8
        """,
        f"""
        SELECT EXISTS (SELECT 1 FROM ostiary.refresh_tokens WHERE id = $4) AS spent_now, {_FACTS}, {_ROLES_SQLITE}
               {_OWNERS}
         WHERE token.id = $1 AND token.secret_digest = $2
        """,
    ),
    into=Rotation,
)

FACTS = Query(
    postgresql=f"""
    SELECT FALSE AS spent_now, {_FACTS}, {_ROLES_POSTGRESQL} {_WITH_ROLES_POSTGRESQL} WHERE token.id = $1 AND token.secret_digest = $2
    """,
    sqlite=f"""
    SELECT FALSE AS spent_now, {_FACTS}, {_ROLES_SQLITE} {_OWNERS} WHERE token.id = $1 AND token.secret_digest = $2
    """,
    into=Rotation,
)


# Purging. $1 is the moment by which, $2 how many. A session's tokens go before it does, as deleting a session
# deletes all it still has, and that may be thousands.

_EXPIRED: Final = "expires_at <= $1"
_ENDED: Final = "ended_at IS NOT NULL AND ended_at <= $1"


def _purge_tokens(where: str, order: str) -> Query[Any]:
    over = f"SELECT id FROM ostiary.sessions WHERE {where} ORDER BY {order} LIMIT $2"
    tokens = "SELECT id FROM ostiary.refresh_tokens WHERE session_id"
    return Query(
        # Arrays, as a join would be planned as a walk through every token there is.
        postgresql=f"""
        DELETE FROM ostiary.refresh_tokens
         WHERE id = ANY (ARRAY({tokens} = ANY (ARRAY({over})) LIMIT $2 FOR UPDATE SKIP LOCKED))
        """,
        sqlite=f"DELETE FROM ostiary.refresh_tokens WHERE id IN ({tokens} IN ({over}) LIMIT $2)",
    )


def _purge_sessions(where: str, order: str) -> Query[Purged]:
    return bounded_delete(
        "sessions",
        key="id",
        where=where,
        order=order,
        limit="$2",
        returning="id, ended_at, expires_at, idle_expires_at",
        into=Purged,
    )


PURGE_TOKENS_OF_EXPIRED: Final = _purge_tokens(_EXPIRED, "expires_at")
PURGE_EXPIRED: Final = _purge_sessions(_EXPIRED, "expires_at")
PURGE_TOKENS_OF_ENDED: Final = _purge_tokens(_ENDED, "ended_at")
PURGE_ENDED: Final = _purge_sessions(_ENDED, "ended_at")

_STALE: Final = """
    SELECT id, identity_id FROM ostiary.sessions WHERE last_used_at <= $1 AND ended_at IS NULL
     ORDER BY last_used_at LIMIT $2"""
# Locked, so that a session that is refreshed in this moment is either seen as used or ended after it was.
LOCK_STALE = Query(postgresql=f"{_STALE} FOR UPDATE SKIP LOCKED", sqlite=_STALE, into=Owned)

# Spent tokens in the order they were issued, from an id on: $1 that id, $2 the first id that was issued too late to
# have been spent by $3, $4 how many to look at. Those of the window that are unspent stay; the next window begins
# behind it.
SPENT_WINDOW_ENDS = Query(
    """
    SELECT id FROM ostiary.refresh_tokens WHERE id > $1 AND id < $2 ORDER BY id LIMIT 1 OFFSET $3
    """,
    into=UUID,
)
PURGE_SPENT: Query[Any] = Query(
    "DELETE FROM ostiary.refresh_tokens WHERE id > $1 AND id <= $2 AND consumed_at <= $3"
)

FIGURES = Query(
    f"""
    SELECT count(*) AS total,
           count(*) FILTER (WHERE ended_at IS NULL AND expires_at > $1 AND idle_expires_at > $1
                           AND NOT EXISTS {_ALL_ENDED}) AS active,
           count(*) FILTER (WHERE last_used_at > $2) AS recent
      FROM ostiary.sessions AS session
    """,
    into=SessionFigures,
)
