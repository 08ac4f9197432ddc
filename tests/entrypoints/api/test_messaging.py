"""Operators over HTTP: webhooks and the outbox."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from tests.factories import count
from tests.listener import Listener

from ostiary.features.outbox import Message, Template

pytestmark = pytest.mark.anyio

ENDPOINTS = "/v1/admin/webhook-endpoints"


@pytest.fixture
async def listener(auth):
    auth.services.outbound._allowed = (ip_network("127.0.0.0/8"),)
    async with Listener().listening() as opened:
        yield opened


@pytest.fixture
async def operator(running):
    return await running.operator()


async def test_an_endpoint_is_added_listed_tested_rotated_and_removed(running, client, operator, listener):
    """The secret is shown when it is made and never again."""
    made = await client.post(
        ENDPOINTS,
        json={"url": listener.url, "events": ["identity.*"], "description": "the shop"},
        headers=operator.headers,
    )
    endpoint, secret = made.json()["endpoint"], made.json()["secret"]
    one = f"{ENDPOINTS}/{endpoint['id']}"
    listed = await client.get(ENDPOINTS, headers=operator.headers)
    called = await client.post(f"{one}/test", headers=operator.headers)
    listener.answers(503)
    missed = await client.post(f"{one}/test", headers=operator.headers)
    rotated = await client.post(f"{one}/rotate", headers=operator.headers)
    disabled = await client.patch(one, json={"disabled": True}, headers=operator.headers)
    removed = await client.delete(one, headers=operator.headers)
    gone = await client.delete(one, headers=operator.headers)

    assert (made.status_code, endpoint["id"][:4], secret[:6]) == (201, "whe_", "whsec_")
    assert listed.json()["endpoints"] == [endpoint]
    assert secret not in listed.text
    assert endpoint["created_by"] == operator.principal.identity_id
    assert called.json() == {"delivered": True, "error": None}
    assert missed.json() == {"delivered": False, "error": "The endpoint answered 503."}
    assert rotated.json()["secret"] not in {secret, ""}
    assert disabled.json()["disabled_at"] is not None
    assert (removed.status_code, gone.status_code) == (204, 404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://169.254.169.254/latest", "events": ["*"]}, "url"),
        ({"url": "https://10.0.0.1/", "events": ["*"]}, "url"),
        ({"url": "https://example.org/", "events": ["nothing.like.this"]}, "events"),
    ],
)
async def test_fed_07_an_endpoint_that_cannot_be_is_refused_with_its_field(
    auth, client, operator, body, field
):
    """400, and nothing is made."""
    refused = await client.post(ENDPOINTS, json=body, headers=operator.headers)

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == field
    assert await count(auth, "webhook_endpoints") == 0


async def test_adm_01_only_operators_may(running, client):
    """Neither nobody, nor users, nor administrators without the role."""
    user = await running.signed_in("ada", roles=["ostiary:operator"])
    helper = await running.signed_in("helper", entity_type="admin")
    for path in (ENDPOINTS, "/v1/admin/outbox"):
        statuses = [
            (await client.get(path, headers=headers)).status_code
            for headers in ({}, user.headers, helper.headers)
        ]

        assert statuses == [401, 403, 403]


async def test_what_is_dead_is_listed_and_sent_again(running, client, operator):
    """By state and topic; an operator sees why, and never to whom or what."""
    services = running.auth.services
    async with services.database.transaction() as tx:
        message = Message.sms(Template.SIGN_IN_CODE, "+491701234567")
        services.outbox.add(tx, message, now=running.clock.now())
    await services.courier.deliver_due(now=running.clock.now())
    dead = await client.get("/v1/admin/outbox?state=dead", headers=operator.headers)
    (entry,) = dead.json()["messages"]
    other = await client.get("/v1/admin/outbox?state=dead&topic=email", headers=operator.headers)
    older = await client.get(f"/v1/admin/outbox?state=dead&before={entry['id']}", headers=operator.headers)
    again = await client.post(f"/v1/admin/outbox/{entry['id']}/retry", headers=operator.headers)
    unknown = await client.post(
        "/v1/admin/outbox/msg_01jd2m9q5ze8xv6k3w0t7r4ahc/retry", headers=operator.headers
    )
    nonsense = await client.get("/v1/admin/outbox?state=lost", headers=operator.headers)

    assert (entry["subject"], entry["state"], entry["topic"]) == ("sign_in_code", "dead", "sms")
    assert "without code" in entry["last_error"]
    assert "+4917" not in dead.text
    assert other.json()["messages"] == older.json()["messages"] == []
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (202, "pending", 0)
    assert (unknown.status_code, nonsense.status_code) == (404, 400)
    assert await count(running.auth, "audit_events", "action = 'outbox:message:retried'") == 1
