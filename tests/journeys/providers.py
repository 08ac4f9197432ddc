"""What tests that go to a provider share: an installation with providers, and browsers that go there and come back."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx2
from tests.hostile_provider import OUTBOUND, HostileProvider

from ostiary.testing import auth_for_tests

HOME = "https://app.example.org"


@asynccontextmanager
async def at_providers(migrated_url, folder, *providers, sections=None, **settings):
    """Start an installation that knows `providers`; `sections` adds to the settings of some, by name."""
    async with AsyncExitStack() as stack:
        for provider in providers:
            await stack.enter_async_context(provider.listening())
        sections = sections or {}
        known = {one.name: one.settings(**sections.get(one.name, {})) for one in providers}
        running = await stack.enter_async_context(
            auth_for_tests(
                database_url=migrated_url,
                data=folder,
                providers=known,
                outbound=OUTBOUND,
                allowed_origins=HOME,
                **settings,
            )
        )
        for provider in providers:
            provider.clock = running.clock
        yield running


class Browser:
    """A browser with cookies of its own, at the door of one installation."""

    def __init__(self, auth):
        transport = httpx2.ASGITransport(app=auth)
        self.http = httpx2.AsyncClient(transport=transport, base_url=auth.settings.public_url)

    async def leave(self, provider="acme", **query):
        """Go to a provider to sign in; return where the browser is sent."""
        answer = await self.http.get(f"/v1/providers/{provider}/start", params=query)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def come_back(self, parameters, provider="acme", *, form=False, **headers):
        """Bring what the provider said to the callback."""
        path = f"/v1/providers/{provider}/callback"
        if form:
            return await self.http.post(path, data=parameters, headers=headers)
        return await self.http.get(path, params=parameters, headers=headers)

    async def sign_in(self, provider: HostileProvider, person="alice", **query):
        """Go there, say yes, and come back."""
        url = await self.leave(provider.name, **query)
        return await self.come_back(provider.approve(url, person), provider.name)

    async def me(self):
        """Ask who is signed in here."""
        return await self.http.get("/v1/me")

    async def link(self, provider: HostileProvider, person="alice", *, headers=None, **body):
        """Link an account: begin, go there, say yes, and come back."""
        path = f"/v1/me/accounts/{provider.name}/link"
        begun = await self.http.post(
            path, json=body, headers={"origin": "http://127.0.0.1:8000", **(headers or {})}
        )
        assert begun.status_code == 200, begun.text
        return await self.come_back(provider.approve(begun.json()["url"], person), provider.name)


def told(answer):
    """What the page that goes on is told behind the #."""
    return dict(parse_qsl(urlsplit(answer.headers["location"]).fragment, keep_blank_values=True))
