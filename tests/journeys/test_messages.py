"""Messages from the request that causes them to whoever reads them."""

from __future__ import annotations

import logging

import pytest
from tests.factories import count
from tests.faults.test_disk_full import FullDisk
from tests.features.outbox.test_delivery import Gate

from ostiary.features.audit import SYSTEM
from ostiary.features.outbox import Message, State, Template, Topic
from ostiary.foundation.errors import Undelivered
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

FORGED = [
    {"Host": "evil.example"},
    {"Host": "evil.example:443", "X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"},
    {"Forwarded": "host=evil.example;proto=http"},
    {"X-Original-Host": "evil.example", "X-Host": "evil.example"},
    {"X-Forwarded-Prefix": "/evil.example", "X-Original-URL": "//evil.example/"},
    {"Host": "127.0.0.1:8000\tevil.example"},
]
EVERYTHING = Query(
    """
    SELECT coalesce(subject, '') || ' ' || coalesce(last_error, '') || ' ' || coalesce(dedupe_key, '')
      FROM ostiary.outbox
    """,
    into=str,
)


async def test_rec_02_links_come_from_the_settings_whatever_a_request_says(running, client):
    """Host, Forwarded and their kin change no message and no link."""
    page = f"{running.auth.settings.public_url}/link/reset-password#token="
    for number, headers in enumerate(FORGED):
        await running.signed_in(f"person{number}")
        await running.deliver()
        body = {"identifier": f"person{number}@example.org"}
        answer = await client.post("/v1/password/forgot", json=body, headers=headers)
        (mail,) = await running.deliver()

        assert answer.status_code == 202, headers
        assert page + mail.values["token"] in mail.text.splitlines(), headers
        assert "evil" not in mail.text + mail.html + mail.subject, headers


async def test_rec_02_another_site_causes_no_message(running, client):
    """A page elsewhere cannot have links sent."""
    await running.signed_in("ada")
    headers = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}
    answer = await client.post("/v1/password/forgot", json={"identifier": "ada@example.org"}, headers=headers)

    assert answer.status_code == 403
    assert await running.deliver() == []


async def test_links_lead_to_the_applications_own_pages(migrated_sqlite_url, tmp_path):
    """Where the settings say, under their own path."""
    messages = {"links": "https://app.example.org/account/", "product_name": "Acme"}
    async with auth_for_tests(database_url=migrated_sqlite_url, data=tmp_path, messages=messages) as running:
        services = running.auth.services
        async with services.database.transaction() as tx:
            message = Message.email(Template.RESET_PASSWORD, "ada@example.org", values={"token": "a b/c"})
            services.outbox.add(tx, message, now=running.clock.now())
        (mail,) = await running.deliver()

    assert "https://app.example.org/account/reset-password#token=a%20b%2Fc" in mail.text.splitlines()
    assert "Acme" in mail.text


async def test_rec_05_what_a_message_says_is_in_no_log_metric_or_row(running, client, caplog):
    """Codes, tokens and addresses: sealed while they wait, erased afterwards, and never told of failures."""
    caplog.set_level(logging.DEBUG, logger="ostiary")
    gate = Gate()
    courier = running.auth.services.courier
    courier._transports = {**courier._transports, Topic.EMAIL: gate}
    await running.signed_in("canary")
    for error in (Undelivered("Refused.", is_outage=True), RuntimeError("canary@example.org"), None):
        gate.error = error
        await client.post("/v1/password/forgot", json={"identifier": "canary@example.org"})
        await courier.deliver_due(now=running.clock.now())
        running.move(hours=2)
    operator = await running.operator()
    listed = [
        (await client.get(f"/v1/admin/outbox?state={state}", headers=operator.headers)).text
        for state in State
    ]
    rows = await running.auth.services.database.fetch_all(EVERYTHING)
    metrics = (await client.get("/metrics")).text
    secrets = [message.values["token"] for message in gate.taken if "token" in message.values]

    assert secrets
    for text in (caplog.text, metrics, *listed, *rows):
        assert "canary" not in text
        assert not any(secret in text for secret in secrets)


async def test_f08_a_message_that_cannot_be_marked_goes_again(running):
    """The disk is full between sending and marking: it arrives twice with one id, and is marked when there is room."""
    auth, gate, disk = running.auth, Gate(), FullDisk(running.auth.services.database)
    courier = auth.services.courier
    courier._transports = {**courier._transports, Topic.SMS: gate}
    async with auth.services.database.transaction() as tx:
        message = Message.sms(Template.SIGN_IN_CODE, "+491701234567", values={"code": "314159"})
        auth.services.outbox.add(tx, message, now=running.clock.now())
    (claimed,) = await courier._claim(Topic.SMS, 1, running.clock.now())
    if auth.services.database.dialect == "postgresql":
        await disk.fill("outbox")
        await courier._deliver(claimed, running.clock.now())
        assert await count(auth, "outbox", "delivered_at IS NOT NULL") == 0
        await disk.clear("outbox")
    else:
        await courier._handlers[Topic.SMS](claimed, running.clock.now())

    running.move(minutes=2)
    await courier.deliver_due(now=running.clock.now())

    assert len(gate.taken) == 2
    assert len({message.id for message in gate.taken}) == 1
    assert await count(auth, "outbox", "delivered_at IS NOT NULL") == 1


async def test_an_event_of_a_request_reaches_a_webhook(running, client):
    """What happened over HTTP is told outside, with the dots of the reference's names."""
    services = running.auth.services
    services.outbound._allowed = ()
    await services.messaging.add_endpoint(
        "https://hooks.example.org/", events=["identity.session.*"], by=SYSTEM, now=running.clock.now()
    )
    await running.signed_in("ada")
    await client.post("/v1/login", json={"identifier": "ada@example.org", "password": PASSWORD})
    query = Query("SELECT subject FROM ostiary.outbox WHERE topic = 'event'", into=str)
    events = await services.database.fetch_all(query)

    assert events.count("identity.session.started") == 2
    assert not any(":" in event for event in events)
