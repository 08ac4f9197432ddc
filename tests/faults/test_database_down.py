"""F04, F09: PostgreSQL goes away under a running worker; it refuses, says for how long, and recovers by itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from tests.doubles import Wire
from tests.factories import ORIGIN, attempt, registered, rotate

from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.flows import SignedIn
from ostiary.features.maintenance import Outcome
from ostiary.features.sessions import Caller, Rotated
from ostiary.foundation.errors import Unavailable
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD
from ostiary.verifier import RevocationsStale, RevokedToken

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"


@pytest.fixture
async def wire(migrated_postgresql_url, tmp_path_factory):
    (server,) = parse_qs(urlsplit(migrated_postgresql_url).query)["host"]
    async with Wire(Path(server), tmp_path_factory.mktemp("wire")).laid() as wire:
        yield wire


@pytest.fixture
async def running(migrated_postgresql_url, wire, tmp_path):
    """A worker whose database is at the other end of a wire that can be cut."""
    distant = urlsplit(migrated_postgresql_url)._replace(query=f"host={wire.client_directory}").geturl()
    async with auth_for_tests(database_url=distant, data=tmp_path) as started:
        yield started


@pytest.fixture
async def ada(auth):
    return await registered(auth, EMAIL)


async def test_f09_every_journey_is_unavailable_and_recovers(auth, wire, ada):
    """Without the database nothing is answered from memory; with it the same calls work, and nothing is lost."""
    wire.cut()
    for call in (
        lambda: registered(auth),
        lambda: attempt(auth, EMAIL),
        lambda: rotate(auth, ada.tokens.refresh_token),
        lambda: auth.services.sessions.list(ada.identity_id, now=auth.clock.now()),
    ):
        with pytest.raises(Unavailable):
            await call()

    wire.mend()

    assert isinstance(await rotate(auth, ada.tokens.refresh_token), Rotated)
    assert isinstance(await attempt(auth, EMAIL), SignedIn)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/register", {"email": "new@example.org", "password": PASSWORD}),
        ("POST", "/v1/login", {"identifier": EMAIL, "password": PASSWORD}),
        ("POST", "/v1/refresh", {"refresh_token": "{refresh_token}"}),
        ("POST", "/v1/logout", {}),
        ("GET", "/v1/me", None),
        ("DELETE", "/v1/me", None),
    ],
)
async def test_f09_over_http_it_is_503_with_retry_after(client, wire, ada, method, path, body):
    """The client is told to come back, by status and header, and nothing about the database."""
    if body == {"refresh_token": "{refresh_token}"}:
        body = {"refresh_token": ada.tokens.refresh_token.reveal()}
    headers = {"Authorization": f"Bearer {ada.tokens.access_token.reveal()}"}
    wire.cut()

    answer = await client.request(method, path, json=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert "postgres" not in answer.text.lower()


async def test_f09_readiness_follows_the_database(client, wire, ada):
    """A worker without its database asks for no requests, lives on, and is ready again by itself."""
    assert (await client.get("/readyz")).status_code == 200
    wire.cut()

    refused = await client.get("/readyz")
    alive = await client.get("/healthz")
    wire.mend()

    assert (refused.status_code, refused.json()["database"]) == (503, "failed")
    assert "retry-after" in refused.headers
    assert alive.status_code == 200
    assert (await client.get("/readyz")).status_code == 200


async def test_f09_token_checks_fail_closed_after_the_freshness_limit(auth, running, wire, client, ada):
    """Tokens are checked on for ten seconds without news; then none is trusted until the news is read again."""
    token = ada.tokens.access_token.reveal()
    revocations = auth.services.sessions.revocations
    wire.cut()
    running.clock.move(auth.settings.revocation.max_age)
    assert auth.verify(token).session_id
    running.clock.move(auth.settings.revocation.max_age)

    with pytest.raises(Unavailable):
        await revocations.catch_up(now=auth.clock.now())
    with pytest.raises(RevocationsStale):
        auth.verify(token)
    answer = await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    wire.mend()
    await revocations.catch_up(now=auth.clock.now())

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert auth.verify(token).session_id


async def test_f04_a_logout_cut_off_at_its_commit_is_unknown_and_then_read(auth, wire, ada):
    """A wire that breaks during COMMIT answers neither way; afterwards the token is as dead as the session."""
    caller = Caller.of(auth.verify(ada.tokens.access_token.reveal()), ORIGIN)
    wire.cut_after = b"COMMIT"

    with pytest.raises(Unavailable):
        await auth.services.account.log_out(caller, refresh_token=None, now=auth.clock.now())
    wire.mend()
    await auth.services.sessions.revocations.catch_up(now=auth.clock.now())

    assert await auth.services.sessions.list(ada.identity_id, now=auth.clock.now()) == []
    with pytest.raises(RevokedToken):
        auth.verify(ada.tokens.access_token.reveal())


async def test_f04_a_refresh_cut_off_after_it_was_done_gives_the_retry_the_same_successor(auth, wire, ada):
    """The answer to a rotation is lost with the wire; the client asks again and the family goes on."""
    wire.cut_after = b"successor_sealed"

    with pytest.raises(Unavailable):
        await rotate(auth, ada.tokens.refresh_token)
    wire.mend()
    retried = await rotate(auth, ada.tokens.refresh_token)

    assert isinstance(retried, Rotated)
    assert isinstance(await rotate(auth, retried.tokens.refresh_token), Rotated)


async def test_f03_a_look_at_a_database_that_went_away_is_repeated_at_once(auth, wire):
    """The run is no failure, which would be tried again a minute later: after a failover others wait for it."""
    wire.cut()
    wire.mend()
    with suppress(Unavailable):
        await auth.services.database.fingerprint()
    wire.cut_after = b"FROM ostiary.restore_guard"

    away = await auth.services.maintenance.run("restore-guard", now=auth.clock.now())
    wire.mend()
    back = await auth.services.maintenance.run("restore-guard", now=auth.clock.now() + timedelta(minutes=2))

    assert (away.outcome, back.outcome) == (Outcome.INTERRUPTED, Outcome.DONE)


async def test_f09_what_is_done_in_the_background_says_so_in_one_line(auth, wire, caplog):
    """Work that nobody asked for is put off without the database: that is expected, so no stack is shown."""
    read = Event(Action.IDENTITY_READ, SYSTEM, target_kind="identity")
    wire.cut()
    following = asyncio.create_task(auth.services.maintenance.follow_schedule(auth.clock))
    async with asyncio.timeout(30):
        while not any("its tasks" in record.getMessage() for record in caplog.records):
            await auth.services.audit.record_read(read, now=auth.clock.now())
    following.cancel()
    await asyncio.wait([following])

    assert any("audit line" in record.getMessage() for record in caplog.records)
    assert not any(record.exc_info for record in caplog.records)


async def test_f09_a_worker_that_starts_without_a_database_says_so(migrated_postgresql_url, wire, tmp_path):
    """A start fails with what to look at, leaves nothing open, and succeeds once the database is there."""
    distant = urlsplit(migrated_postgresql_url)._replace(query=f"host={wire.client_directory}").geturl()
    wire.cut()
    with pytest.raises(Unavailable):
        async with auth_for_tests(database_url=distant, data=tmp_path):
            raise AssertionError("It started without a database.")
    wire.mend()

    async with (
        auth_for_tests(database_url=distant, data=tmp_path) as started,
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=started.auth), base_url=started.auth.settings.public_url
        ) as client,
    ):
        assert (await client.get("/readyz")).json()["database"] == "ok"
