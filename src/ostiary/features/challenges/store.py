"""All SQL about challenges."""

from __future__ import annotations

from typing import Any, Final

from ostiary.features.challenges.model import Challenge, Consumed
from ostiary.foundation.storage import Query, bounded_delete


def _issue(live_one: str) -> Query[Any]:
    # The live row there may be is taken over, so of two that are issued at once the later one holds, and none fails.
    return Query(
        f"""
        INSERT INTO ostiary.challenges
               (id, identity_id, purpose, destination, format, secret_digest, attempts, max_attempts, created_at,
                expires_at)
        VALUES ($1, $2, $3, $4, 'link', $5, 0, 1, $6, $7)
        ON CONFLICT {live_one}
        DO UPDATE SET id = excluded.id, secret_digest = excluded.secret_digest, created_at = excluded.created_at,
                      expires_at = excluded.expires_at
        """
    )


ISSUE_TO_IDENTITY: Final = _issue("(identity_id, purpose, destination) WHERE consumed_at IS NULL")
ISSUE_TO_NOBODY: Final = _issue("(purpose, destination) WHERE consumed_at IS NULL AND identity_id IS NULL")

CANCEL: Query[Any] = Query("DELETE FROM ostiary.challenges WHERE identity_id = $1 AND consumed_at IS NULL")

# The end of everything stands before every challenge that was issued earlier: after a backup was restored, one that
# had been used up since must not be good again.
_ALL_ENDED: Final = """(
    SELECT 1 FROM ostiary.revocations AS everything
     WHERE everything.kind = 'all' AND everything.subject = 'sessions'
       AND everything.not_before > challenges.created_at)"""

CONSUME = Query(
    # The row count decides the race: sixteen callers with the same secret get one success.
    f"""
    UPDATE ostiary.challenges AS challenges SET consumed_at = $4
     WHERE id = $1 AND secret_digest = $2 AND purpose = $3 AND consumed_at IS NULL AND expires_at > $4
       AND NOT EXISTS {_ALL_ENDED}
    RETURNING id, identity_id, destination
    """,
    into=Consumed,
)

FIND_ACTIVE = Query(
    f"""
    SELECT id, identity_id, purpose, destination, created_at, expires_at FROM ostiary.challenges AS challenges
     WHERE identity_id = $1 AND purpose = $2 AND consumed_at IS NULL AND expires_at > $3
       AND NOT EXISTS {_ALL_ENDED}
     ORDER BY id
    """,
    into=Challenge,
)

PURGE: Query[Any] = bounded_delete(
    "challenges", key="id", where="expires_at <= $1", order="expires_at", limit="$2"
)
