"""The tasks of an installation: what is removed when, and what must be made in time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.features.maintenance import store
from ostiary.features.maintenance.schedule import Task, daily, weekly
from ostiary.foundation.limits import purge_windows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.challenges import Challenges
    from ostiary.features.identities import Identities
    from ostiary.features.maintenance.lease import Lease
    from ostiary.features.maintenance.model import Retention
    from ostiary.features.outbox import Messages
    from ostiary.features.passkeys import Passkeys
    from ostiary.features.sessions import SessionUpkeep
    from ostiary.foundation.storage import Transaction

    Work = Callable[[Lease], Awaitable[None]]
    Purge = Callable[[Lease, Transaction], Awaitable[int]]

_DAILY: Final = daily(hour=2)
_WEEKLY: Final = weekly(hour=3)
# An event goes with its whole month, a key certainly after it.
_MONTHS: Final = timedelta(days=62)


def standard_tasks(
    retention: Retention,
    *,
    sessions: SessionUpkeep,
    challenges: Challenges,
    passkeys: Passkeys,
    identities: Identities,
    audit: Audit,
    messages: Messages,
) -> tuple[Task, ...]:
    """Return every task of this release, in the order they are run in."""
    return (
        # First of all: whatever is recorded from now on must have somewhere to go.
        Task(
            "partitions",
            "Make the records' partitions of the next three months (PostgreSQL).",
            _DAILY,
            _once(lambda lease, tx: _nothing_removed(audit.add_months(tx, now=lease.now))),
        ),
        Task(
            "revocations",
            "Remove revocations whose every token has expired.",
            _DAILY,
            _until_none(
                lambda lease, tx: sessions.revocations.purge(tx, expired_by=lease.now, limit=lease.batch_size)
            ),
            "until the last token they end has expired",
        ),
        Task(
            "sessions",
            "Remove sessions that are over, after their history is written.",
            _DAILY,
            _until_none(
                lambda lease, tx: sessions.purge(
                    tx,
                    expired_by=lease.now - retention.sessions,
                    ended_by=lease.now - retention.ended_sessions,
                    limit=lease.batch_size,
                )
            ),
            f"{_days(retention.sessions)} after they expired, {_days(retention.ended_sessions)} after they ended",
        ),
        Task(
            "refresh-tokens",
            "Remove refresh tokens that were spent.",
            _DAILY,
            partial(_spent_tokens, sessions, retention.refresh_tokens),
            f"{_days(retention.refresh_tokens)} after they were spent",
        ),
        Task(
            "challenges",
            "Remove links and codes that have expired.",
            _DAILY,
            _until_none(
                lambda lease, tx: challenges.purge(
                    tx, expired_by=lease.now - retention.challenges, limit=lease.batch_size
                )
            ),
            f"{_days(retention.challenges)} after they expired",
        ),
        Task(
            "ceremonies",
            "Remove challenges of passkeys that have expired.",
            _DAILY,
            _until_none(
                lambda lease, tx: passkeys.purge(
                    tx, expired_by=lease.now - retention.challenges, limit=lease.batch_size
                )
            ),
            f"{_days(retention.challenges)} after they expired",
        ),
        Task(
            "rate-limits",
            "Remove counters whose window is over.",
            _DAILY,
            _until_none(lambda lease, tx: purge_windows(tx, ended_by=lease.now, limit=lease.batch_size)),
            "until their window is over",
        ),
        Task(
            "unknown-identifiers",
            "Forget guesses at addresses nobody holds.",
            _DAILY,
            _until_none(
                lambda lease, tx: identities.purge_unknown(
                    tx, expired_by=lease.now - retention.unknown_identifiers, limit=lease.batch_size
                )
            ),
            f"{_days(retention.unknown_identifiers)} after their counter expired",
        ),
        Task(
            "audit",
            "Remove old audit events: whole months on PostgreSQL, batches on SQLite.",
            _DAILY,
            _until_none(
                lambda lease, tx: audit.purge_events(
                    tx, before=lease.now - retention.records, limit=lease.batch_size
                )
            ),
            _days(retention.records),
        ),
        Task(
            "audit-keys",
            "Remove the keys of personal data in audit events that are gone.",
            _DAILY,
            _until_none(
                lambda lease, tx: audit.personal_data.purge(
                    tx, created_by=lease.now - retention.records - _MONTHS, limit=lease.batch_size
                )
            ),
            _days(retention.records + _MONTHS),
        ),
        Task(
            "login-history",
            "Remove old login history: whole months on PostgreSQL, batches on SQLite.",
            _DAILY,
            _until_none(
                lambda lease, tx: audit.purge_logins(
                    tx, before=lease.now - retention.records, limit=lease.batch_size
                )
            ),
            _days(retention.records),
        ),
        Task(
            "messages",
            "Remove messages that were delivered, and those that could not be.",
            _DAILY,
            _until_none(
                lambda lease, tx: messages.purge(
                    tx,
                    delivered_by=lease.now - retention.delivered_messages,
                    failed_by=lease.now - retention.dead_messages,
                    limit=lease.batch_size,
                )
            ),
            f"{_days(retention.delivered_messages)} after they were delivered, "
            f"{_days(retention.dead_messages)} after they died",
        ),
        Task(
            "runs",
            "Remove old lines about maintenance itself.",
            _DAILY,
            _until_none(
                lambda lease, tx: tx.execute(store.PURGE, lease.now - retention.runs, lease.batch_size)
            ),
            _days(retention.runs),
        ),
        Task(
            "stale-sessions",
            "End sessions that were not used for long, and with them their tokens.",
            _WEEKLY,
            _until_none(
                lambda lease, tx: sessions.end_stale(
                    tx,
                    unused_since=lease.now - retention.stale_sessions,
                    limit=lease.batch_size,
                    now=lease.now,
                )
            ),
            f"{_days(retention.stale_sessions)} after they were last used",
        ),
    )


def purge_task(
    name: str, summary: str, kept: timedelta, purge: Callable[[Transaction, datetime, int], Awaitable[int]]
) -> Task:
    """Return the daily task that deletes what was over by `kept` ago, in batches.

    `purge(tx, over_by, limit)` deletes up to `limit` rows and returns how many.
    """
    work = _until_none(lambda lease, tx: purge(tx, lease.now - kept, lease.batch_size))
    return Task(name, summary, _DAILY, work, f"{_days(kept)} after that")


def _once(purge: Purge) -> Work:
    async def work(lease: Lease) -> None:
        await lease.batch(partial(purge, lease))

    return work


def _until_none(purge: Purge) -> Work:
    """Repeat a batch until it finds nothing; what becomes old meanwhile waits for the next run."""

    async def work(lease: Lease) -> None:
        while await lease.batch(partial(purge, lease)):
            pass

    return work


async def _nothing_removed(making: Awaitable[int]) -> int:
    await making
    return 0


async def _spent_tokens(sessions: SessionUpkeep, kept: timedelta, lease: Lease) -> None:
    """Walk once through the tokens that are old enough, from the oldest on."""
    after: UUID | None = None

    async def purge(tx: Transaction) -> int:
        nonlocal after
        removed, after = await sessions.purge_spent(
            tx, spent_by=lease.now - kept, after=after, limit=lease.batch_size
        )
        return removed

    await lease.batch(purge)
    while after is not None:
        await lease.batch(purge)


def _days(kept: timedelta) -> str:
    if not kept:
        return "no longer"
    return f"{kept.days} days" if kept % timedelta(days=1) == timedelta(0) else str(kept)
