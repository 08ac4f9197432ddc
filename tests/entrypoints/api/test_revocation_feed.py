"""The feed of revocations: whoever follows it misses nothing, whatever the order of commits."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx2
import msgspec
import pytest
from tests.factories import ORIGIN

from ostiary.features.audit import SYSTEM
from ostiary.features.sessions import Caller
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio


async def service_credential(auth, *scopes, lifetime=None):
    secret = await auth.services.registration.create_service(
        "reports", scopes, lifetime=lifetime, by=SYSTEM, now=auth.clock.now()
    )
    return {"Authorization": f"Bearer {secret.reveal()}"}


@pytest.fixture
async def reader(auth):
    """The headers of a service that may read the feed."""
    return await service_credential(auth, "revocations:read")


async def read(client, reader, after="", wait=0):
    answer = await client.get("/v1/revocations", params={"after": after, "wait": wait}, headers=reader)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def log_out(auth, person):
    caller = Caller.of(person.principal, ORIGIN)
    await auth.services.account.log_out(caller, refresh_token=None, now=auth.clock.now())


async def test_the_first_answer_holds_every_live_entry(running, client, reader):
    """Whoever begins to follow learns of everything that could still matter, and the names of the keys."""
    ada = await running.signed_in("ada")
    await log_out(running.auth, ada)

    answer = await read(client, reader)

    assert [(entry["kind"], entry["subject"]) for entry in answer["entries"]] == [
        ("session", ada.principal.session_id)
    ]
    assert answer["more"] is False
    assert answer["keys"] == sorted(running.auth.services.signing_keys.public)
    assert answer["max_age"] == 10.0


async def test_the_same_place_again_has_no_news(running, client, reader):
    """Without news nothing is repeated; with news, what is not settled is."""
    await log_out(running.auth, await running.signed_in("ada"))
    first = await read(client, reader)

    quiet = await read(client, reader, first["cursor"])
    await log_out(running.auth, await running.signed_in("grace"))
    news = await read(client, reader, quiet["cursor"])

    assert quiet["entries"] == []
    assert len(news["entries"]) == 2


async def test_a_repeated_event_is_fed_again(running, client, reader):
    """An identity that is ended a second time stands in the feed again, with its new epoch."""
    ada = await running.signed_in("ada")
    caller, account = Caller.of(ada.principal, ORIGIN), running.auth.services.account
    await account.log_out_everywhere(caller, keep_current=False, now=running.clock.now())
    first = await read(client, reader)

    await account.log_out_everywhere(caller, keep_current=False, now=running.clock.now())
    second = await read(client, reader, first["cursor"])

    assert [entry["min_epoch"] for entry in first["entries"] + second["entries"]] == [1, 2]


async def test_a_long_poll_ends_with_the_news(running, client, reader):
    """An answer that waits comes as soon as something is revoked."""
    ada = await running.signed_in("ada")
    begun = await read(client, reader)

    answer, _ = await asyncio.gather(
        read(client, reader, begun["cursor"], wait=20), log_out(running.auth, ada)
    )

    assert [entry["subject"] for entry in answer["entries"]] == [ada.principal.session_id]
    assert answer["waited"] < 20


async def test_a_long_poll_without_news_says_when_it_looked(running, client, reader):
    """The seconds waited are counted from the request, so a reader knows its freshness without a clock of ours."""
    begun = await read(client, reader)

    answer = await read(client, reader, begun["cursor"], wait=0.05)

    assert answer["entries"] == []
    assert 0.05 <= answer["waited"] < 5


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=False)
async def test_commits_in_the_opposite_order_of_their_numbers_are_both_seen(running, client, reader, dialect):
    """A transaction that drew the smaller number and committed later is not missed by whoever read in between."""
    revocations, database, now = (
        running.auth.services.sessions.revocations,
        running.auth.services.database,
        running.clock.now(),
    )
    ada, grace = await running.signed_in("ada"), await running.signed_in("grace")
    begun = await read(client, reader)

    async with database.transaction() as slow:
        await revocations.end_session(
            slow,
            ada.principal.session_id,
            of=Caller.of(ada.principal, ORIGIN).identity_id,
            reason="logout",
            by=None,
            now=now,
        )
        await log_out(running.auth, grace)
        between = await read(client, reader, begun["cursor"])
    after = await read(client, reader, between["cursor"])
    again = await read(client, reader, after["cursor"])

    assert [entry["subject"] for entry in between["entries"]] == [grace.principal.session_id]
    assert {entry["subject"] for entry in after["entries"]} == {
        ada.principal.session_id,
        grace.principal.session_id,
    }
    assert [entry["seq"] for entry in after["entries"]] == [1, 2]
    assert again["entries"] == []


async def test_a_long_feed_is_read_by_pages(running, client, reader):
    """More entries than fit into an answer come in several, each once, and only the last one ends the reading."""
    database, moment = running.auth.services.database, running.clock.now() + timedelta(hours=1)
    count = 5_003
    async with database.transaction() as tx:
        for number in range(1, count + 1):
            await tx.execute(
                Query(
                    "INSERT INTO ostiary.revocations (seq, kind, subject, expires_at, revoked_at)"
                    " VALUES ($1, 'session', $2, $3, $3)"
                ),
                number,
                f"ses_{number}",
                moment,
            )

    first = await read(client, reader)
    second = await read(client, reader, first["cursor"])
    third = await read(client, reader, second["cursor"])

    assert [len(first["entries"]), len(second["entries"]), len(third["entries"])] == [5_000, 3, 0]
    assert [first["more"], second["more"]] == [True, False]


def scope_of(reader, query=b"", accept=b"application/json"):
    return {
        "type": "http",
        "method": "GET",
        "path": "/v1/revocations",
        "query_string": query,
        "headers": [(b"accept", accept), (b"authorization", reader["Authorization"].encode())],
        "client": ("127.0.0.1", 1),
    }


async def test_a_poll_ends_when_nobody_waits_for_it(running, client, reader):
    """Whoever closes the connection is not waited for, nor answered."""
    begun = await read(client, reader)
    incoming = iter([{"type": "http.request", "body": b""}, {"type": "http.disconnect"}])
    sent: list = []

    async def receive():
        return next(incoming)

    async def send(message):
        sent.append(message)

    async with asyncio.timeout(20):
        await running.auth(scope_of(reader, f"after={begun['cursor']}&wait=25".encode()), receive, send)

    assert sent == []


async def test_a_worker_that_takes_leave_holds_nobody(running, client, reader):
    """Polls and streams end with what there is, later ones at once; it is not ready, and answers all the same."""
    begun = await read(client, reader)
    held = asyncio.create_task(read(client, reader, begun["cursor"], wait=25))
    sent: asyncio.Queue = asyncio.Queue()
    stream = asyncio.create_task(
        running.auth(scope_of(reader, accept=b"text/event-stream"), asyncio.Event().wait, sent.put)
    )
    await sent.get()
    await sent.get()

    running.auth.drain()
    await stream
    late = await read(client, reader, begun["cursor"], wait=25)
    ready = await client.get("/readyz")

    assert [(await held)["entries"], late["entries"]] == [[], []]
    assert max((await held)["waited"], late["waited"]) < 25
    assert [sent.get_nowait().get("more_body", False) for _ in range(sent.qsize())][-1] is False
    assert (ready.status_code, ready.json()["serving"], ready.headers["retry-after"]) == (503, "failed", "1")
    assert (await running.signed_in("ada")).access_token


async def test_a_stream_tells_news_and_lives_on(running, reader):
    """Server-sent events: the first holds what there is, the next comes with the next revocation."""
    ada = await running.signed_in("ada")
    await log_out(running.auth, await running.signed_in("grace"))
    sent: asyncio.Queue = asyncio.Queue()
    gone = asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = scope_of(reader, accept=b"text/event-stream")
    answering = asyncio.create_task(running.auth(scope, receive, sent.put))
    start, first = await sent.get(), await sent.get()
    await log_out(running.auth, ada)
    second = await sent.get()
    gone.set()
    await answering

    assert (b"content-type", b"text/event-stream") in start["headers"]
    assert grace_and_later(first) == 1
    assert ada.principal.session_id.encode() in second["body"]
    assert second["body"].startswith(b"id: ")


def grace_and_later(message):
    data = next(line for line in message["body"].split(b"\n") if line.startswith(b"data: "))
    return len(msgspec.json.decode(data.removeprefix(b"data: "))["entries"])


@pytest.mark.parametrize(
    "cursor", ["x", "1", "1.2", "1.2.zz", "-1.0.0", "9" * 19 + ".0.0", "1.0.0 ", "\u0661.0.0"]
)
async def test_a_made_up_cursor_is_refused(client, reader, cursor):
    """What this server did not give out is a 400 that names the field."""
    answer = await client.get("/v1/revocations", params={"after": cursor}, headers=reader)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "after"


async def test_only_a_service_with_the_scope_may_read(running, client):
    """Nobody, a person, an administrator, a service without the scope, a made-up credential: none reads the feed."""
    wrong_scope = await service_credential(running.auth, "tokens:introspect")
    ada = await running.signed_in("ada")
    boss = await running.signed_in("boss", entity_type="admin", roles=["ostiary:operator"])
    made_up = {"Authorization": wrong_scope["Authorization"][:-4] + "AAAA"}
    refresh = {"Authorization": f"Bearer {ada.refresh_token}"}

    statuses = [
        (await client.get("/v1/revocations", headers=headers)).status_code
        for headers in ({}, ada.headers, boss.headers, wrong_scope, made_up, refresh)
    ]

    assert statuses == [401, 401, 401, 403, 401, 401]


async def test_a_service_credential_opens_nothing_else(client, reader):
    """It is no access token: a signed-in route refuses it."""
    for path in ("/v1/me", "/v1/me/sessions"):
        assert (await client.get(path, headers=reader)).status_code == 401


async def test_a_dead_service_credential_is_refused_at_the_next_request(running, client):
    """Revoked, expired, or its service suspended: it is dead at once."""
    services, now = running.auth.services, running.clock.now()
    revoked = await service_credential(running.auth, "revocations:read", "tokens:introspect")
    expiring = await service_credential(running.auth, "revocations:read", lifetime=timedelta(hours=1))
    suspended = await service_credential(running.auth, "revocations:read")
    before = [
        (await client.get("/v1/revocations", headers=h)).status_code for h in (revoked, expiring, suspended)
    ]

    listed = await services.service_credentials.list(limit=9)
    first = next(each for each in listed if each.scopes == ["revocations:read", "tokens:introspect"])
    last = next(each for each in listed if each.expires_at is None and each is not first)
    await services.service_credentials.revoke(first.id, by=SYSTEM, now=now)
    await services.administration.suspend(last.identity_id, by=SYSTEM, now=now)
    running.move(hours=1)
    after = [
        (await client.get("/v1/revocations", headers=h)).status_code for h in (revoked, expiring, suspended)
    ]

    assert before == [200, 200, 200]
    assert after == [401, 401, 401]


async def test_a_service_may_introspect_with_its_scope(running, client):
    """RFC 7662: with the scope any token, without it none."""
    ada = await running.signed_in("ada")
    may = await service_credential(running.auth, "tokens:introspect")
    may_not = await service_credential(running.auth, "revocations:read")

    alive = await client.post("/v1/token/introspect", data={"token": ada.access_token}, headers=may)
    refused = await client.post("/v1/token/introspect", data={"token": ada.access_token}, headers=may_not)
    await log_out(running.auth, ada)
    dead = await client.post("/v1/token/introspect", data={"token": ada.access_token}, headers=may)

    assert alive.json()["sub"] == ada.principal.identity_id
    assert refused.status_code == 403
    assert dead.json() == {"active": False}


async def test_while_it_knows_nothing_new_the_server_asks(running, client):
    """A stale worker lets live tokens pass and refuses dead ones, by asking the database about each."""
    ada, grace = await running.signed_in("ada"), await running.signed_in("grace")
    await log_out(running.auth, grace)
    running.clock.move(timedelta(seconds=11))

    answers = [(await client.get("/v1/me", headers=person.headers)).status_code for person in (ada, grace)]

    assert answers == [200, 401]


async def test_ses_05_p3_a_server_told_to_refuse_does_so_when_it_is_stale(migrated_url, tmp_path):
    """`when_stale=refuse` answers 503 with Retry-After instead of asking."""
    from ostiary.testing import auth_for_tests

    stale = {"when_stale": "refuse", "catch_up_interval": "1h", "poll_interval": "1h"}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, revocation=stale) as running:
        transport = httpx2.ASGITransport(app=running.auth)
        base_url = running.auth.settings.public_url
        async with httpx2.AsyncClient(transport=transport, base_url=base_url) as client:
            ada = await running.signed_in("ada")
            running.clock.move(timedelta(seconds=11))

            refused = await client.get("/v1/me", headers=ada.headers)

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
