"""All SQL about challenges."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ostiary.features.challenges.model import Challenge, Consumed, Purpose
from ostiary.foundation.storage import Query, bounded_delete

FIRST_ID: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Live:
    """What a challenge is for, and until when."""

    purpose: Purpose
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess at a code: whether it was right, and what the code stands for."""

    right: bool
    id: UUID
    identity_id: UUID | None
    entity_type: str
    destination: str
    flow_id: UUID | None
    created_at: datetime
    payload: bytes | None = field(repr=False)

    def consumed(self) -> Consumed:
        """Return the code that was used up."""
        return Consumed(
            self.id,
            self.identity_id,
            self.entity_type,
            self.destination,
            self.flow_id,
            self.created_at,
            self.payload,
        )


def _issue(live_one: str) -> Query[Any]:
    # The live row there may be is taken over, so of two that are issued at once the later one holds, and none fails.
    return Query(
        f"""
        INSERT INTO ostiary.challenges
               (id, identity_id, entity_type, destination, purpose, format, secret_digest, max_attempts,
                payload_sealed, flow_id, created_at, expires_at, attempts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0)
        ON CONFLICT {live_one}
        DO UPDATE SET id = excluded.id, format = excluded.format, secret_digest = excluded.secret_digest,
                      max_attempts = excluded.max_attempts, payload_sealed = excluded.payload_sealed,
                      flow_id = excluded.flow_id, created_at = excluded.created_at,
                      expires_at = excluded.expires_at, attempts = 0
        """
    )


ISSUE_TO_IDENTITY: Final = _issue("(identity_id, purpose, destination) WHERE consumed_at IS NULL")
ISSUE_TO_NOBODY: Final = _issue(
    "(purpose, entity_type, destination) WHERE consumed_at IS NULL AND identity_id IS NULL"
)

DESTINATIONS = Query("SELECT DISTINCT destination FROM ostiary.challenges WHERE identity_id = $1", into=str)

CANCEL: Query[Any] = Query(
    """
    DELETE FROM ostiary.challenges
     WHERE identity_id = $1 AND consumed_at IS NULL
       AND purpose NOT IN ('undo_address_change', 'undo_factor_reset', 'undo_deletion')
    """
)

WITHDRAW_FROM: Query[Any] = Query(
    postgresql="""
    DELETE FROM ostiary.challenges
     WHERE identity_id = $1 AND jsonb_exists($2::jsonb, purpose) AND consumed_at IS NULL
       AND ($3::timestamptz IS NULL OR created_at >= $3)
    """,
    sqlite="""
    DELETE FROM ostiary.challenges
     WHERE identity_id = $1 AND purpose IN (SELECT value FROM json_each($2)) AND consumed_at IS NULL
       AND ($3 IS NULL OR created_at >= $3)
    """,
)

# The end of everything stands before every challenge that was issued earlier: after a backup was restored, one that
# had been used up since must not be good again.
_ALL_ENDED: Final = """(
    SELECT 1 FROM ostiary.revocations AS everything
     WHERE everything.kind = 'all' AND everything.subject = 'sessions'
       AND everything.not_before > challenges.created_at)"""

_CONSUMED: Final = "id, identity_id, entity_type, destination, flow_id, created_at, payload_sealed AS payload"
_CHALLENGE: Final = "id, identity_id, purpose, entity_type, destination, format, created_at, expires_at"


def _owner_locked(owner: str) -> str:
    """Begin a statement of PostgreSQL's with the lock of an identity.

    Whoever changes an account locks the identity first and its challenges later. Whoever used a challenge first and the
    account later would wait for them, and they for it.
    """
    return f"""
    WITH owner AS MATERIALIZED (
        SELECT identity.id FROM ostiary.identities AS identity WHERE identity.id = {owner} FOR UPDATE
    )"""


_CONSUME: Final = f"""
    UPDATE ostiary.challenges AS challenges SET consumed_at = $4
     WHERE id = $1 AND secret_digest = $2 AND purpose = $3 AND format = 'link' AND consumed_at IS NULL
       AND expires_at > $4 AND NOT EXISTS {_ALL_ENDED}"""
_OWNER: Final = "(SELECT identity_id FROM ostiary.challenges WHERE id = $1 AND secret_digest = $2)"

CONSUME = Query(
    # The row count decides the race: sixteen callers with the same secret get one success.
    postgresql=f"""
    {_owner_locked(_OWNER)}
    {_CONSUME} AND (identity_id IS NULL OR identity_id IN (SELECT owner.id FROM owner))
    RETURNING {_CONSUMED}
    """,
    sqlite=f"{_CONSUME} RETURNING {_CONSUMED}",
    into=Consumed,
)


# $1 the challenge, $2 its owner, $3 the digest of its new secret, $4 the moment, $5 when it ends at the latest.
REISSUE = Query(
    f"""
    UPDATE ostiary.challenges AS challenges
       SET secret_digest = $3, expires_at = CASE WHEN expires_at < $5 THEN expires_at ELSE $5 END
     WHERE id = $1 AND identity_id = $2 AND format = 'link' AND consumed_at IS NULL AND expires_at > $4
       AND NOT EXISTS {_ALL_ENDED}
    RETURNING purpose, expires_at
    """,
    into=Live,
)


def _guess(whose: str, *, digest: str, now: str, owner: str | None = None) -> Query[Guess]:
    # Counting the guess and using the code up are one step, so neither can happen without the other. What was right is
    # said by comparing again: of a STRICT table SQLite 3.40 answers that a column is NOT NULL which has just become NULL
    # by a CASE, and a wrong code was right.
    guess = f"""
        UPDATE ostiary.challenges AS challenges
           SET attempts = attempts + 1, consumed_at = CASE WHEN secret_digest = {digest} THEN {now} END
         WHERE {whose} AND format = 'code' AND consumed_at IS NULL
           AND expires_at > {now} AND attempts < max_attempts AND NOT EXISTS {_ALL_ENDED}"""
    answer = f"RETURNING secret_digest = {digest} AS right, {_CONSUMED}"
    if owner is None:
        return Query(f"{guess} {answer}", into=Guess)
    locked = _owner_locked(f"{owner}::uuid")
    return Query(
        postgresql=f"{locked} {guess} AND identity_id IN (SELECT owner.id FROM owner) {answer}",
        sqlite=f"{guess} {answer}",
        into=Guess,
    )


GUESS: Final = _guess(
    "identity_id = $1 AND purpose = $2 AND destination = $3", digest="$4", now="$5", owner="$1"
)
# A code of a flow that is nobody's yet has the flow's own id.
GUESS_OF_FLOW: Final = _guess(
    "id = $1 AND flow_id = $1 AND identity_id IS NULL AND purpose = $2", digest="$3", now="$4"
)

FIND_ACTIVE = Query(
    f"""
    SELECT {_CHALLENGE} FROM ostiary.challenges AS challenges
     WHERE identity_id = $1 AND purpose = $2 AND consumed_at IS NULL AND expires_at > $3
       AND NOT EXISTS {_ALL_ENDED}
     ORDER BY id
    """,
    into=Challenge,
)

LIST_OPEN = Query(
    f"""
    SELECT {_CHALLENGE} FROM ostiary.challenges AS challenges
     WHERE purpose = $1 AND identity_id IS NULL AND consumed_at IS NULL AND expires_at > $2 AND id > $3
       AND NOT EXISTS {_ALL_ENDED}
     ORDER BY id LIMIT $4
    """,
    into=Challenge,
)

WITHDRAW: Query[Any] = Query(
    """
    DELETE FROM ostiary.challenges
     WHERE id = $1 AND purpose = $2 AND identity_id IS NULL AND consumed_at IS NULL
    """
)

PURGE: Query[Any] = bounded_delete(
    "challenges", key="id", where="expires_at <= $1", order="expires_at", limit="$2"
)
