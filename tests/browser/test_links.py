"""The page that links lead to, in a real Chromium on a real server."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn

from ostiary.entrypoints.http import links
from ostiary.features.outbox import ACTIONS, Template
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

NEW = "another phrase that only tests know"


@asynccontextmanager
async def served(folder):
    """Run an installation behind a real server, whose clock is real, too."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # Who comes before the server is up waits.
        listening.listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with auth_for_tests(data=folder, public_url=address) as running:
            server = uvicorn.Server(uvicorn.Config(running.auth, log_level="critical", lifespan="off"))
            task = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                async with httpx2.AsyncClient(base_url=address) as client:
                    yield running, client
            finally:
                server.should_exit = True
                await task


def link_in(message):
    (link,) = re.findall(r"\S+#token=\S+", message.text)
    return link


async def test_a_forgotten_password_is_reset_by_the_link_of_the_mail(page, tmp_path):
    """From the mail to the new password: nothing is sent before the button, and the secret leaves the address."""
    async with served(tmp_path) as (running, client):
        await running.signed_in("ada")
        await client.post("/v1/password/forgot", json={"identifier": "ada@example.org"})
        (mail,) = [sent for sent in await running.deliver() if sent.template is Template.RESET_PASSWORD]
        requests, errors = [], []
        page.on("request", lambda request: requests.append((request.method, request.url, request.post_data)))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)

        await page.goto(link_in(mail))
        await page.get_by_role("heading", name="Choose a new password").wait_for()
        followed = [request for request in requests if "favicon" not in request[1]]
        assert [method for method, _, _ in followed] == ["GET"]
        assert mail.values["token"] not in page.url
        await page.get_by_label("Password").fill("short")
        await page.get_by_role("button").click()
        await page.locator("#said.wrong").wait_for()
        await page.get_by_label("Password").fill(NEW)
        await page.get_by_role("button").click()
        await page.get_by_text("Your password is set").wait_for()

        old = await client.post("/v1/login", json={"identifier": "ada@example.org", "password": PASSWORD})
        new = await client.post("/v1/login", json={"identifier": "ada@example.org", "password": NEW})
        assert (old.status_code, new.status_code) == (401, 200)
        assert not [url for _, url, _ in requests if mail.values["token"] in url]
        # The browser tells of the password that was too short; of a policy or a script it would say something else.
        assert all(error.startswith("Failed to load resource") for error in errors)


async def test_an_address_is_confirmed_and_a_link_signs_this_browser_in(page, tmp_path):
    """A proven address gets links to sign in; the tokens are in cookies that no script reads."""
    async with served(tmp_path) as (running, client):
        ada = await running.signed_in("ada")
        await client.post("/v1/verification/email", json={}, headers=ada.headers)
        (mail,) = [sent for sent in await running.deliver() if sent.template is Template.VERIFY_EMAIL]
        await page.goto(link_in(mail))
        await page.get_by_role("button", name="Confirm").click()
        await page.get_by_text("Your e-mail address is confirmed.").wait_for()
        await client.post("/v1/login/link", json={"identifier": "ada@example.org"})
        (mail,) = [sent for sent in await running.deliver() if sent.template is Template.SIGN_IN_LINK]

        await page.goto(link_in(mail))
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("You are signed in.").wait_for()

        cookies = await page.context.cookies()
        assert {"ostiary_access", "ostiary_refresh"} <= {cookie["name"] for cookie in cookies}
        assert all(cookie["httpOnly"] for cookie in cookies)


async def test_a_link_without_its_secret_or_used_up_says_so(page, tmp_path):
    """Without anything behind the #, and with something that is none of ours."""
    async with served(tmp_path) as (_, client):
        base = f"{client.base_url}/link/verify-email".replace("//link", "/link")
        await page.goto(base)
        await page.get_by_text("This link is incomplete").wait_for()
        assert not await page.get_by_role("button").is_visible()

        await page.goto(f"{base}#token=ost_challenge_nonsense")
        await page.reload()
        await page.goto("about:blank")
        await page.goto(f"{base}#token=ost_challenge_nonsense")
        await page.get_by_role("button").click()
        await page.get_by_text("This did not work").wait_for()


async def test_the_page_holds_nothing_and_lets_nothing_in(running, client):
    """The same for each action, kept by nobody, framed by nobody; script and style by their digests alone."""
    answers = [await client.get(f"/link/{action}") for action in sorted(ACTIONS)]
    unknown = await client.get("/link/nonsense")

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert unknown.status_code == 404
    headers = answers[0].headers
    policy = headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"\son\w+=|style=|https?://", answers[0].text)


def test_every_action_has_its_words():
    """What a link may do, the page can say, in each language."""
    script = Path(links.__file__).with_name("links.js").read_text(encoding="utf-8")
    listed = re.findall(r'^  "([a-z-]+)": \{ path', script, re.MULTILINE)
    said = re.findall(r'^    "([a-z-]+)": \[', script, re.MULTILINE)

    assert sorted(listed) == sorted(ACTIONS)
    assert sorted(said) == sorted([*ACTIONS, *ACTIONS])
