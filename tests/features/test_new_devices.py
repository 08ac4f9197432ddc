"""New devices: their owner is told once, in the statement that makes the sign-in."""

from __future__ import annotations

import pytest
from tests.factories import registered

from ostiary.features.audit.devices import network_of
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
# What the registration came from, and what differs.
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36"


async def sign_in(client, agent, password=PASSWORD):
    body = {"identifier": EMAIL, "password": password}
    return await client.post("/v1/login", json=body, headers={"User-Agent": agent})


async def register(client, agent=FIREFOX):
    body = {"email": EMAIL, "password": PASSWORD}
    return await client.post("/v1/register", json=body, headers={"User-Agent": agent})


async def told(auth):
    return await auth.services.database.fetch_one(
        Query("SELECT count(*) FROM ostiary.outbox WHERE subject = 'new_device'", into=int)
    )


async def test_a_device_is_told_of_once(auth, client):
    """The first sign-in tells nobody, a known device tells nobody, a new one is told of when it first signs in."""
    await register(client)
    counts = [await told(auth)]
    for agent in (FIREFOX, CHROME, CHROME, FIREFOX):
        await sign_in(client, agent)
        counts.append(await told(auth))

    assert counts == [0, 0, 1, 1, 1]


async def test_a_failure_is_no_device(auth, client):
    """Who only knocks does not become known by it."""
    await register(client)
    await sign_in(client, CHROME, "not the phrase at all")
    before = await told(auth)
    await sign_in(client, CHROME)

    assert (before, await told(auth)) == (0, 1)


async def test_another_persons_device_is_not_mine(auth, client):
    """The same browser in the same network is new to everybody who has not used it."""
    await register(client)
    await registered(auth, "bob@example.org")
    await sign_in(client, CHROME)

    devices = await auth.services.database.fetch_all(
        Query("SELECT DISTINCT device FROM ostiary.login_history WHERE device IS NOT NULL", into=bytes)
    )

    assert len(devices) == 3


async def test_the_message_names_device_place_and_time(running, client):
    """So that its reader can tell whether it was they."""
    await register(client)
    await sign_in(client, CHROME)

    (message,) = [sent for sent in await running.deliver() if sent.template == "new_device"]

    assert message.to == EMAIL
    assert "Chrome on Windows" in message.text
    assert "127.0.0.1" in message.text
    assert f"{running.clock.now():%Y-%m-%d %H:%M} UTC" in message.text


async def test_the_notice_can_be_switched_off(migrated_url, tmp_path):
    """OSTIARY_MESSAGES__NEW_DEVICE_NOTICE=false writes none."""
    quiet = {"new_device_notice": False}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, messages=quiet) as running:
        await registered(running.auth, EMAIL)
        await running.signed_in("ada")

        assert await told(running.auth) == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.0.0/16"),
        ("2001:db8:1:2::3", "2001:db8::/32"),
        ("not an address", ""),
        (None, ""),
    ],
)
def test_a_network_is_that_of_a_provider(address, network):
    """A reconnection at home makes no new device."""
    assert network_of(address) == network
