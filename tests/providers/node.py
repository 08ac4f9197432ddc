"""Providers that run on node, in processes of their own: the certified OpenID provider, and Firebase's emulator."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
from tests.ports import reserved_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.providers.browser import Browser, Page

CLIENT_SECRET = "the secret of a client that only tests know"
PROJECT = "demo-ostiary"
"""The one that the emulator has."""
TOOLKIT = "/identitytoolkit.googleapis.com/v1"
"""Where the emulator has the interface of the Identity Toolkit."""
_SERVERS = Path(__file__).parent / "servers"
_INSTALLED = Path(__file__).parents[2] / ".providers"
_PATIENCE = 60.0
_STEPS = 6


def answers(process: subprocess.Popen, url: str) -> bool:
    """Wait until a server that was just started answers; say whether it does before it ends or a minute is over."""
    ends = time.monotonic() + _PATIENCE
    # Who calls while nobody listens calls again.
    with httpx2.Client(transport=httpx2.HTTPTransport(retries=10)) as client:
        while time.monotonic() < ends and process.poll() is None:
            with suppress(httpx2.TransportError):
                if client.get(url).is_success:
                    return True
    return False


class NodeServer:
    """A server that runs on node, at a port of its own; it can be ended and started again."""

    def __init__(self, script: str, port: int, *, ready: str, **variables: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._ready = ready
        self._variables = os.environ | {"PROVIDER_PORT": str(port)} | variables
        # Node looks for packages beside the script.
        self._script = Path(shutil.copy(_SERVERS / script, _INSTALLED))
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with tempfile.TemporaryFile() as said:
            self._process = subprocess.Popen(
                ["node", self._script], env=self._variables, stdout=said, stderr=said
            )
            if answers(self._process, self.url + self._ready):
                return
            self.stop()
            said.seek(0)
            raise AssertionError(f"{self._script.name} did not start: {said.read().decode()}")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()


class OpenIDProvider(NodeServer):
    """`oidc-provider`, with one client."""

    def counted(self) -> dict[str, int]:
        """Return how often it was asked for what."""
        return httpx2.get(f"{self.url}/counted").json()

    def sign_in(self, browser: Browser, page: Page, name: str) -> Page:
        """Sign in and consent wherever a page of the provider asks, until the browser is somewhere else."""
        for _ in range(_STEPS):
            if not page.url.startswith(self.url):
                return page
            asked = page.forms[0].fields
            answers = {"login": name, "password": "any"} if "login" in asked else {}
            page = browser.submit(page, **answers)
        raise AssertionError(f"The provider keeps asking at {urlsplit(page.url).path}")

    def refuse(self, browser: Browser, page: Page) -> Page:
        """Say no where the provider asks."""
        (cancel,) = [link for link in page.links if link.endswith("/abort")]
        return browser.open(cancel)

    def sign_out(self, browser: Browser) -> None:
        """End the session at the provider itself, which tells whoever it signed the person in to."""
        page = browser.submit(browser.open(f"{self.url}/session/end"), logout="yes")
        assert page.status == httpx2.codes.OK


@contextmanager
def openid_provider(callbacks: list[str], logout: str) -> Iterator[OpenIDProvider]:
    """Run the certified provider for a client with these addresses."""
    told = {
        "PROVIDER_CLIENT_SECRET": CLIENT_SECRET,
        "PROVIDER_CALLBACKS": " ".join(callbacks),
        "PROVIDER_LOGOUT": logout,
    }
    with reserved_port() as port:
        yield from _running(OpenIDProvider("openid.mjs", port, ready="/jwks", **told))


@contextmanager
def firebase_emulator() -> Iterator[NodeServer]:
    """Run the emulator of Firebase Authentication, for the one `PROJECT`."""
    with reserved_port() as port:
        yield from _running(NodeServer("firebase.cjs", port, ready="/"))


def _running(server: NodeServer) -> Iterator[NodeServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()
