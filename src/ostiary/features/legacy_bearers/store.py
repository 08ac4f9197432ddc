"""All SQL about legacy bearers."""

from __future__ import annotations

from typing import Any, Final

from ostiary.features.legacy_bearers.model import Bearer
from ostiary.foundation.storage import Query, bounded_delete

_CONSUME: Final = """
    UPDATE ostiary.legacy_bearers SET consumed_at = $3
     WHERE digest IN ($1, $2) AND consumed_at IS NULL AND expires_at > $3"""
_ANSWER: Final = "RETURNING identity_id, session_id, challenge_id"

CONSUME = Query(
    # The row count decides the race. The identity is locked first, as whoever changes an account locks it before all that
    # belongs to it.
    postgresql=f"""
    WITH owner AS MATERIALIZED (
        SELECT identity.id FROM ostiary.identities AS identity
         WHERE identity.id IN (SELECT identity_id FROM ostiary.legacy_bearers WHERE digest IN ($1, $2))
         ORDER BY identity.id FOR UPDATE
    )
    {_CONSUME} AND identity_id IN (SELECT owner.id FROM owner) {_ANSWER}
    """,
    sqlite=f"{_CONSUME} {_ANSWER}",
    into=Bearer,
)

PURGE: Query[Any] = bounded_delete(
    "legacy_bearers", key="digest", where="expires_at <= $1", order="expires_at", limit="$2"
)
