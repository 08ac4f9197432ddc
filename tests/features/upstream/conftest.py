"""An installation that knows one provider, bent or not, on either database."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tests.hostile_provider import OUTBOUND, HostileProvider

from ostiary.features.upstream import Intent
from ostiary.testing import MovableClock, auth_for_tests


class Visits:
    """Goes to the provider and comes back, as somebody's browser."""

    def __init__(self, running, provider, name="acme") -> None:
        self.running = running
        self.provider = provider
        self.name = name
        self.upstream = running.auth.services.upstream

    @property
    def now(self):
        return self.running.clock.now()

    async def begin(self, intent=Intent.SIGN_IN, **more):
        return await self.upstream.begin(
            None, self.name, intent=intent, entity_type="user", now=self.now, **more
        )

    async def come_back(self, begun, parameters):
        flow = await self.upstream.consume(self.name, parameters, browsers=[begun.browser], now=self.now)
        return await self.upstream.finish(flow, parameters, now=self.now)

    async def sign_in(self, person="alice"):
        """Go there and back without any trouble of one's own."""
        begun = await self.begin()
        return await self.come_back(begun, self.provider.approve(begun.url, person))


@pytest.fixture
def configure():
    """What the settings say of the provider, beside where it is; tests override it by parametrization or fixture."""
    return {}


@pytest.fixture
async def provider():
    """A correct provider, until a test bends it. It has the clock of `running`."""
    async with HostileProvider(clock=MovableClock()).listening() as listening:
        yield listening


@pytest.fixture
async def running(migrated_url, tmp_path, provider, configure):
    """A started installation that knows `provider` as `acme`."""
    providers = {"acme": provider.settings(**configure)}
    async with auth_for_tests(
        database_url=migrated_url, data=tmp_path, providers=providers, outbound=OUTBOUND
    ) as started:
        provider.clock = started.clock
        yield started


@pytest.fixture
def visits(running, provider):
    return Visits(running, provider)


@pytest.fixture
def lone(provider, tmp_path, migrated_sqlite_url):
    """Return a maker of installations on SQLite, for what has nothing to do with the database."""

    def make(**settings):
        return auth_for_tests(database_url=migrated_sqlite_url, data=tmp_path, outbound=OUTBOUND, **settings)

    return SimpleNamespace(make=make, provider=provider)
