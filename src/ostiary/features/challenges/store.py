"""All SQL about challenges."""

from __future__ import annotations

from typing import Any

from ostiary.features.challenges.model import Challenge, Consumed
from ostiary.foundation.storage import Query

SUPERSEDE: Query[Any] = Query(
    """
    UPDATE ostiary.challenges SET consumed_at = $4
     WHERE purpose = $1 AND destination = $2 AND consumed_at IS NULL
       AND (identity_id = $3 OR (identity_id IS NULL AND CAST($3 AS uuid) IS NULL))
    """
)

INSERT: Query[Any] = Query(
    """
    INSERT INTO ostiary.challenges
           (id, identity_id, purpose, destination, format, secret_digest, attempts, max_attempts, created_at, expires_at)
    VALUES ($1, $2, $3, $4, 'link', $5, 0, 1, $6, $7)
    """
)

CONSUME = Query(
    # The row count decides the race: sixteen callers with the same secret get one success.
    """
    UPDATE ostiary.challenges SET consumed_at = $4
     WHERE id = $1 AND secret_digest = $2 AND purpose = $3 AND consumed_at IS NULL AND expires_at > $4
    RETURNING id, identity_id, destination
    """,
    into=Consumed,
)

FIND_ACTIVE = Query(
    """
    SELECT id, identity_id, purpose, destination, created_at, expires_at FROM ostiary.challenges
     WHERE identity_id = $1 AND purpose = $2 AND consumed_at IS NULL AND expires_at > $3
     ORDER BY id
    """,
    into=Challenge,
)
