"""All SQL about outgoing messages."""

from __future__ import annotations

from typing import Any

from ostiary.foundation.storage import Query

ADD: Query[Any] = Query(
    """
    INSERT INTO ostiary.outbox
           (id, topic, subject, payload_sealed, dedupe_key, created_at, available_at, expires_at, attempts)
    VALUES ($1, $2, $3, $4, $5, $6, $6, $7, 0)
    ON CONFLICT (dedupe_key) DO NOTHING
    """
)

ANNOUNCE: Query[Any] = Query(
    """
    INSERT INTO ostiary.outbox (id, topic, subject, payload_sealed, created_at, available_at, attempts)
    SELECT $1, $2, $3, $4, $5, $5, 0
     WHERE EXISTS (SELECT 1 FROM ostiary.webhook_endpoints WHERE disabled_at IS NULL)
    """
)
