"""Webhooks: who is told of what, in the form of Standard Webhooks, once, and not by whoever claims to be us."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.factories import count, registered

from ostiary.features.audit import SYSTEM
from ostiary.features.outbox import EndpointNotFound, InvalidEndpoint, State, Topic
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio


async def endpoint(running, listener, events=("*",), path="/hook"):
    """Make an endpoint; return it and its secret's bytes."""
    made, secret = await running.auth.services.messaging.add_endpoint(
        listener.url + path, events=events, by=SYSTEM, now=running.clock.now()
    )
    return made, _bytes(secret)


def _bytes(secret):
    return base64.b64decode(secret.reveal().removeprefix("whsec_"))


def signed_by(asked):
    """Return which of some secrets signed a request, as the specification says to check it."""

    def is_by(secret):
        text = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
        mine = "v1," + base64.b64encode(hmac.digest(secret, text, "sha256")).decode()
        return mine in asked.headers["webhook-signature"].split(" ")

    return is_by


async def deliver(running):
    return await running.auth.services.courier.deliver_due(now=running.clock.now())


async def test_an_event_is_told_with_its_data_and_a_signature(running, listener):
    """Type, time and data in the body; id, time and signature in headers; nothing about where from."""
    _, secret = await endpoint(running, listener, ["identity.*"])
    made = await registered(running.auth)
    await deliver(running)

    told = {json.loads(asked.body)["type"]: asked for asked in listener.asked}
    asked = told["identity.account.registered"]
    body = json.loads(asked.body)
    assert set(body) == {"type", "timestamp", "data"}
    assert body["data"]["target"]["kind"] == "identity"
    assert datetime.fromisoformat(body["timestamp"]) == running.clock.now()
    assert asked.headers["webhook-timestamp"] == str(int(running.clock.now().timestamp()))
    assert asked.headers["content-type"] == "application/json"
    assert signed_by(asked)(secret)
    assert len(asked.headers["webhook-signature"].split(" ")) == 1
    assert "192.0.2.7" not in asked.body.decode()
    assert made.tokens.access_token.reveal() not in asked.body.decode()


async def test_each_endpoint_gets_one_message_and_others_none(running, listener):
    """Two who want it are told, one who does not is not, one that is disabled is not."""
    await endpoint(running, listener, ["*"], "/all")
    await endpoint(running, listener, ["identity.account.registered"], "/one")
    await endpoint(running, listener, ["role.*"], "/other")
    off, _ = await endpoint(running, listener, ["*"], "/off")
    await running.auth.services.messaging.disable_endpoint(off.id, by=SYSTEM, now=running.clock.now())
    await deliver(running)
    listener.asked.clear()

    await registered(running.auth)
    await deliver(running)

    paths = [
        asked.line.split()[1]
        for asked in listener.asked
        if json.loads(asked.body)["type"] == "identity.account.registered"
    ]
    assert sorted(paths) == ["/all", "/one"]


async def test_without_endpoints_nothing_is_written(running):
    """An installation that tells nobody pays for no rows."""
    await registered(running.auth)

    assert await count(running.auth, "outbox", "topic = 'event'") == 0


async def test_f10_an_event_taken_apart_twice_is_told_once(running, listener):
    """A worker that dies after writing the messages leaves none to be written again."""
    await endpoint(running, listener)
    await deliver(running)
    listener.asked.clear()
    await registered(running.auth)
    services, now = running.auth.services, running.clock.now()
    events = await services.courier._claim(Topic.EVENT, 10, now)
    for event in events:
        await services.webhooks.expand(event, now)

    running.move(minutes=2)
    await deliver(running)

    ids = [asked.headers["webhook-id"] for asked in listener.asked]
    assert len(ids) == len(set(ids)) == len(events)


async def test_f10_a_repetition_has_the_same_id(running, listener):
    """Whoever got it already can tell, though its time and signature are new."""
    await endpoint(running, listener)
    listener.answers(500)
    await deliver(running)
    first = listener.asked[0]
    listener.answers(200)
    running.move(minutes=2)
    await deliver(running)

    again = [
        asked for asked in listener.asked[1:] if asked.headers["webhook-id"] == first.headers["webhook-id"]
    ]
    assert [asked.body for asked in again] == [first.body]
    assert again[0].headers["webhook-timestamp"] != first.headers["webhook-timestamp"]


async def test_after_a_rotation_both_secrets_sign_for_a_day(running, listener):
    """Whoever still checks with the old one is not cut off; after a day it is worth nothing."""
    made, old = await endpoint(running, listener)
    new = _bytes(
        await running.auth.services.messaging.rotate_secret(made.id, by=SYSTEM, now=running.clock.now())
    )
    await deliver(running)
    both = listener.asked[-1]
    running.move(days=1)
    await running.auth.services.messaging.test_endpoint(made.id, now=running.clock.now())
    later = listener.asked[-1]

    assert old != new
    assert (signed_by(both)(old), signed_by(both)(new)) == (True, True)
    assert (signed_by(later)(old), signed_by(later)(new)) == (False, True)


async def test_secrets_are_sealed(running, listener):
    """The database holds nothing that signs."""
    _, secret = await endpoint(running, listener)
    (stored,) = await running.auth.services.database.fetch_all(
        Query("SELECT secret_sealed FROM ostiary.webhook_endpoints", into=bytes)
    )

    assert secret not in stored
    assert base64.b64encode(secret) not in stored


async def test_an_endpoint_that_is_gone_is_told_nothing_more(running, listener, caplog):
    """410 disables it at once; what waits for it dies, and the audit says why."""
    made, _ = await endpoint(running, listener)
    listener.answers(410)
    await deliver(running)
    listener.asked.clear()
    await registered(running.auth)
    await deliver(running)

    assert (await running.auth.services.webhooks.get(made.id)).disabled_at is not None
    assert listener.asked == []
    assert await count(running.auth, "audit_events", "action = 'webhook:endpoint:gone'") == 1
    dead = await running.auth.services.messages.list(State.DEAD, limit=10)
    assert all(entry.topic is Topic.WEBHOOK for entry in dead)
    assert listener.url not in caplog.text


async def test_f18_an_endpoint_that_does_not_answer_holds_up_nobody(running, listener):
    """What waits for it waits a while together, instead of each in turn; the others are told at once."""
    slow, _ = await endpoint(running, listener, path="/slow")
    await deliver(running)
    listener.answers(200)
    update = Query("UPDATE ostiary.webhook_endpoints SET url = 'http://127.0.0.1:1/' WHERE id = $1")
    await running.auth.services.database.execute(update, slow.id)
    await registered(running.auth)
    await running.auth.services.courier.deliver_due(now=running.clock.now())
    await registered(running.auth)
    await deliver(running)

    waiting = await running.auth.services.messages.list(State.PENDING, limit=100)
    assert {entry.endpoint_id for entry in waiting} == {slow.id}
    assert sum(entry.attempts for entry in waiting) < 2 * len(waiting)
    running.move(minutes=1)
    await running.auth.services.database.execute(
        Query("UPDATE ostiary.webhook_endpoints SET url = $1"), listener.url
    )
    listener.asked.clear()
    await deliver(running)
    ids = [asked.headers["webhook-id"] for asked in listener.asked]
    assert len(ids) == len(set(ids)) == len(waiting)


async def test_a_message_that_one_endpoint_refuses_holds_up_no_other(running, listener):
    """An answer about this message alone is no outage: what else waits goes on."""
    await endpoint(running, listener)
    listener.answers(422)
    await deliver(running)
    listener.answers(200)
    listener.asked.clear()
    await registered(running.auth)
    await deliver(running)

    assert len(listener.asked) > 0
    waiting = await running.auth.services.messages.list(State.PENDING, limit=10)
    assert [entry.last_error for entry in waiting] == ["The endpoint answered 422."]


async def test_fed_07_a_private_address_is_no_endpoint(running, listener):
    """Not when it is added, and not when a name leads there later."""
    made, _ = await endpoint(running, listener)
    running.auth.services.outbound._allowed = ()
    with pytest.raises(InvalidEndpoint, match="private network"):
        await endpoint(running, listener)

    refusal = await running.auth.services.messaging.test_endpoint(made.id, now=running.clock.now())

    assert "private network" in refusal
    assert listener.asked == []


UNUSABLE = [
    ("ftp://example.org", ["*"], "url"),
    ("https://user:pw@example.org", ["*"], "url"),
    ("https://example.org/" + "x" * 2000, ["*"], "url"),
    ("https://example.org/", [], "events"),
    ("https://example.org/", ["identity*"], "events"),
    ("https://example.org/", ["no.such.event"], "events"),
    ("https://example.org/", ["identity.account.registered"] * 101, "events"),
]


async def test_an_endpoint_that_cannot_work_is_refused(running):
    """Found when it is made, with what is wrong."""
    refused = []
    for url, events, _ in UNUSABLE:
        with pytest.raises(InvalidEndpoint) as refusal:
            await running.auth.services.messaging.add_endpoint(
                url, events=events, by=SYSTEM, now=running.clock.now()
            )
        refused.append(refusal.value.field)

    assert refused == [field for _, _, field in UNUSABLE]
    assert await count(running.auth, "webhook_endpoints") == 0


async def test_an_endpoint_comes_and_goes(running, listener):
    """Disabled, enabled, removed with what waits for it; each once in the audit."""
    messaging, now = running.auth.services.messaging, running.clock.now()
    made, _ = await endpoint(running, listener)
    for _ in range(2):
        disabled = await messaging.disable_endpoint(made.id, by=SYSTEM, now=now)
    enabled = await messaging.enable_endpoint(made.id, by=SYSTEM, now=now)
    await messaging.remove_endpoint(made.id, by=SYSTEM, now=now)
    with pytest.raises(EndpointNotFound):
        await messaging.enable_endpoint(made.id, by=SYSTEM, now=now)

    assert (disabled.disabled_at, enabled.disabled_at) == (now, None)
    assert await count(running.auth, "webhook_endpoints") == 0
    for verb in ("added", "disabled", "enabled", "removed"):
        assert await count(running.auth, "audit_events", f"action = 'webhook:endpoint:{verb}'") == 1


async def test_dead_messages_go_again_all_at_once(running, listener):
    """After the receiver was repaired, one word is enough."""
    await endpoint(running, listener)
    listener.answers(410)
    await deliver(running)
    listener.answers(200)
    (made,) = await running.auth.services.webhooks.list()
    now = running.clock.now()
    await running.auth.services.messaging.enable_endpoint(made.id, by=SYSTEM, now=now)
    dead = await count(running.auth, "outbox", "failed_at IS NOT NULL")

    retried = await running.auth.services.messaging.retry_dead(Topic.WEBHOOK, by=SYSTEM, now=now)
    await deliver(running)

    assert retried == dead > 0
    assert await count(running.auth, "outbox", "failed_at IS NOT NULL") == 0
    assert datetime.now(UTC) - now < timedelta(days=1)
