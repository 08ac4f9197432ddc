"""The way to a provider on another site and back, in a real Chromium, which decides itself which cookies go along."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest
import uvicorn
from tests.hostile_provider import OUTBOUND, HostileProvider

from ostiary.testing import auth_for_tests

_TRUSTED = {"on_known_address": "link", "authoritative_domains": "*"}

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(folder):
    """Run a provider at 127.0.0.1, and at localhost, which is another site, an installation that knows it.

    It is known by two names: what it says to `query` comes back in the address, to `form_post` in a form.
    """
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # Who comes before the server is up waits.
        listening.listen()
        address = f"http://localhost:{listening.getsockname()[1]}"
        async with (
            HostileProvider().listening() as provider,
            auth_for_tests(
                data=folder,
                public_url=address,
                providers={
                    "query": provider.settings(),
                    "form-post": provider.settings(response_mode="form_post", **_TRUSTED),
                },
                outbound=OUTBOUND,
            ) as running,
        ):
            provider.clock = running.clock
            server = uvicorn.Server(uvicorn.Config(running.auth, log_level="critical", lifespan="off"))
            task = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                yield address
            finally:
                server.should_exit = True
                await task


async def arrive(page, address):
    """Wait until the browser shows who is signed in, and return it."""
    await page.wait_for_url(f"{address}/v1/me*")
    return json.loads(await page.locator("body").inner_text())


def start(address, provider):
    """The address that sends a browser to the provider, which asks nothing, and to one's own data afterwards."""
    return f"{address}/v1/providers/{provider}/start?return_to=/v1/me"


async def submit(page):
    """Do what a script of the provider's page does."""
    await page.locator("form").evaluate("form => form.submit()")


async def test_fed_03_a_browser_comes_back_by_the_address(page, tmp_path):
    """It goes to another site and comes back signed in."""
    async with served(tmp_path) as address:
        await page.goto(start(address, "query"))
        shown = await arrive(page, address)
        cookies = {cookie["name"]: cookie for cookie in await page.context.cookies(address)}

    assert shown["identity"]["email"] == "alice@example.org"
    assert cookies["ostiary_access"]["sameSite"] == "Lax"
    assert all(cookie["httpOnly"] for cookie in cookies.values())


async def test_fed_03_a_browser_comes_back_by_a_form_with_another_tab_in_between(page, tmp_path):
    """What binds it goes along with a form of another site, also after another tab came back by the address."""
    async with served(tmp_path) as address:
        other = await page.context.new_page()
        await page.goto(start(address, "form-post"))
        await other.goto(start(address, "query"))
        await arrive(other, address)
        await submit(page)
        await arrive(page, address)

    # Anything but being signed in would stand behind the #.
    assert page.url == f"{address}/v1/me"


async def test_fed_03_another_browser_does_not_come_back_for_it(page, tmp_path):
    """Whoever is made to post an answer that was meant for another browser is told so, and not signed in."""
    async with served(tmp_path) as address:
        await page.goto(start(address, "form-post"))
        await page.context.clear_cookies()
        await submit(page)
        await page.wait_for_url(f"{address}/v1/providers/form-post/callback")
        shown = await page.get_by_role("heading").inner_text()
        cookies = await page.context.cookies(address)

    assert shown == "This sign-in is not under way any more"
    assert not cookies
