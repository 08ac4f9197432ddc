"""All SQL about flows at providers, and about the logout tokens that came from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ostiary.features.upstream.model import Intent
from ostiary.foundation.storage import Query, bounded_delete


@dataclass(frozen=True, slots=True)
class UsedFlow:
    """A flow that was just used up, as its row has it."""

    intent: Intent
    entity_type: str
    identity_id: UUID | None
    session_id: UUID | None
    browser_digest: bytes | None = field(repr=False)
    sealed: bytes | None = field(repr=False)
    return_to: str | None
    created_at: datetime


BEGIN: Query[Any] = Query(
    """
    INSERT INTO ostiary.upstream_flows
           (id, provider, intent, entity_type, identity_id, session_id, secret_digest, browser_digest, sealed,
            return_to, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    """
)

USE_UP = Query(
    # Single use is won here; a flow is good at the provider it was begun at alone (FED-03, FED-05).
    """
    UPDATE ostiary.upstream_flows SET consumed_at = $4
     WHERE id = $1 AND secret_digest = $2 AND provider = $3 AND consumed_at IS NULL AND expires_at > $4
       AND intent <> 'nonce'
    RETURNING intent, entity_type, identity_id, session_id, browser_digest, sealed, return_to, created_at
    """,
    into=UsedFlow,
)

USE_UP_NONCE = Query(
    """
    UPDATE ostiary.upstream_flows SET consumed_at = $4
     WHERE id = $1 AND secret_digest = $2 AND provider = $3 AND consumed_at IS NULL AND expires_at > $4
       AND intent = 'nonce'
    RETURNING id
    """,
    into=UUID,
)

USE_UP_TOKEN: Query[Any] = Query(
    # A token that can have no nonce is its own: the id is drawn from it, so that the second one finds the first.
    """
    INSERT INTO ostiary.upstream_flows (id, provider, intent, secret_digest, created_at, expires_at, consumed_at)
    VALUES ($1, $2, 'nonce', $3, $4, $5, $4)
    ON CONFLICT (id) DO NOTHING
    """
)

HEED: Query[Any] = Query(
    """
    INSERT INTO ostiary.received_logouts (provider, token_id, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (provider, token_id) DO NOTHING
    """
)

PURGE_FLOWS: Query[Any] = bounded_delete(
    "upstream_flows", key="id", where="expires_at <= $1", order="expires_at", limit="$2"
)

PURGE_HEEDED: Query[Any] = Query(
    # The key has two columns, so rows are chosen by where they lie.
    postgresql="""
    DELETE FROM ostiary.received_logouts WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ostiary.received_logouts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
           FOR UPDATE SKIP LOCKED))
    """,
    sqlite="""
    DELETE FROM ostiary.received_logouts WHERE rowid IN (
        SELECT rowid FROM ostiary.received_logouts WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
    """,
)
