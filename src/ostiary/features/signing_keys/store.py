"""All SQL about signing keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ostiary.foundation.storage import Query


@dataclass(frozen=True, slots=True, repr=False)
class KeyRow:
    """One stored key; `private_key` is sealed."""

    kid: str
    algorithm: str
    private_key: bytes
    state: str


ALL = Query(
    "SELECT kid, algorithm, private_key, state FROM ostiary.signing_keys WHERE state <> 'retired' ORDER BY kid",
    into=KeyRow,
)

ADD_ACTIVE: Query[Any] = Query(
    # One key of an algorithm is active; of several workers that start together, one gets to add it.
    """
    INSERT INTO ostiary.signing_keys (kid, algorithm, public_jwk, private_key, state, created_at, activates_at)
    VALUES ($1, $2, $3, $4, 'active', $5, $5)
    ON CONFLICT DO NOTHING
    """
)
