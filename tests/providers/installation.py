"""An installation as its operator runs it: `ostiary serve`, told of providers by its environment."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
from tests.faults.harness.workers import environment_of
from tests.providers.browser import Browser
from tests.providers.node import answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE = 60.0
PASSWORD = "a long phrase that only tests know"


class Installation:
    """One server at a port of loopback, and what somebody does with it."""

    def __init__(self, folder: Path, port: int, database_url: str, **settings: str) -> None:
        # Another site than the providers at 127.0.0.1, as in real life.
        self.address = f"http://localhost:{port}"
        self._folder, self._port = folder, port
        told = {"PUBLIC_URL": self.address, "OUTBOUND__ALLOWED_NETWORKS": "127.0.0.0/8", **settings}
        self._environment = environment_of(folder, database_url, **told)
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        path = self._folder / "server.log"
        with path.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ostiary", "serve", "--port", str(self._port)],
                env=self._environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        if not answers(self._process, f"{self.address}/readyz"):
            raise AssertionError(f"It did not start: {path.read_text()}")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE)

    def service(self, *scopes: str) -> httpx2.Client:
        """Make a service's credential by the command line, and return a client that presents it."""
        options = [word for scope in scopes for word in ("--scope", scope)]
        made = subprocess.run(
            [sys.executable, "-m", "ostiary", "service", "create", "backend", *options, "--json"],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return httpx2.Client(
            base_url=self.address,
            headers={"Authorization": f"Bearer {json.loads(made.stdout)['credential']}"},
            timeout=_PATIENCE,
        )

    def start_url(self, provider: str) -> str:
        """The address that sends a browser to a provider, and to the account's own data afterwards."""
        return f"{self.address}/v1/providers/{provider}/start?return_to=/v1/me"

    def callback(self, provider: str) -> str:
        """The address that browsers come back to."""
        return f"{self.address}/v1/providers/{provider}/callback"


class Person:
    """Somebody with one browser, and the session she has in it: in its cookies, or with tokens for a password."""

    def __init__(self, installation: Installation) -> None:
        self.browser = Browser()
        self._address = installation.address
        self._tokens: dict = {}
        self.identity: dict = {}

    def ask(self, method: str, path: str, body: dict | None = None) -> httpx2.Response:
        """Make a request as a page of the application does."""
        headers = {"Origin": self._address}
        if self._tokens:
            headers["Authorization"] = f"Bearer {self._tokens['access_token']}"
        return self.browser.client.request(method, self._address + path, json=body, headers=headers)

    def register(self, name: str) -> None:
        """Make an account with a password."""
        body = {"email": f"{name}@example.org", "password": PASSWORD}
        made = self.ask("POST", "/v1/register", body).raise_for_status().json()
        self._tokens, self.identity = made["tokens"], made["identity"]

    def is_signed_in(self) -> bool:
        """Whether the session is live."""
        return self.ask("GET", "/v1/me").is_success


@contextmanager
def installed(folder: Path, port: int, database_url: str, **settings: str) -> Iterator[Installation]:
    """Run an installation while the block lasts."""
    installation = Installation(folder, port, database_url, **settings)
    installation.start()
    try:
        yield installation
    finally:
        installation.stop()
