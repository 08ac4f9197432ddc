"""Rate limits: so many of one kind of thing, from one source, in one stretch of time.

Counting and deciding are one atomic step. The SQL-backed counters guard what can be guessed or sent and are shared
by every worker; the counters in memory guard what only costs work. With Redis those are shared, too: the stricter of both
counts, so whatever happens to Redis opens nothing (F06).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final, Protocol

from ostiary.foundation.crypto import associated_data, mac
from ostiary.foundation.storage import Query, bounded_delete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.foundation.cache import SharedCache
    from ostiary.foundation.storage import Database, Transaction

_REMEMBERED: Final = 10_000
_PREFIX_KEPT: Final = (1 << 128) - (1 << 64)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any one window of `per`."""

    count: int
    per: timedelta


@dataclass(frozen=True, slots=True)
class Window:
    """A counter and when it begins anew."""

    count: int
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit of `subject` on the limit `name`."""

    name: str
    subject: str
    rate: Rate


class Limits(Protocol):
    """Counts hits: in SQL, in memory, or in memory and Redis."""

    async def hit(self, name: str, subject: str, rate: Rate, *, now: datetime) -> timedelta | None:
        """Count one hit of `subject` on the limit `name`; return how long to wait if that is one too many."""


@dataclass(frozen=True, slots=True)
class CountedWindow:
    """A counter that was just hit."""

    key: bytes
    count: int
    ends_at: datetime


def _hits(number: int) -> Query[CountedWindow]:
    """Build the statement that hits so many counters; $1 is now, then come the keys and ends of new windows."""
    rows = ", ".join(f"(${2 * place}, 1, ${2 * place + 1})" for place in range(1, number + 1))
    return Query(
        f"""
        INSERT INTO ostiary.rate_limits AS counter (key, count, window_ends_at) VALUES {rows}
        ON CONFLICT (key) DO UPDATE
           SET count = CASE WHEN counter.window_ends_at <= $1 THEN 1 ELSE counter.count + 1 END,
               window_ends_at = CASE WHEN counter.window_ends_at <= $1 THEN excluded.window_ends_at
                                     ELSE counter.window_ends_at END
        RETURNING key, count, window_ends_at AS ends_at
        """,
        into=CountedWindow,
    )


HIT: Final = _hits(1)
HIT_FOUR: Final = _hits(4)
_STATEMENTS: Final = {1: HIT, 4: HIT_FOUR}


PURGE: Query[Any] = bounded_delete(
    "rate_limits", key="key", where="window_ends_at <= $1", order="window_ends_at", limit="$2"
)


async def purge_windows(tx: Transaction, *, ended_by: datetime, limit: int) -> int:
    """Delete counters whose window is over, which count for nothing any more; return how many."""
    return await tx.execute(PURGE, ended_by, limit)


class SqlLimits:
    """Counters in the database; the subject is stored as a keyed digest."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key

    async def hit(self, name: str, subject: str, rate: Rate, *, now: datetime) -> timedelta | None:
        """Count one hit by one statement."""
        return await self.hit_all((Hit(name, subject, rate),), now=now)

    async def hit_all(self, hits: Sequence[Hit], *, now: datetime) -> timedelta | None:
        """Count one or four hits on different limits by one statement; return the longest wait if any is too many."""
        rates = {mac(self._key, associated_data(hit.name, hit.subject)): hit.rate for hit in hits}
        # In one order everywhere: of two that hit the same counters, neither waits for the other in turn.
        parameters = [part for key in sorted(rates) for part in (key, now + rates[key].per)]
        windows = await self._database.fetch_all(_STATEMENTS[len(rates)], now, *parameters)
        waits = (_wait(Window(found.count, found.ends_at), rates[found.key], now) for found in windows)
        return max((wait for wait in waits if wait is not None), default=None)


class MemoryLimits:
    """Counters of this worker; when too many subjects are remembered, all are forgotten."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, ...], Window] = {}

    async def hit(self, name: str, subject: str, rate: Rate, *, now: datetime) -> timedelta | None:
        """Count one hit without I/O."""
        window = self.count((name, subject), ends_at=now + rate.per, now=now)
        return _wait(window, rate, now)

    def count(self, key: tuple[str, ...], *, ends_at: datetime, now: datetime) -> Window:
        """Count one hit in the running window, or in a new one that ends at `ends_at`."""
        window = self._windows.get(key)
        if window is None or window.ends_at <= now:
            window = Window(0, ends_at)
        window = Window(window.count + 1, window.ends_at)
        if len(self._windows) >= _REMEMBERED:
            self._windows.clear()
        self._windows[key] = window
        return window

    def raise_to(self, key: tuple[str, ...], window: Window) -> None:
        """Take over a larger count of the same window."""
        known = self._windows.get(key)
        if known is None or known.count < window.count:
            self._windows[key] = window


class SharedLimits:
    """Counters of this worker and, where Redis answers, of all workers together.

    The shared windows begin at the same moments everywhere. Each worker remembers the largest count it has heard of, and
    raises a smaller one in Redis to it: a flush or an old copy opens nothing that was closed here.
    """

    def __init__(self, cache: SharedCache) -> None:
        self._cache = cache
        self._alone = MemoryLimits()
        self._together = MemoryLimits()

    async def hit(self, name: str, subject: str, rate: Rate, *, now: datetime) -> timedelta | None:
        """Count one hit here and in Redis; refuse it if either count does."""
        alone = await self._alone.hit(name, subject, rate, now=now)
        number = (now - _EPOCH) // rate.per
        ends_at = _EPOCH + (number + 1) * rate.per
        key = (name, subject, str(number))
        known = self._together.count(key, ends_at=ends_at, now=now)
        counted = await self._cache.count("rate limit", *key, at_least=known.count, keep=rate.per)
        if counted is not None and counted > known.count:
            known = Window(counted, ends_at)
            self._together.raise_to(key, known)
        together = _wait(known, rate, now)
        return max((wait for wait in (alone, together) if wait is not None), default=None)


@lru_cache(maxsize=4096)
def source_of(address: str | None) -> str:
    """Return whom a limit by address counts: an IPv4 address, or a whole IPv6 /64, which one household or host owns.

    What is no address is one and the same source, so garbage can only share a budget, never escape one (ABU-05).
    """
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) & _PREFIX_KEPT)}/64"
    return str(parsed)


def _wait(window: Window, rate: Rate, now: datetime) -> timedelta | None:
    return None if window.count <= rate.count else window.ends_at - now
