"""The example's page in a real browser, with a virtual authenticator, against a real server."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[2] / "examples" / "passkeys"
PASSWORD = "a phrase that only tests know"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where the example is served by a process of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # Whoever comes before the server is ready waits at the socket.
        listening.listen()
        served_at = f"http://localhost:{listening.getsockname()[1]}"
        settings = {
            "OSTIARY_PUBLIC_URL": f"{served_at}/auth",
            "OSTIARY_DATA": str(tmp_path_factory.mktemp("data")),
            "OSTIARY_PASSWORDS__WEAK_HASH_FOR_TESTS": "true",
            "OSTIARY_PASSWORDS__MEMORY_KIB": "8",
            "OSTIARY_PASSWORDS__TIME_COST": "1",
        }
        with subprocess.Popen(
            [
                sys.executable,
                "-m",
                "uvicorn",
                "app:app",
                "--fd",
                str(listening.fileno()),
                "--log-level",
                "error",
            ],
            cwd=EXAMPLE,
            env=os.environ | settings,
            pass_fds=[listening.fileno()],
        ) as process:
            yield served_at
            process.terminate()


@pytest.fixture
async def authenticator(page):
    """A virtual authenticator that keeps passkeys and always finds its user."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    made = await session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return lambda command, **values: session.send(
        f"WebAuthn.{command}", {"authenticatorId": made["authenticatorId"]} | values
    )


class Visitor:
    """Somebody at the page."""

    def __init__(self, page, address) -> None:
        self.page = page
        self.address = address
        self.email = f"person{next(_numbers)}@example.org"

    async def visit(self, query: str = "") -> None:
        await self.page.goto(f"{self.address}/{query}")

    async def press(self, button: str) -> str:
        return await self._said_after(self.page.get_by_role("button", name=button, exact=True).click())

    async def register(self) -> str:
        await self.page.fill("[name=email]", self.email)
        await self.page.fill("[name=password]", PASSWORD)
        return await self.press("Register")

    async def said(self) -> str:
        await self.page.wait_for_function("document.querySelector('#state').value !== ''")
        return await self.page.evaluate("document.querySelector('#state').value")

    async def _said_after(self, doing) -> str:
        await self.page.evaluate("document.querySelector('#state').value = ''")
        await doing
        return await self.said()


@pytest.fixture
def visitor(page, address):
    return Visitor(page, address)


async def test_a_passkey_is_made_and_signs_in_without_a_name(visitor, authenticator):
    """Register, add a passkey, sign out, and come back by the passkey alone; the browser keeps one, and its counter moves."""
    await visitor.visit()
    said = [
        await visitor.register(),
        await visitor.press("Add a passkey"),
        await visitor.press("Sign out"),
        await visitor.press("Sign in with a passkey"),
    ]
    (kept,) = (await authenticator("getCredentials"))["credentials"]
    me = await visitor.page.evaluate("fetch('/auth/v1/me').then((answer) => answer.json())")

    assert said == [
        f"Signed in as {visitor.email}",
        "Added Passkey",
        "Signed out",
        f"Signed in as {visitor.email}",
    ]
    assert (kept["isResidentCredential"], kept["rpId"]) == (True, "localhost")
    assert kept["signCount"] > 1
    assert me["session"]["amr"] == ["hwk", "user", "mfa"]


async def test_passkeys_are_offered_in_autofill(visitor, authenticator):
    """The options work with conditional mediation: who comes back is signed in without pressing anything."""
    await visitor.visit()
    await visitor.register()
    await visitor.press("Add a passkey")
    await visitor.press("Sign out")
    await visitor.visit("?autofill")

    assert await visitor.said() == f"Signed in as {visitor.email}"


async def test_the_browser_makes_no_second_passkey_on_one_device(visitor, authenticator):
    """The options name what is registered already, and the browser refuses."""
    await visitor.visit()
    await visitor.register()
    await visitor.press("Add a passkey")
    await visitor.press("Sign in with a passkey")

    assert (await visitor.press("Add a passkey")).startswith("InvalidStateError")


async def test_pk_06_a_device_that_does_not_verify_its_user_is_refused(visitor, authenticator):
    """The browser is told that it must, and gives up."""
    await visitor.visit()
    await visitor.register()
    await authenticator("setUserVerified", isUserVerified=False)

    assert (await visitor.press("Add a passkey")).startswith("NotAllowedError")
