"""A resource server beside a real installation: over HTTP, with a service credential, in both directions of trust."""

import asyncio
import socket
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn

from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.registration import NewAccount
from ostiary.testing import auth_for_tests
from ostiary.verifier import InvalidToken, RevokedToken, Verifier
from ostiary.verifier.issuer import IssuerClient, IssuerProblem

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(auth, listening):
    """Serve a started auth over HTTP while the block lasts."""
    # A poll whose client has gone would otherwise be waited for.
    config = uvicorn.Config(auth, log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def remote(migrated_url, tmp_path):
    """A started installation on either database, which is served at its public address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with (
            auth_for_tests(public_url=address, database_url=migrated_url, data=tmp_path) as running,
            served(running.auth, listening),
        ):
            yield running


async def credential(running, *scopes):
    """Make a service and a credential of it."""
    services, now = running.auth.services, running.clock.now()
    account = NewAccount("service", "reports@example.org", None, None, {"display_name": "reports"})
    made = await services.registration.create(account, by=SYSTEM, origin=Origin(), now=now)
    async with services.database.transaction() as tx:
        return await services.service_credentials.issue(
            tx, made.id, scopes, lifetime=None, by=SYSTEM, now=now
        )


@asynccontextmanager
async def verifying(running, *scopes, **options):
    """A verifier of the installation, ready."""
    url = running.auth.settings.public_url
    secret = await credential(running, *scopes)
    async with Verifier(url, credential=secret, clock=running.clock, **options) as verifier:
        await asyncio.to_thread(verifier.wait_until_ready)
        yield verifier


async def ended(verifier, token):
    """Return how a token ends at a verifier that follows by itself."""
    async with asyncio.timeout(20):
        while True:
            try:
                verifier.verify(token)
            except (InvalidToken, RevokedToken) as refused:
                return refused
            await asyncio.sleep(0)


async def test_rt_07_signing_out_reaches_a_resource_server(remote):
    """A token passes there until its session ends, with no more said than the feed says."""
    alice = await remote.signed_in("alice", roles=["editor"])
    bob = await remote.signed_in("bob")
    async with verifying(remote, "revocations:read") as verifier:
        before = verifier.verify(alice.access_token)
        async with httpx2.AsyncClient(base_url=remote.auth.settings.public_url) as client:
            await client.post("/v1/logout", headers=alice.headers)
        refused = await ended(verifier, alice.access_token)
        others = verifier.verify(bob.access_token)

    assert before == alice.principal
    assert refused.reason == "session"
    assert others == bob.principal


async def test_when_stale_a_resource_server_asks_the_real_introspection(remote):
    """With the scope for it, the issuer's word decides while the feed is not known."""
    alice = await remote.signed_in("alice")
    async with verifying(remote, "revocations:read", "tokens:introspect", when_stale="ask") as verifier:
        verifier._follower.tokens.revocations.confirm(remote.clock.now().replace(year=2000))
        asked = await asyncio.to_thread(verifier.verify, alice.access_token)

    assert asked == alice.principal


async def test_a_credential_without_the_scope_says_so(remote):
    """The operator learns which scope is missing."""
    url = remote.auth.settings.public_url
    client = IssuerClient(url, await credential(remote, "tokens:introspect"))
    alice = await remote.signed_in("alice")

    assert await client.is_active(alice.access_token)
    with pytest.raises(IssuerProblem, match="revocations:read"):
        await client.revocations(after=None, wait=0, patience=10)
    await client.close()
