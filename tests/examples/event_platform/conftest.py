"""The event platform, imported anew for every test with an environment of its own, on a database of either kind."""

from __future__ import annotations

from contextlib import asynccontextmanager

import httpx2
import pytest
from tests.examples.event_platform.people import ORIGIN, Platform, forget, module
from tests.examples.event_platform.serving import CHEAP
from tests.hostile_provider import HostileProvider

from ostiary.testing import auth_for_tests


@pytest.fixture
def environment(migrated_url, tmp_path, monkeypatch):
    """What the platform finds in its environment; its modules are forgotten before and after."""
    monkeypatch.setenv("OSTIARY_DATABASE_URL", migrated_url)
    monkeypatch.setenv("OSTIARY_DATA", str(tmp_path))
    for name, value in CHEAP.items():
        monkeypatch.setenv(f"OSTIARY_PASSWORDS__{name}", value)
    forget()
    yield monkeypatch
    forget()


@asynccontextmanager
async def started():
    app = module("app")
    await module("database").migrate()
    transport = httpx2.ASGITransport(app=app.app)
    async with (
        auth_for_tests(app.auth) as running,
        httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client,
    ):
        yield Platform(running, client)
    await app.engine.dispose()


@pytest.fixture
async def platform(environment):
    """The platform, empty, served in this process, with a clock to move."""
    async with started() as running:
        yield running


@pytest.fixture
async def google(environment):
    """A provider on this machine, in Google's place."""
    async with HostileProvider(name="google").listening() as provider:
        section = {"CLIENT_ID": provider.client_id, "CLIENT_SECRET": provider.client_secret}
        for name, value in (section | {"ISSUER": provider.issuer}).items():
            environment.setenv(f"OSTIARY_PROVIDERS__GOOGLE__{name}", value)
        environment.setenv("OSTIARY_OUTBOUND__ALLOWED_NETWORKS", "127.0.0.0/8")
        yield provider


@pytest.fixture
async def platform_with_google(google):
    """The platform, with a sign-in by that provider."""
    async with started() as running:
        google.clock = running.running.clock
        yield running
