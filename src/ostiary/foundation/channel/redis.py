"""Publish and subscribe, through Redis."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ostiary.foundation.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME: Final = "ostiary"
_ANSWER_LIMIT: Final = timedelta(seconds=3)
_ECHO: Final = ""
_DRIVER_ERRORS: Final = (RedisError, OSError, TimeoutError)


class RedisChannel:
    """The channel of everybody who uses one Redis database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis: Any = None
        self._listening: Any = None

    async def open(self) -> None:
        """Connect, subscribe, and wait for a message of our own. Raises `Unavailable`."""
        await self.close()
        limit = _ANSWER_LIMIT.total_seconds()
        try:
            async with asyncio.timeout(limit):
                self._redis = Redis.from_url(self._url, decode_responses=True, socket_timeout=limit)
                self._listening = self._redis.pubsub(ignore_subscribe_messages=True)
                await self._listening.subscribe(_NAME)
                await self._redis.publish(_NAME, _ECHO)
                while await self._next(limit) != _ECHO:
                    continue
        except _DRIVER_ERRORS:
            await self.close()
            raise _gone() from None

    async def receive(self, within: timedelta) -> Sequence[str] | None:
        """Wait for messages; see `Channel`."""
        if self._listening is None:
            raise _gone()
        try:
            messages = []
            message = await self._next(within.total_seconds())
            while message is not None:
                messages.append(message)
                message = await self._next(0)
            if not messages:
                async with asyncio.timeout(_ANSWER_LIMIT.total_seconds()):
                    await self._listening.ping()
                    await self._redis.ping()
                return None
        except _DRIVER_ERRORS:
            await self.close()
            raise _gone() from None
        return [message for message in messages if message]

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

    async def _next(self, seconds: float) -> str | None:
        found = await self._listening.get_message(timeout=seconds)
        return None if found is None or found["type"] != "message" else str(found["data"])


def _gone() -> Unavailable:
    return Unavailable("Redis, which carries messages between workers, cannot be reached.")
