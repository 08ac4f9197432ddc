"""A provider, bent or not, and what is built around a database to go to it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from tests.hostile_provider import HostileProvider

from ostiary.features.upstream import Intent, Upstream
from ostiary.features.upstream.believing import Believing
from ostiary.features.upstream.calls import Calls
from ostiary.features.upstream.metadata import Published
from ostiary.features.vault import UpstreamTokens
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.outbound import Outbound
from ostiary.foundation.secret import Secret
from ostiary.services.providers import providers_of
from ostiary.settings import load
from ostiary.testing import MovableClock

LOOPBACK = [ip_network("127.0.0.0/8")]
PUBLIC_URL = "https://auth.example.org"
NONCE = Secret("the nonce of this very flow")
ACCESS_TOKEN = "acme-access"


def configured(**sections):
    """The providers that settings with these sections make."""
    return providers_of(load(providers=sections).providers)


class Visits:
    """Goes to providers and comes back from them, as somebody's browser."""

    def __init__(self, database, providers, clock) -> None:
        self.clock = clock
        self.upstream = Upstream(
            database,
            Entropy(),
            providers=providers,
            outbound=Outbound(allowed_networks=LOOPBACK),
            key=bytes(range(32)),
            public_url=PUBLIC_URL,
            own_refreshes={},
        )

    @property
    def now(self):
        return self.clock.now()

    async def begin(self, name="acme", intent=Intent.SIGN_IN, **more):
        return await self.upstream.begin(name, intent=intent, entity_type="user", now=self.now, **more)

    async def come_back(self, begun, parameters, name="acme"):
        flow = await self.upstream.consume(name, parameters, browsers=[begun.browser], now=self.now)
        return await self.upstream.finish(flow, parameters, now=self.now)

    async def sign_in(self, provider, person="alice", name="acme"):
        """Go there and back without any trouble of one's own."""
        begun = await self.begin(name)
        return await self.come_back(begun, provider.approve(begun.url, person), name)


class Judge:
    """Believes what a provider answers, or does not; no database is needed for that."""

    def __init__(self, provider, **settings) -> None:
        self._judge(configured(acme=provider.settings(**settings)).get("acme"), provider)

    @classmethod
    def of(cls, configured, provider):
        """Judge a provider that is configured in another way."""
        judge = cls.__new__(cls)
        judge._judge(configured, provider)
        return judge

    def _judge(self, configured, provider):
        self.provider = provider
        self.configured = configured
        calls = Calls(Outbound(allowed_networks=LOOPBACK))
        self.published = Published(calls)
        self.believing = Believing(calls, self.published)

    @property
    def now(self):
        return self.provider.clock.now()

    async def whom(self, id_token, *, access_token=ACCESS_TOKEN, nonce=NONCE):
        """Say whom an ID token is about that came with a code."""
        tokens = UpstreamTokens(Secret(access_token), None, Secret(id_token))
        return await self.believing.whom(
            self.configured, tokens, nonce=nonce, said_by_browser=None, now=self.now
        )

    async def logout(self, token):
        return await self.believing.logout(self.configured, Secret(token), now=self.now)


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
async def provider(clock):
    """A correct provider, until a test bends it."""
    async with HostileProvider(clock=clock).listening() as listening:
        yield listening


@pytest.fixture
def judge(provider):
    return Judge(provider)


@pytest.fixture
def visits(migrated, provider, clock):
    """Visits to `provider`, which is configured as `acme`, on either database."""
    return Visits(migrated, configured(acme=provider.settings()), clock)


@pytest.fixture
async def lone_database(migrated_sqlite_url):
    """A database for what has nothing to do with its kind."""
    from ostiary.foundation.storage import database_at

    database = database_at(migrated_sqlite_url)
    await database.open()
    yield database
    await database.close()
