"""Revocations: what makes access tokens dead early.

A revocation is a row before it is acknowledged, and every worker keeps the live ones in memory. Entries combine by
maximum, and one that is repeated gets a new place in the feed, so whoever follows it is told again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ostiary.foundation.storage import Query, bounded_delete
from ostiary.verifier import Revocation, RevocationKind, RevocationSet

if TYPE_CHECKING:
    from uuid import UUID

    from ostiary.foundation.storage import Database, Transaction

# A refresh that overlaps the revoking transaction may still mint a token after `now`: storage ends transactions
# after five seconds, and verifiers allow a minute of clock difference.
_MARGIN: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One revocation as stored; `is_settled` says that no smaller `seq` can still appear."""

    seq: int
    kind: RevocationKind
    subject: str
    min_epoch: int | None
    not_before: datetime | None
    expires_at: datetime
    is_settled: bool

    def entry(self) -> Revocation:
        """Return the part verifiers need."""
        return Revocation(
            seq=self.seq,
            kind=self.kind,
            subject=self.subject,
            min_epoch=self.min_epoch,
            not_before=self.not_before,
            expires_at=self.expires_at,
        )


# $1 kind, $2 subject, $3 whose it is, $4 min_epoch, $5 not_before, $6 expires_at, $7 reason, $8 revoked_by. The
# moment is the database's, because the feed's overlap is measured by it; nothing is decided by it.
ADD = Query(
    postgresql="""
    INSERT INTO ostiary.revocations AS known
           (seq, kind, subject, identity_id, min_epoch, not_before, expires_at, reason, revoked_by, revoked_at)
    VALUES (nextval('ostiary.revocation_seq'), $1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())
    ON CONFLICT (kind, subject) DO UPDATE
       SET seq = excluded.seq, min_epoch = greatest(known.min_epoch, excluded.min_epoch),
           not_before = greatest(known.not_before, excluded.not_before),
           expires_at = greatest(known.expires_at, excluded.expires_at),
           reason = excluded.reason, revoked_by = excluded.revoked_by, revoked_at = excluded.revoked_at
    RETURNING seq, kind, subject, min_epoch, not_before, expires_at, FALSE AS is_settled
    """,
    sqlite="""
    INSERT INTO ostiary.revocations AS known
           (seq, kind, subject, identity_id, min_epoch, not_before, expires_at, reason, revoked_by, revoked_at)
    VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM ostiary.revocations), $1, $2, $3, $4, $5, $6, $7, $8,
            CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))
    ON CONFLICT (kind, subject) DO UPDATE
       SET seq = excluded.seq,
           min_epoch = max(coalesce(known.min_epoch, excluded.min_epoch), coalesce(excluded.min_epoch, known.min_epoch)),
           not_before = max(coalesce(known.not_before, excluded.not_before),
                            coalesce(excluded.not_before, known.not_before)),
           expires_at = max(known.expires_at, excluded.expires_at),
           reason = excluded.reason, revoked_by = excluded.revoked_by, revoked_at = excluded.revoked_at
    RETURNING seq, kind, subject, min_epoch, not_before, expires_at, FALSE AS is_settled
    """,
    into=FeedRow,
)

# Sequence numbers are drawn before the commit, so a smaller one may appear after a larger one. Only Ostiary's own
# transactions write here, and none outlives five seconds: what is thirty seconds old has no predecessor to come.
AFTER = Query(
    postgresql="""
    SELECT seq, kind, subject, min_epoch, not_before, expires_at,
           revoked_at < clock_timestamp() - interval '30 seconds' AS is_settled
      FROM ostiary.revocations WHERE seq > $1 AND expires_at > $2 ORDER BY seq
    """,
    sqlite="""
    SELECT seq, kind, subject, min_epoch, not_before, expires_at,
           revoked_at < CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) - 30000000 AS is_settled
      FROM ostiary.revocations WHERE seq > $1 AND expires_at > $2 ORDER BY seq
    """,
    into=FeedRow,
)

# The newest row stays whatever its age: on SQLite the next number is the largest plus one, and a number that was
# given before would be passed over by whoever reads on from it. The few rows that end everything stay, too: their
# expiry follows from the lifetimes that were set when they were made, and sessions may have been given longer ones.
PURGE: Query[Any] = bounded_delete(
    "revocations",
    key="seq",
    where="expires_at <= $1 AND kind <> 'all' AND seq < (SELECT max(seq) FROM ostiary.revocations)",
    order="expires_at",
    limit="$2",
)


@dataclass(frozen=True, slots=True)
class RevocationFigures:
    """How many revocations there are, and how many of them still end a token."""

    total: int
    active: int
    expired: int


FIGURES = Query(
    """
    SELECT count(*) AS total, count(*) FILTER (WHERE expires_at > $1) AS active,
           count(*) FILTER (WHERE expires_at <= $1) AS expired
      FROM ostiary.revocations
    """,
    into=RevocationFigures,
)


class Revocations:
    """Writes revocations, and keeps this worker's set of the live ones, `live`, up to date."""

    def __init__(self, database: Database, live: RevocationSet, *, access_lifetime: timedelta) -> None:
        self._database = database
        self._access_lifetime = access_lifetime
        self._settled_through = 0
        self.live: Final = live

    async def end_token(
        self, tx: Transaction, token_id: str, *, of: UUID, reason: str, by: str | None, now: datetime
    ) -> None:
        """Kill one access token."""
        await self._add(tx, RevocationKind.TOKEN, token_id, of, None, reason, by, now)

    async def end_session(
        self, tx: Transaction, session_id: str, *, of: UUID, reason: str, by: str | None, now: datetime
    ) -> None:
        """Kill every access token of the session `ses_…`."""
        await self._add(tx, RevocationKind.SESSION, session_id, of, None, reason, by, now)

    async def end_epochs_below(
        self,
        tx: Transaction,
        identity_id: str,
        *,
        of: UUID,
        epoch: int,
        reason: str,
        by: str | None,
        now: datetime,
    ) -> None:
        """Kill every access token of the identity `idn_…` that carries a smaller epoch."""
        await self._add(tx, RevocationKind.IDENTITY, identity_id, of, epoch, reason, by, now)

    async def catch_up(self, *, now: datetime) -> None:
        """Read what was revoked since, with an overlap, and note how fresh the set now is."""
        rows = await self._database.fetch_all(AFTER, self._settled_through, now)
        self.live.apply(row.entry() for row in rows)
        self.live.confirm(now)
        self._settled_through = max(
            (row.seq for row in rows if row.is_settled), default=self._settled_through
        )

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` revocations whose every token was dead by itself by then; return how many."""
        return await tx.execute(PURGE, expired_by, limit)

    async def figures(self, tx: Transaction, *, now: datetime) -> RevocationFigures:
        """Count the revocations."""
        return await tx.fetch_one(FIGURES, now) or RevocationFigures(0, 0, 0)

    async def _add(
        self,
        tx: Transaction,
        kind: RevocationKind,
        subject: str,
        of: UUID,
        min_epoch: int | None,
        reason: str,
        by: str | None,
        now: datetime,
    ) -> None:
        expires_at = now + self._access_lifetime + _MARGIN
        row = await tx.fetch_one(ADD, kind, subject, of, min_epoch, None, expires_at, reason, by)
        if row is not None:
            tx.on_commit(partial(self.live.apply, [row.entry()]))
