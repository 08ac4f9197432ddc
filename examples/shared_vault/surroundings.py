"""What is around the demonstration: a server whose root keys lie in a file, its commands, browsers, and a service."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE = 30.0
_BETWEEN_READS = 0.05
_AT_ONCE = httpx2.Limits(max_keepalive_connections=0)
_FIELD = re.compile(r"<input name='(\w+)'")


class Server:
    """`ostiary serve` in a process of its own, and the other commands beside it, with the same settings."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        self._folder = folder
        self._keys = folder / "root.key"
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"http://localhost:{self._port}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")}
        self._environment = inherited | {
            "OSTIARY_DATABASE_URL": database_url,
            "OSTIARY_DATA": str(folder / "data"),
            "OSTIARY_PUBLIC_URL": self.address,
            "OSTIARY_OUTBOUND__ALLOWED_NETWORKS": "127.0.0.0/8",
            "OSTIARY_ROOT_KEYS_FILE": str(self._keys),
            **settings,
        }

    def hold(self, *root_keys: str) -> None:
        """Write the root keys, newest first, where the server reads them when it starts."""
        self.root_keys = root_keys
        self._keys.write_text(",".join(root_keys))
        self._keys.chmod(0o600)

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self._folder / "server.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ostiary", "serve", "--port", str(self._port)],
                env=self._environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        ends = time.monotonic() + _PATIENCE
        # Who calls while nobody listens calls again.
        transport = httpx2.HTTPTransport(retries=10)
        with httpx2.Client(base_url=self.address, transport=transport) as client:
            while time.monotonic() < ends and self._process.poll() is None:
                with suppress(httpx2.TransportError):
                    if client.get("/readyz").is_success:
                        return
        raise AssertionError("The server did not start:\n" + (self._folder / "server.log").read_text())

    def stop(self) -> None:
        """End it, when it has answered what it was asked."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=_PATIENCE)
            self._process = None

    def restart(self) -> None:
        """Let it read its settings and its root keys again."""
        self.stop()
        self.start()

    def command(self, *words: str) -> Any:
        """Run another command of Ostiary's and return what it prints as JSON."""
        ran = subprocess.run(
            [sys.executable, "-m", "ostiary", *words, "--json"],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if ran.returncode != 0:
            raise AssertionError(f"ostiary {' '.join(words)} ended with {ran.returncode}: {ran.stderr}")
        return json.loads(ran.stdout)


@contextmanager
def ostiary(folder: Path, database_url: str, **settings: str) -> Iterator[Server]:
    """Run a server with a first root key, and end it with the block."""
    server = Server(folder, database_url, **settings)
    server.hold(server.command("keys", "generate")["root_key"])
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Browser:
    """One of somebody's browsers; its session is in its cookies."""

    def __init__(self, address: str) -> None:
        # The origin, which a browser says of every form and request of a page.
        self._client = httpx2.Client(
            base_url=address, headers={"Origin": address}, follow_redirects=True, timeout=_PATIENCE
        )

    def sign_in(self, provider: str, name: str) -> dict[str, Any]:
        """Go to the provider, type a name in there, come back with a session, and go on to one's own data."""
        page = self._client.get(f"/v1/providers/{provider}/start", params={"return_to": "/v1/me"})
        (field,) = _FIELD.findall(page.text)
        answer = self._client.post(page.url, data={field: name})
        if answer.status_code != httpx2.codes.OK:
            # What came of it stands behind the #.
            raise AssertionError(f"Signing in ended with {answer.url.fragment or answer.text}")
        return answer.json()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Make a request as whoever is signed in here."""
        answer = self._client.request(method, path, json=body).raise_for_status()
        return answer.json() if answer.content else None

    def sign_out(self) -> None:
        """End the session of this browser."""
        self.ask("POST", "/v1/logout", {})


class Service:
    """A program that works for people at their provider, with tokens that it asks for each time it needs one."""

    def __init__(self, address: str, credential: str) -> None:
        # Who begins while the server is away waits for it.
        transport = httpx2.HTTPTransport(retries=6, limits=_AT_ONCE)
        headers = {"Authorization": f"Bearer {credential}"}
        self._client = httpx2.Client(
            base_url=address, transport=transport, headers=headers, timeout=_PATIENCE
        )

    def accounts(self, identity: str) -> list[dict[str, Any]]:
        """List what is linked to somebody, without tokens."""
        answer = self._client.get("/v1/vault/accounts", params={"identity": identity}).raise_for_status()
        return answer.json()["accounts"]

    def read(self, account: str) -> httpx2.Response:
        """Ask for an account's live token, and say why."""
        return self._client.post(f"/v1/vault/{account}/token", json={"reason": "the demonstration"})


class Reading:
    """A service that goes on reading one account's token in the background, and counts what it gets."""

    def __init__(self, service: Service, account: str) -> None:
        self._service, self._account = service, account
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.tokens: list[str] = []
        self.refusals: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._ended.wait(_BETWEEN_READS):
            answer = self._service.read(self._account)
            if answer.status_code == httpx2.codes.OK:
                self.tokens.append(answer.json()["access_token"])
            else:
                self.refusals.append(answer.text)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
