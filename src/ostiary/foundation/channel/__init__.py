"""Channels: how processes that share a database tell one another at once what was committed.

A message is a hint and may be lost: whoever listens also reads the database from time to time. PostgreSQL carries
messages itself, Redis does where it is configured, and on SQLite listeners notice that the file changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

__all__ = ["Channel", "channel_at"]


class Channel(Protocol):
    """A place where processes hear each other. All calls raise `Unavailable` when it cannot be reached."""

    async def open(self) -> None:
        """Connect, and make sure that what is sent here is heard here."""

    async def receive(self, within: timedelta) -> Sequence[str] | None:
        """Wait for messages; none, but not None, means that something changed and nobody said what.

        Returns None when nothing happened `within` that time.
        """

    async def send(self, message: str) -> None:
        """Tell everybody who listens; a message is at most `LONGEST_MESSAGE` bytes long."""

    async def close(self) -> None:
        """Disconnect. May be called twice, and before `open`."""


LONGEST_MESSAGE = 7_900
"""PostgreSQL carries less than 8000 bytes."""


def channel_at(database_url: str, redis_url: str | None) -> Channel:
    """Return the channel of whoever uses this database, not yet open: Redis where there is one."""
    # Imported here because each driver costs start-up time that users of the others need not pay.
    if redis_url is not None:
        from ostiary.foundation.channel.redis import RedisChannel  # noqa: PLC0415 - see above

        return RedisChannel(redis_url)
    if database_url.startswith("sqlite:"):
        from ostiary.foundation.channel.sqlite import SQLiteChannel  # noqa: PLC0415 - see above

        return SQLiteChannel(database_url.removeprefix("sqlite:///"))
    from ostiary.foundation.channel.postgresql import PostgreSQLChannel  # noqa: PLC0415 - see above

    return PostgreSQLChannel(database_url)
