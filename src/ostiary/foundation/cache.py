"""What workers share through Redis and may lose at any moment: counters, and sealed copies of what the database holds.

Nothing is decided by it alone. Redis has fifty milliseconds to answer; after a failure it is left alone for a second,
and everybody goes on as if there were none. It never sees an address, an id or a readable value: keys are keyed
digests, values are sealed to their place.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ostiary.foundation.crypto import CannotOpen, associated_data, derive_key, mac, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from uuid import UUID

    from ostiary.foundation.entropy import Entropy

T = TypeVar("T")

_ANSWER_LIMIT: Final = timedelta(milliseconds=50)
_LEFT_ALONE: Final = timedelta(seconds=1)
_DRIVER_ERRORS: Final = (RedisError, OSError, TimeoutError)
# A counter that is smaller than what the asking worker knows was lost, or is an old copy: it is made good at once.
_COUNT: Final = """
local count = redis.call('INCR', KEYS[1])
if count < tonumber(ARGV[1]) then
    count = tonumber(ARGV[1])
    redis.call('SET', KEYS[1], count)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return count
"""


class _Copy(msgspec.Struct, Generic[T], array_like=True):
    """A value and until when it may be believed, by the clock of whoever asks."""

    good_until: datetime
    value: T


class SharedCache:
    """The part of one Redis that belongs to one installation. Calls never raise what Redis does wrong."""

    def __init__(self, url: str, key: bytes, entropy: Entropy) -> None:
        # A driver that tries again in silence would make everybody wait for longer than they have time.
        self._redis: Redis = Redis.from_url(url, protocol=2, retry=Retry(NoBackoff(), 0))
        self._naming_key = derive_key(key, "cache names")
        self._sealing_key = derive_key(key, "cache values")
        self._entropy = entropy
        self._left_alone_until = float("-inf")
        self._forgetting: set[asyncio.Task[None]] = set()

    async def count(self, *place: str | UUID | int, at_least: int, keep: timedelta) -> int | None:
        """Count one more at a place, up to `at_least` if there are fewer; None if Redis does not say how many.

        The counter is kept for so long after it was last used.
        """
        counted = await self._ask(
            self._redis.eval, _COUNT, 1, self._name(place), at_least, _milliseconds(keep)
        )
        return counted if isinstance(counted, int) else None

    async def find(self, *place: str | UUID | int, into: type[T], now: datetime) -> T | None:
        """Return the copy kept at a place, None if there is none that opens there and is good at `now`."""
        sealed = await self._ask(self._redis.get, self._name(place))
        if not isinstance(sealed, bytes):
            return None
        with suppress(CannotOpen, msgspec.MsgspecError):
            plain = unseal(self._sealing_key, sealed, associated_data(*place))
            copy = msgspec.msgpack.decode(plain, type=_Copy[into])  # type: ignore[valid-type]
            if now < copy.good_until:
                return copy.value
        return None

    async def keep(self, *place: str | UUID | int, value: object, good_for: timedelta, now: datetime) -> None:
        """Keep a copy at a place for some time."""
        plain = msgspec.msgpack.encode(_Copy(now + good_for, value))
        sealed = seal(self._sealing_key, plain, associated_data(*place), entropy=self._entropy)
        await self._ask(self._redis.set, self._name(place), sealed, px=_milliseconds(good_for))

    def forget(self, *place: str | UUID | int) -> None:
        """Drop the copy at a place soon, without making anybody wait for it."""
        task = asyncio.get_running_loop().create_task(self._drop(self._name(place)))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    async def close(self) -> None:
        """Drop what is to be dropped, and disconnect."""
        await asyncio.gather(*self._forgetting)
        with suppress(*_DRIVER_ERRORS):
            await self._redis.aclose()

    async def _drop(self, name: bytes) -> None:
        await self._ask(self._redis.delete, name)

    async def _ask(self, command: Any, *arguments: object, **options: object) -> object:
        """Give Redis one command, if it has answered lately; None if it does not answer this one."""
        if monotonic() < self._left_alone_until:
            return None
        try:
            async with asyncio.timeout(_ANSWER_LIMIT.total_seconds()):
                answer: Awaitable[object] = command(*arguments, **options)
                return await answer
        except _DRIVER_ERRORS:
            self._left_alone_until = monotonic() + _LEFT_ALONE.total_seconds()
            return None

    def _name(self, place: tuple[str | UUID | int, ...]) -> bytes:
        return b"ostiary:" + mac(self._naming_key, associated_data(*place))


def _milliseconds(duration: timedelta) -> int:
    return max(1, duration // timedelta(milliseconds=1))
