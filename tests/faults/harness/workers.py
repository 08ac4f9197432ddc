"""Worker processes of a run: real `ostiary serve` on loopback, each with a pid of its own to be killed by."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT: Final = Path(__file__).parents[3]
_PATIENCE: Final = 60.0
_BACKLOG_OF_ATTEMPTS: Final = 0.05


class NotReady(RuntimeError):
    """A worker did not become ready in time."""


class Worker:
    """One worker at one port; it may be started, killed and started again."""

    def __init__(self, index: int, port: int, folder: Path, environment: Mapping[str, str]) -> None:
        self.index = index
        self.port = port
        self.address = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._environment = {**environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / f"worker-{index}.log"

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it wrote, over all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self, *options: str) -> None:
        """Start the process. With `options`, it is the harness's own launcher, which takes them."""
        module = ("tests.faults.harness.launcher", *options) if options else ("ostiary", "serve", "--json")
        self._spawn([sys.executable, "-m", *module, "--port", str(self.port)])

    def _spawn(self, command: Sequence[str]) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def started(self, *options: str) -> None:
        """Start it and wait until it is ready for requests, starting it again if it gave up meanwhile."""
        self.start(*options)
        await self.ready(*options)

    async def ready(self, *options: str) -> None:
        """Wait until it is ready for requests. Raises `NotReady`."""
        until = time.monotonic() + _PATIENCE
        async with httpx2.AsyncClient(base_url=self.address, timeout=10) as client:
            while time.monotonic() < until:
                if not self.is_running:
                    self.start(*options)
                with suppress(httpx2.TransportError):
                    if (await client.get("/readyz")).status_code == httpx2.codes.OK:
                        return
                await asyncio.sleep(_BACKLOG_OF_ATTEMPTS)
        raise NotReady(f"Worker {self.index} did not become ready. It wrote:\n{self.log[-4000:]}")

    async def kill(self) -> None:
        """End it as `kill -9` does."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """Ask it to end, and return its exit code. Raises `subprocess.TimeoutExpired`."""
        return await self._end(signal.SIGTERM)

    async def death(self) -> None:
        """Wait until it has ended by itself."""
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    async def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        return await asyncio.to_thread(self._process.wait, 30)


async def command(folder: Path, environment: Mapping[str, str], *arguments: str) -> bool:
    """Run `ostiary …` as an operator would; return whether it succeeded."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "ostiary", *arguments),
        cwd=folder,
        env={**environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait() == 0


def environment_of(folder: Path, database_url: str, **settings: str) -> dict[str, str]:
    """Return the environment of the workers of one installation; `settings` are written without their prefix."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")}
    ours = {
        "DATA": str(folder),
        "DATABASE_URL": database_url,
        "DATABASE_POOL_SIZE": "5",
        "PUBLIC_URL": "http://127.0.0.1:8000",
        # Each client of the workload has an address of its own, as behind a proxy.
        "TRUSTED_PROXIES": "127.0.0.1",
        "PASSWORDS__WEAK_HASH_FOR_TESTS": "true",
        "PASSWORDS__MEMORY_KIB": "8",
        "PASSWORDS__TIME_COST": "1",
    } | settings
    paths = [str(_ROOT / "src"), str(_ROOT), *filter(None, [inherited.get("PYTHONPATH")])]
    return (
        inherited
        | {"PYTHONPATH": os.pathsep.join(paths)}
        | {f"OSTIARY_{name}": value for name, value in ours.items()}
    )
