"""What is around the move: the market before and the market after, each a process of its own, and Ostiary's commands."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
PATIENCE = 60.0


class Application(ABC):
    """One of the two applications: a process at a port of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        command, environment = self._command(self._port)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=log, stderr=log
            )
        ends = time.monotonic() + PATIENCE
        # Who calls while nobody listens calls again.
        transport = httpx2.HTTPTransport(retries=10)
        with httpx2.Client(base_url=self.address, transport=transport, timeout=PATIENCE) as client:
            while time.monotonic() < ends and self._process.poll() is None:
                with suppress(httpx2.TransportError):
                    if client.get("/openapi.json").is_success:
                        return
        raise AssertionError(f"The market {self.name} did not start:\n" + self._log.read_text())

    def stop(self) -> None:
        """End it, when it has answered what it was asked."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=PATIENCE)
            self._process = None

    @abstractmethod
    def _command(self, port: int) -> tuple[Sequence[str], dict[str, str]]:
        """Return what to run, and its environment."""


class Before(Application):
    """The old application, which knows nothing of Ostiary."""

    def __init__(self, folder: Path, market: str) -> None:
        super().__init__("before", folder)
        self._market = market

    def _command(self, port: int) -> tuple[Sequence[str], dict[str, str]]:
        program = str(HERE / "before" / "market.py")
        return (program, "serve", "--database", self._market, "--port", str(port)), _environment()

    def fill(self, phrase: str, people: int) -> None:
        """Make its tables, and people in them."""
        program = str(HERE / "before" / "market.py")
        command = [sys.executable, program, "seed", "--phrase", phrase, "--people", str(people)]
        subprocess.run([*command, "--database", self._market], check=True, capture_output=True)


class After(Application):
    """The new application, with Ostiary in it, and the commands beside it."""

    def __init__(self, folder: Path, market: str, ostiary: str) -> None:
        super().__init__("after", folder)
        self._folder = folder
        self._settings = {
            "MARKET_DATABASE_URL": market,
            "OSTIARY_DATABASE_URL": ostiary,
            "OSTIARY_DATA": str(folder / "data"),
            "OSTIARY_LEGACY_SOURCE": market,
            "OSTIARY_PUBLIC_URL": f"{self.address}/auth",
            # The balancer in front of it says whom it speaks for.
            "OSTIARY_TRUSTED_PROXIES": "127.0.0.0/8",
        }

    def _command(self, port: int) -> tuple[Sequence[str], dict[str, str]]:
        del port  # it is in the public URL
        return (str(HERE / "app.py"),), _environment() | self._settings

    def command(self, *words: str, told: str = "") -> Any:
        """Run `ostiary legacy …` and return what it prints as JSON; `told` is what it reads."""
        ran = subprocess.run(
            [sys.executable, "-m", "ostiary", "legacy", *words, "--json"],
            env=_environment() | self._settings,
            cwd=self._folder,
            input=told,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if ran.returncode != 0:
            raise AssertionError(
                f"ostiary legacy {' '.join(words)} ended with {ran.returncode}: {ran.stdout}{ran.stderr}"
            )
        return json.loads(ran.stdout.splitlines()[-1])


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
