"""Revocations: what makes access tokens dead early.

A revocation is a row before it is acknowledged, and every worker keeps the live ones in memory. Entries combine by
maximum, and one that is repeated gets a new place in the feed, so whoever follows it is told again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.sessions.feed import Cursor, FeedRow, Page
from ostiary.foundation.storage import Query, bounded_delete
from ostiary.verifier import Revocation, RevocationKind, RevocationSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from ostiary.features.identities import Raised
    from ostiary.foundation.storage import Database, Transaction
    from ostiary.verifier import Principal

# A refresh that overlaps the revoking transaction may still mint a token after `now`: storage ends transactions
# after five seconds, and verifiers allow a minute of clock difference.
_MARGIN: Final = timedelta(minutes=2)


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

# Many identities at once: $1 lists subject and epoch of each, $2 their ids, one after another.
_TAKEN_OVER: Final = """
    ON CONFLICT (kind, subject) DO UPDATE
       SET seq = excluded.seq, min_epoch = excluded.min_epoch, expires_at = {larger}(known.expires_at, excluded.expires_at),
           reason = excluded.reason, revoked_by = excluded.revoked_by, revoked_at = excluded.revoked_at
    RETURNING seq, kind, subject, min_epoch, not_before, expires_at, FALSE AS is_settled"""
ADD_MANY = Query(
    # Epochs only grow, and whoever raises one has locked its identity.
    postgresql=f"""
    INSERT INTO ostiary.revocations AS known
           (seq, kind, subject, identity_id, min_epoch, expires_at, reason, revoked_by, revoked_at)
    SELECT nextval('ostiary.revocation_seq'), 'identity', given.entry ->> 0,
           encode(substring($2::bytea FROM (16 * given.number - 15)::int FOR 16), 'hex')::uuid,
           (given.entry ->> 1)::int, $3, $4, $5, clock_timestamp()
      FROM jsonb_array_elements($1) WITH ORDINALITY AS given(entry, number)
    {_TAKEN_OVER.format(larger="greatest")}
    """,
    sqlite=f"""
    INSERT INTO ostiary.revocations AS known
           (seq, kind, subject, identity_id, min_epoch, expires_at, reason, revoked_by, revoked_at)
    SELECT (SELECT coalesce(max(seq), 0) FROM ostiary.revocations) + 1 + given.key, 'identity', json_extract(given.value, '$[0]'),
           substr($2, 16 * given.key + 1, 16), json_extract(given.value, '$[1]'), $3, $4, $5,
           CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
      FROM json_each($1) AS given WHERE TRUE
    {_TAKEN_OVER.format(larger="max")}
    """,
    into=FeedRow,
)

# Sequence numbers are drawn before the commit, so a smaller one may appear after a larger one. Only Ostiary's own
# transactions write here, and none outlives five seconds: what is thirty seconds old has no predecessor to come.
_NEWS: Final = "seq, kind, subject, min_epoch, not_before, expires_at"
_SETTLED_POSTGRESQL: Final = "revoked_at < clock_timestamp() - interval '30 seconds' AS is_settled"
_SETTLED_SQLITE: Final = (
    "revoked_at < CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) - 30000000 AS is_settled"
)

AFTER = Query(
    postgresql=f"""
    SELECT {_NEWS}, {_SETTLED_POSTGRESQL} FROM ostiary.revocations WHERE seq > $1 AND expires_at > $2 ORDER BY seq LIMIT $3
    """,
    sqlite=f"""
    SELECT {_NEWS}, {_SETTLED_SQLITE} FROM ostiary.revocations WHERE seq > $1 AND expires_at > $2 ORDER BY seq LIMIT $3
    """,
    into=FeedRow,
)

UNSETTLED = Query(
    """
    SELECT CAST(coalesce(sum(seq), 0) AS bigint) FROM ostiary.revocations WHERE seq > $1 AND expires_at > $2
    """,
    into=int,
)

CONCERNING = Query(
    f"""
    SELECT {_NEWS}, FALSE AS is_settled FROM ostiary.revocations
     WHERE (kind = 'token' AND subject = $1) OR (kind = 'session' AND subject = $2)
        OR (kind = 'identity' AND subject = $3) OR (kind = 'client' AND subject = $4) OR kind = 'all'
    """,
    into=FeedRow,
)

_AT_ONCE: Final = 10_000
_TO_SESSIONS: Final = "sessions"
_TO_ACCESS_TOKENS: Final = "access_tokens"


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

    def __init__(
        self,
        database: Database,
        live: RevocationSet,
        *,
        access_lifetime: timedelta,
        refresh_lifetime: timedelta = timedelta(days=30),
    ) -> None:
        self._database = database
        self._access_lifetime = access_lifetime
        self._refresh_lifetime = refresh_lifetime
        self._cursor = Cursor()
        self._news = asyncio.Event()
        self.is_closing = False
        self.live: Final = live
        self.on_commit: Callable[[Revocation], None] | None = None
        """Told of every revocation this worker has committed, so that it can tell the others."""

    async def end_token(
        self, tx: Transaction, token_id: str, *, of: UUID, reason: str, by: str | None, now: datetime
    ) -> None:
        """Kill one access token."""
        await self._add(tx, RevocationKind.TOKEN, token_id, of, self._mark(now), reason, by)

    async def end_session(
        self, tx: Transaction, session_id: str, *, of: UUID, reason: str, by: str | None, now: datetime
    ) -> None:
        """Kill every access token of the session `ses_…`."""
        await self._add(tx, RevocationKind.SESSION, session_id, of, self._mark(now), reason, by)

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
        mark = replace(self._mark(now), min_epoch=epoch)
        await self._add(tx, RevocationKind.IDENTITY, identity_id, of, mark, reason, by)

    async def end_epochs(
        self, tx: Transaction, raised: Sequence[Raised], *, reason: str, by: str | None, now: datetime
    ) -> None:
        """Kill every access token of these identities that carries a smaller epoch, by one statement."""
        if not raised:
            return
        marks = [[identity.external_id, identity.epoch] for identity in raised]
        ids = b"".join(identity.id.bytes for identity in raised)
        for row in await tx.fetch_all(ADD_MANY, marks, ids, self._mark(now).expires_at, reason, by):
            tx.on_commit(partial(self._committed, row.entry()))

    async def end_everything(
        self, tx: Transaction, *, sessions: bool, reason: str, by: str | None, now: datetime
    ) -> datetime:
        """Kill every access token issued before the next full second, and with `sessions` every session too.

        Tokens say when they were issued in whole seconds (RFC 7519 §2), so the mark is the second that follows; it is
        returned.
        """
        not_before = now.replace(microsecond=0) + timedelta(seconds=1)
        mark = replace(self._mark(now), not_before=not_before)
        if sessions:
            # It also stands before refresh tokens, for as long as the oldest of them could live.
            mark = replace(mark, expires_at=now + self._refresh_lifetime + _MARGIN)
        subject = _TO_SESSIONS if sessions else _TO_ACCESS_TOKENS
        await self._add(tx, RevocationKind.ALL, subject, None, mark, reason, by)
        return not_before

    async def catch_up(self, *, now: datetime) -> None:
        """Read what was revoked since, with an overlap, and note how fresh the set now is."""
        before, as_of = self._cursor, self.live.as_of
        more = True
        while more:
            page = await self.page(self._cursor, limit=_AT_ONCE, now=now)
            self.live.apply(page.entries)
            self._cursor, more = page.cursor, page.more
        # Unless a reading that began later was faster.
        if self.live.as_of is as_of:
            self.live.confirm(now)
        if self._cursor != before:
            self._wake()

    async def page(self, after: Cursor, *, limit: int, now: datetime) -> Page:
        """Read on in the feed: at most `limit` entries.

        From the settled part on when the last reading was complete, from where it stopped when there was more. The
        same cursor and no entries come back while there is no news.
        """
        if after.position == 0 and after.settled + after.unsettled > 0:
            unsettled = await self._database.fetch_one(UNSETTLED, after.settled, now)
            if unsettled == after.unsettled:
                return Page([], after, more=False)
        rows = await self._database.fetch_all(AFTER, after.position or after.settled, now, limit + 1)
        cursor = after if after.position else Cursor(after.settled)
        for row in rows[:limit]:
            cursor = cursor.after(row)
        more = len(rows) > limit
        return Page(
            [row.entry() for row in rows[:limit]], cursor if more else replace(cursor, position=0), more=more
        )

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` revocations whose every token was dead by itself by then; return how many."""
        return await tx.execute(PURGE, expired_by, limit)

    async def figures(self, tx: Transaction, *, now: datetime) -> RevocationFigures:
        """Count the revocations."""
        return await tx.fetch_one(FIGURES, now) or RevocationFigures(0, 0, 0)

    def heard(self, entries: Sequence[Revocation]) -> None:
        """Take in what another worker says it has committed."""
        self.live.apply(entries)
        self._wake()

    def news(self) -> asyncio.Event:
        """Return what is set as soon as something may have been revoked."""
        return self._news

    async def wait_for(self, news: asyncio.Event, within: timedelta) -> None:
        """Wait for news, but not longer than `within`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await news.wait()

    def close(self) -> None:
        """Let nobody wait any longer: this worker is about to end."""
        self.is_closing = True
        self._wake()

    async def ask(self, principal: Principal) -> RevocationKind | None:
        """Ask the database whether a token is dead, when this worker's set is too old to know.

        Raises `Unavailable`.
        """
        rows = await self._database.fetch_all(
            CONCERNING,
            principal.token_id,
            principal.session_id,
            principal.identity_id,
            principal.client_id,
        )
        self.live.apply([row.entry() for row in rows])
        return self.live.refusal(principal)

    def _mark(self, now: datetime) -> _Mark:
        return _Mark(now + self._access_lifetime + _MARGIN)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _committed(self, entry: Revocation) -> None:
        self.heard([entry])
        if self.on_commit is not None:
            self.on_commit(entry)

    async def _add(
        self,
        tx: Transaction,
        kind: RevocationKind,
        subject: str,
        of: UUID | None,
        mark: _Mark,
        reason: str,
        by: str | None,
    ) -> None:
        row = await tx.fetch_one(
            ADD, kind, subject, of, mark.min_epoch, mark.not_before, mark.expires_at, reason, by
        )
        if row is not None:
            tx.on_commit(partial(self._committed, row.entry()))


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a revocation ends, and until when that matters."""

    expires_at: datetime
    min_epoch: int | None = None
    not_before: datetime | None = None
