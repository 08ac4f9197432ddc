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

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(folder, **section):
    """Run a provider at 127.0.0.1, and at localhost, which is another site, an installation that knows it."""
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
                providers={"acme": provider.settings(**section)},
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


async def arrive(page, address, mode):
    """Go to the provider, which asks nothing, and wait for what the browser shows in the end."""
    await page.goto(f"{address}/v1/providers/acme/start?return_to=/v1/me")
    if mode == "form_post":
        await page.locator("form").evaluate("form => form.submit()")
    await page.wait_for_url(f"{address}/v1/me*")
    return json.loads(await page.locator("body").inner_text())


@pytest.mark.parametrize("mode", ["query", "form_post"])
async def test_fed_03_a_browser_comes_back_signed_in(page, tmp_path, mode):
    """What binds the way to the browser survives it, with a form of another site, too; and only there is it sent."""
    async with served(tmp_path, response_mode=mode) as address:
        shown = await arrive(page, address, mode)
        cookies = {cookie["name"]: cookie for cookie in await page.context.cookies(address)}

    assert shown["identity"]["email"] == "alice@example.org"
    assert cookies["ostiary_access"]["sameSite"] == "Lax"
    assert cookies["ostiary_upstream"]["sameSite"] == ("None" if mode == "form_post" else "Lax")
    assert all(cookie["httpOnly"] for cookie in cookies.values())


async def test_fed_03_another_browser_does_not_come_back_for_it(page, tmp_path):
    """Whoever is made to post an answer that was meant for another browser is told so, and not signed in."""
    async with served(tmp_path, response_mode="form_post") as address:
        await page.goto(f"{address}/v1/providers/acme/start")
        await page.context.clear_cookies()
        await page.locator("form").evaluate("form => form.submit()")
        await page.wait_for_url(f"{address}/v1/providers/acme/callback")
        shown = await page.get_by_role("heading").inner_text()
        cookies = await page.context.cookies(address)

    assert shown == "This sign-in is not under way any more"
    assert not cookies
