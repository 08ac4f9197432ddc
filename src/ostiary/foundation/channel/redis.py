"""Publish and subscribe, through Redis."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ostiary.foundation.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME: Final = "ostiary"
_ANSWER_LIMIT: Final = timedelta(seconds=3)
_ECHO: Final = ""
_DRIVER_ERRORS: Final = (RedisError, OSError, TimeoutError)


class RedisChannel:
    """The channel of everybody who uses one Redis server, whatever the number of the database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis: Any = None
        self._listening: Any = None

    async def open(self) -> None:
        """Connect, subscribe, and wait for a message of our own. Raises `Unavailable`."""
        await self.close()
        limit = _ANSWER_LIMIT.total_seconds()
        # Whoever listens begins anew after a failure; a driver that did so in silence would miss messages.
        no_retry = Retry(NoBackoff(), 0)
        try:
            async with asyncio.timeout(limit):
                # In the newer protocol the driver does not recognise the answer to a subscriber's PING.
                self._redis = Redis.from_url(self._url, decode_responses=True, protocol=2, retry=no_retry)
                self._listening = self._redis.pubsub(ignore_subscribe_messages=True)
                await self._listening.subscribe(_NAME)
                await self._redis.publish(_NAME, _ECHO)
                while await self._event(limit) != ("message", _ECHO):
                    continue
        except _DRIVER_ERRORS:
            await self.close()
            raise _gone() from None

    async def receive(self, within: timedelta) -> Sequence[str] | None:
        """Wait for messages; see `Channel`."""
        if self._listening is None:
            raise _gone()
        try:
            messages = await self._messages(within) or await self._ask()
        except _DRIVER_ERRORS:
            await self.close()
            raise _gone() from None
        return None if messages is None else [message for message in messages if message]

    async def send(self, message: str) -> None:
        """Tell everybody who listens."""
        if self._redis is None:
            raise _gone()
        try:
            async with asyncio.timeout(_ANSWER_LIMIT.total_seconds()):
                await self._redis.publish(_NAME, message)
        except _DRIVER_ERRORS:
            raise _gone() from None

    async def close(self) -> None:
        """Disconnect."""
        listening, self._listening = self._listening, None
        redis, self._redis = self._redis, None
        with suppress(*_DRIVER_ERRORS):
            if listening is not None:
                await listening.aclose()
            if redis is not None:
                await redis.aclose()

    async def _messages(self, within: timedelta) -> list[str]:
        """Return the first message within that time and all that came with it; none if there was none."""
        ends_at = monotonic() + within.total_seconds()
        messages: list[str] = []
        while (left := 0 if messages else ends_at - monotonic()) >= 0:
            event = await self._event(left)
            if event is None:
                break
            if event[0] == "message":
                messages.append(event[1])
        return messages

    async def _ask(self) -> list[str] | None:
        """Make sure that a silent connection is alive: a half-open one would be silent for ever."""
        async with asyncio.timeout(_ANSWER_LIMIT.total_seconds()):
            await self._listening.ping()
            while (event := await self._event(_ANSWER_LIMIT.total_seconds())) is None or event[0] != "pong":
                if event is not None and event[0] == "message":
                    # The answer to the question comes later, and is read as a sign of life then.
                    return [event[1]]
        return None

    async def _event(self, seconds: float) -> tuple[str, str] | None:
        found = await self._listening.get_message(timeout=seconds)
        return None if found is None else (str(found["type"]), str(found["data"]))


def _gone() -> Unavailable:
    return Unavailable("Redis, which carries messages between workers, cannot be reached.")
