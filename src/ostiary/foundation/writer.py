"""Which of the servers a URL names is asked: the one that takes writes, and never another.

A standby answers with what it has replayed so far, so it would take a token for good whose revocation is still on its
way. Connecting is the only moment this costs anything; libpq calls the same choice `target_session_attrs=read-write`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from ostiary.foundation.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the driver raises when a server is away, refuses, or answers out of turn."""


class Writer:
    """The server that takes writes, among those of a URL (`postgresql://user@first,second/name`).

    Every server has an equal part of `within` to answer, so that one that is silent leaves time to ask the others;
    the one that answered last is asked first.
    """

    def __init__(self, url: str, *, within: timedelta) -> None:
        self._urls = [*_one_by_one(url)]
        self._part = within.total_seconds() / len(self._urls)

    async def connect(self, *_: Any, **options: Any) -> asyncpg.Connection[Any]:
        """Connect; the options are asyncpg's, and the URL that its pool hands over is none.

        Raises `Unavailable` if servers answer and none takes writes, otherwise one of `FAILURES`.
        """
        failures: list[Exception] = []
        for url in [*self._urls]:
            try:
                async with asyncio.timeout(self._part):
                    connection: asyncpg.Connection[Any] = await asyncpg.connect(
                        url, target_session_attrs=SessionAttribute.read_write, **options
                    )
            except FAILURES as failure:
                failures.append(failure)
            else:
                self._urls.remove(url)
                self._urls.insert(0, url)
                return connection
        for reason in failures:
            if not isinstance(reason, asyncpg.TargetServerAttributeNotMatched):
                raise reason
        raise Unavailable(
            "The database takes no writes: every server its URL names is a standby or read-only. Name the primary in "
            "the URL, beside the others, or wait until one of them is promoted."
        )


def is_writer(connection: Any) -> bool:
    """Say whether the server of a connection takes writes, as far as its last answer said; no round trip."""
    # Servers from 14 on report a change of either with their next answer; behind a pooler they may be missing.
    reported = connection.get_settings()
    return "on" not in {
        getattr(reported, "default_transaction_read_only", "off"),
        getattr(reported, "in_hot_standby", "off"),
    }


def _one_by_one(url: str) -> Iterator[str]:
    """Split a URL of several servers into a URL of each: named by `first,second:5433`, or by `?host=first,second`."""
    parts = urlsplit(url)
    user, at, servers = parts.netloc.rpartition("@")
    if servers:
        for server in servers.split(","):
            yield parts._replace(netloc=f"{user}{at}{server}").geturl()
        return
    options = dict(parse_qsl(parts.query))
    hosts = options.get("host", "").split(",")
    ports = options.get("port", "").split(",")
    for number, host in enumerate(hosts):
        port = ports[number] if len(ports) == len(hosts) else ports[0]
        own = options | {name: value for name, value in (("host", host), ("port", port)) if value}
        yield parts._replace(query=urlencode(own)).geturl()
