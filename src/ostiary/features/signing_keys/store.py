"""All SQL about signing keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ostiary.features.signing_keys.model import KeyRecord
from ostiary.foundation.storage import Query


@dataclass(frozen=True, slots=True, repr=False)
class SealedKey(KeyRecord):
    """A stored key with its private key, sealed."""

    private_key: bytes


# Whoever changes keys is alone; readers are not kept waiting. On SQLite a transaction is alone as it is.
LOCK: Query[Any] = Query(
    postgresql="LOCK TABLE ostiary.signing_keys IN SHARE ROW EXCLUSIVE MODE",
    sqlite="SELECT 1",
)

PUBLISHED = Query(
    """
    SELECT kid, algorithm, state, created_at, activates_at, retires_at, private_key
      FROM ostiary.signing_keys WHERE state <> 'retired' ORDER BY kid
    """,
    into=SealedKey,
)

ALL = Query(
    """
    SELECT kid, algorithm, state, created_at, activates_at, retires_at
      FROM ostiary.signing_keys ORDER BY activates_at, kid
    """,
    into=KeyRecord,
)

ONE = Query(
    """
    SELECT kid, algorithm, state, created_at, activates_at, retires_at
      FROM ostiary.signing_keys WHERE kid = $1
    """,
    into=KeyRecord,
)

ADD: Query[Any] = Query(
    """
    INSERT INTO ostiary.signing_keys (kid, algorithm, public_jwk, private_key, state, created_at, activates_at)
    VALUES ($1, $2, $3, $4, 'next', $5, $6)
    """
)

# What is retired stays so: its private key is gone.
MOVE: Query[Any] = Query(
    """
    UPDATE ostiary.signing_keys
       SET state = $2, retires_at = $3, private_key = CASE WHEN $2 = 'retired' THEN NULL ELSE private_key END
     WHERE kid = $1 AND state <> 'retired'
    """
)

BRING_FORWARD: Query[Any] = Query(
    "UPDATE ostiary.signing_keys SET activates_at = $2 WHERE kid = $1 AND state = 'next'"
)
