"""All SQL about outgoing messages."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ostiary.features.outbox.model import (
    Addressed,
    Claimed,
    Endpoint,
    Entry,
    OutboxFigures,
    SigningEndpoint,
    Topic,
)
from ostiary.foundation.storage import Query, bounded_delete

ADD: Query[Any] = Query(
    """
    INSERT INTO ostiary.outbox
           (id, topic, subject, payload_sealed, recipient_digest, created_at, available_at, dedupe_key, expires_at,
            attempts)
    VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, 0)
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

DROP_OF_RECIPIENT: Query[Any] = Query("DELETE FROM ostiary.outbox WHERE recipient_digest = $1")

# What was delivered is kept for a while, too: that it was sent is known, what it said is not.
OF_RECIPIENT = Query(
    """
    SELECT topic, subject, created_at, delivered_at FROM ostiary.outbox
     WHERE recipient_digest = $1 ORDER BY created_at, id
    """,
    into=Addressed,
)

_UNSETTLED: Final = "delivered_at IS NULL AND failed_at IS NULL"

# One look for every topic: what waits for nothing but its turn. $1 now.
DUE_TOPICS = Query(
    f"""
    SELECT due.topic
      FROM (SELECT 'email' AS topic UNION ALL SELECT 'sms' UNION ALL SELECT 'event' UNION ALL SELECT 'webhook') AS due
     WHERE EXISTS (SELECT 1 FROM ostiary.outbox
                    WHERE topic = due.topic AND {_UNSETTLED} AND available_at <= $1)
    """,
    into=Topic,
)

# What is claimed is due again when the claim ends, so that a worker which dies leaves nothing behind.
# $1 the topic, $2 now, $3 the end of the claim, $4 at most so many.
_CHOSEN: Final = f"""
    SELECT id FROM ostiary.outbox WHERE topic = $1 AND {_UNSETTLED} AND available_at <= $2
     ORDER BY available_at LIMIT $4
"""
_CLAIM: Final = "UPDATE ostiary.outbox SET attempts = attempts + 1, claimed_until = $3, available_at = $3"
_CLAIMED: Final = (
    "id, topic, endpoint_id, subject, payload_sealed, attempts, created_at, expires_at, claimed_until"
)
CLAIM = Query(
    postgresql=f"{_CLAIM} WHERE id = ANY (ARRAY({_CHOSEN} FOR UPDATE SKIP LOCKED)) RETURNING {_CLAIMED}",
    sqlite=f"{_CLAIM} WHERE id IN ({_CHOSEN}) RETURNING {_CLAIMED}",
    into=Claimed,
)

# Taken is taken, whoever holds the claim by now. What it said is forgotten.
DELIVERED: Query[Any] = Query(
    """
    UPDATE ostiary.outbox
       SET delivered_at = $2, payload_sealed = NULL, claimed_until = NULL, failed_at = NULL, last_error = NULL
     WHERE id = $1 AND delivered_at IS NULL
    """
)

# $1 the message, $2 the claim, $3 when to try again, $4 why.
PUT_OFF: Query[Any] = Query(
    """
    UPDATE ostiary.outbox SET available_at = $3, claimed_until = NULL, last_error = $4
     WHERE id = $1 AND claimed_until = $2
    """
)

# A worker that ends gives back what it did not get done; that was no attempt.
GIVE_BACK: Query[Any] = Query(
    """
    UPDATE ostiary.outbox SET available_at = $3, claimed_until = NULL, attempts = attempts - 1
     WHERE id = $1 AND claimed_until = $2
    """
)

# $1 the message, $2 the claim, $3 now, $4 why. It can be sent by hand for as long as it says something.
FAILED: Query[Any] = Query(
    """
    UPDATE ostiary.outbox SET failed_at = $3, claimed_until = NULL, last_error = $4
     WHERE id = $1 AND claimed_until = $2
    """
)

EXPIRED: Query[Any] = Query(
    """
    UPDATE ostiary.outbox SET failed_at = $3, claimed_until = NULL, last_error = $4, payload_sealed = NULL
     WHERE id = $1 AND claimed_until = $2
    """
)

# An endpoint that does not answer is spared what else waits for it, so that it holds up nobody. $2 when to go on.
PUT_OFF_ENDPOINT: Query[Any] = Query(
    f"""
    UPDATE ostiary.outbox SET available_at = $2
     WHERE endpoint_id = $1 AND {_UNSETTLED} AND claimed_until IS NULL AND available_at < $2
    """
)

# What operators look at. $1 the state, $2 a topic or NULL, $3 the id to go on before, $4 at most so many.
_ENTRY: Final = "id, topic, subject, endpoint_id, created_at, available_at, expires_at, attempts, delivered_at, failed_at, last_error"
LIST = Query(
    f"""
    SELECT {_ENTRY} FROM ostiary.outbox
     WHERE ($1 = 'pending' AND {_UNSETTLED} OR $1 = 'delivered' AND delivered_at IS NOT NULL
            OR $1 = 'dead' AND failed_at IS NOT NULL)
       AND (CAST($2 AS text) IS NULL OR topic = $2) AND id < $3
     ORDER BY id DESC LIMIT $4
    """,
    into=Entry,
)

# $1 the message, $2 now. What waits goes at once; what is dead and still says something begins anew.
RETRY = Query(
    f"""
    UPDATE ostiary.outbox SET failed_at = NULL, attempts = 0, available_at = $2, claimed_until = NULL
     WHERE id = $1 AND delivered_at IS NULL AND payload_sealed IS NOT NULL
       AND (claimed_until IS NULL OR claimed_until <= $2)
    RETURNING {_ENTRY}
    """,
    into=Entry,
)

RETRY_DEAD = Query(
    """
    UPDATE ostiary.outbox SET failed_at = NULL, attempts = 0, available_at = $1
     WHERE failed_at IS NOT NULL AND payload_sealed IS NOT NULL AND (CAST($2 AS text) IS NULL OR topic = $2)
    RETURNING id
    """,
    into=UUID,
)

FIGURES = Query(
    f"""
    SELECT (SELECT count(*) FROM ostiary.outbox WHERE {_UNSETTLED}) AS pending,
           (SELECT count(*) FROM ostiary.outbox WHERE failed_at IS NOT NULL) AS dead,
           (SELECT min(created_at) FROM ostiary.outbox WHERE {_UNSETTLED}) AS oldest_pending_at
    """,
    into=OutboxFigures,
)

PURGE_DELIVERED: Query[Any] = bounded_delete(
    "outbox", key="id", where="delivered_at <= $1", order="delivered_at", limit="$2"
)
PURGE_DEAD: Query[Any] = bounded_delete(
    "outbox", key="id", where="failed_at <= $1", order="failed_at", limit="$2"
)


# Webhook endpoints.

_ENDPOINT: Final = "id, url, description, events, created_at, created_by, disabled_at"

ADD_ENDPOINT = Query(
    f"""
    INSERT INTO ostiary.webhook_endpoints (id, url, description, events, secret_sealed, created_at, created_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    RETURNING {_ENDPOINT}
    """,
    into=Endpoint,
)

ENDPOINTS = Query(f"SELECT {_ENDPOINT} FROM ostiary.webhook_endpoints ORDER BY id", into=Endpoint)
ENDPOINT = Query(f"SELECT {_ENDPOINT} FROM ostiary.webhook_endpoints WHERE id = $1", into=Endpoint)
SIGNING_ENDPOINT = Query(
    """
    SELECT id, url, secret_sealed, previous_secret_sealed, previous_expires_at, disabled_at
      FROM ostiary.webhook_endpoints WHERE id = $1
    """,
    into=SigningEndpoint,
)

# $1 the endpoint, $2 its new secret, $3 until when the one before signs as well.
ROTATE_SECRET = Query(
    f"""
    UPDATE ostiary.webhook_endpoints
       SET previous_secret_sealed = secret_sealed, previous_expires_at = $3, secret_sealed = $2
     WHERE id = $1
    RETURNING {_ENDPOINT}
    """,
    into=Endpoint,
)

# Both answer nothing if that is how it was.
DISABLE_ENDPOINT = Query(
    f"""
    UPDATE ostiary.webhook_endpoints SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL
    RETURNING {_ENDPOINT}
    """,
    into=Endpoint,
)
ENABLE_ENDPOINT = Query(
    f"""
    UPDATE ostiary.webhook_endpoints SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL
    RETURNING {_ENDPOINT}
    """,
    into=Endpoint,
)

REMOVE_ENDPOINT = Query(
    f"DELETE FROM ostiary.webhook_endpoints WHERE id = $1 RETURNING {_ENDPOINT}", into=Endpoint
)

# One message to one endpoint: an event that is taken apart twice is told once.
ADD_WEBHOOK: Query[Any] = Query(
    """
    INSERT INTO ostiary.outbox
           (id, topic, subject, endpoint_id, payload_sealed, dedupe_key, created_at, available_at, attempts)
    VALUES ($1, 'webhook', $2, $3, $4, $5, $6, $6, 0)
    ON CONFLICT (dedupe_key) DO NOTHING
    """
)
