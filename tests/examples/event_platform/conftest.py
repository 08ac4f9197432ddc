"""The event platform, imported anew for every test with an environment of its own, on a database of either kind."""

from __future__ import annotations

import httpx2
import pytest
from tests.examples.event_platform.people import ORIGIN, Platform, forget, module

from ostiary.testing import auth_for_tests


@pytest.fixture
def environment(migrated_url, tmp_path, monkeypatch):
    """What the platform finds in its environment; its modules are forgotten before and after."""
    monkeypatch.setenv("OSTIARY_DATABASE_URL", migrated_url)
    monkeypatch.setenv("OSTIARY_DATA", str(tmp_path))
    for name, value in (("WEAK_HASH_FOR_TESTS", "true"), ("MEMORY_KIB", "8"), ("TIME_COST", "1")):
        monkeypatch.setenv(f"OSTIARY_PASSWORDS__{name}", value)
    forget()
    yield
    forget()


@pytest.fixture
async def platform(environment):
    """The platform, empty, served in this process, with a clock to move."""
    app = module("app")
    await module("database").migrate()
    transport = httpx2.ASGITransport(app=app.app)
    async with (
        auth_for_tests(app.auth) as running,
        httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client,
    ):
        yield Platform(running, client)
    await app.engine.dispose()
