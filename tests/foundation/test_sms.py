"""SMS gateways: what each is sent, and what its answers mean for one message and for all."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from ipaddress import ip_network
from urllib.parse import parse_qsl

import pytest
from tests.listener import Listener

from ostiary.foundation.errors import OstiaryError, Undelivered
from ostiary.foundation.outbound import Outbound
from ostiary.foundation.secret import Secret
from ostiary.foundation.sigv4 import signed_headers
from ostiary.foundation.sms import FIELDS, HttpGateway, Sns, TextMessage, Twilio, sms_gateway_at
from ostiary.testing import MovableClock

pytestmark = pytest.mark.anyio

MESSAGE = TextMessage("msg_1", "+491701234567", "314159 is your code & more {to}")
CLOCK = MovableClock(datetime(2026, 3, 1, 9, tzinfo=UTC))


@pytest.fixture
async def listener():
    async with Listener().listening() as opened:
        yield opened


@pytest.fixture
def outbound():
    return Outbound(allowed_networks=[ip_network("127.0.0.0/8")])


def twilio(listener, outbound, sender="+15005550006"):
    return Twilio("AC1", Secret("token"), sender=sender, outbound=outbound, at=listener.url)


def sns(listener, outbound):
    return Sns(
        "AKID", Secret("x" * 40), region="eu-central-1", sender="Acme", outbound=outbound, clock=CLOCK, at=listener.url
    )  # fmt: skip


def own(listener, outbound):
    return HttpGateway(f"{listener.url}/send", Secret("Bearer key"), fields=FIELDS, outbound=outbound)


async def test_twilio_is_asked_as_it_documents(listener, outbound):
    """Basic credentials, a form, the number with its plus."""
    listener.answers(201, b'{"sid": "SM1"}')
    await twilio(listener, outbound).send(MESSAGE)
    await twilio(listener, outbound, sender="MG123").send(MESSAGE)

    first, second = listener.asked
    assert first.line == "POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1"
    assert base64.b64decode(first.headers["authorization"].removeprefix("Basic ")) == b"AC1:token"
    assert dict(parse_qsl(first.body.decode())) == {
        "To": MESSAGE.to,
        "From": "+15005550006",
        "Body": MESSAGE.text,
    }
    assert dict(parse_qsl(second.body.decode()))["MessagingServiceSid"] == "MG123"


async def test_sns_is_asked_with_a_signature(listener, outbound):
    """A transactional message with the sender's name."""
    listener.answers(
        200, b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
    )
    await sns(listener, outbound).send(MESSAGE)

    (asked,) = listener.asked
    form = dict(parse_qsl(asked.body.decode()))
    assert (form["Action"], form["PhoneNumber"], form["Message"]) == ("Publish", MESSAGE.to, MESSAGE.text)
    assert form["MessageAttributes.entry.1.Value.StringValue"] == "Transactional"
    assert form["MessageAttributes.entry.2.Value.StringValue"] == "Acme"
    assert asked.headers["x-amz-date"] == "20260301T090000Z"
    assert asked.headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKID/20260301/eu-central-1/sns/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, Signature="
    )


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "service", "signature"),
    [
        ("GET", "https://example.amazonaws.com/", {}, b"", "service",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "https://example.amazonaws.com/", {}, b"", "service",
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("POST", "https://example.amazonaws.com/", {"Content-Type": "application/x-www-form-urlencoded"},
         b"Param1=value1", "service", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        ("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
         {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, b"", "iam",
         "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"),
    ],
)  # fmt: skip
def test_the_published_vectors_of_signature_version_4_hold(method, url, headers, body, service, signature):
    """get-vanilla, post-vanilla, post-x-www-form-urlencoded, and the example of the documentation."""
    signed = signed_headers(
        url,
        headers,
        body,
        method=method,
        key_id="AKIDEXAMPLE",
        secret=Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region="us-east-1",
        service=service,
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )

    assert signed["authorization"].endswith(f"Signature={signature}")


async def test_a_gateway_of_ones_own_takes_json(listener, outbound):
    """The fields of the settings, filled once, with a key that tells a repetition."""
    await own(listener, outbound).send(MESSAGE)
    other = HttpGateway(listener.url, None, fields={"text": "Acme: {text}", "n": "{to}"}, outbound=outbound)
    await other.send(MESSAGE)

    first, second = listener.asked
    assert json.loads(first.body) == {"id": "msg_1", "to": MESSAGE.to, "text": MESSAGE.text}
    assert first.headers["authorization"] == "Bearer key"
    assert first.headers["idempotency-key"] == "msg_1"
    assert json.loads(second.body) == {"text": f"Acme: {MESSAGE.text}", "n": MESSAGE.to}
    assert "authorization" not in second.headers


GARBAGE = b"<html>\x00 welcome " + MESSAGE.to.encode()
NEVER = (True, False)
LATER = (False, False)
OUTAGE = (False, True)


@pytest.mark.parametrize(
    ("gateway", "status", "body", "meant"),
    [
        (twilio, 400, b'{"code": 21211, "message": "+491701234567"}', NEVER),
        (twilio, 400, b'{"code": 21610}', NEVER),
        (twilio, 400, b'{"code": 1}', LATER),
        (twilio, 401, b"{}", OUTAGE),
        (twilio, 429, b"{}", OUTAGE),
        (twilio, 500, GARBAGE, OUTAGE),
        (twilio, 200, GARBAGE, OUTAGE),
        (twilio, 201, b"[]", OUTAGE),
        (twilio, 302, b"", LATER),
        (sns, 400, b"<Error><Code>InvalidParameter</Code></Error>", NEVER),
        (sns, 400, b"<Error><Code>OptedOut</Code></Error>", NEVER),
        (sns, 400, b"<Error><Code>Throttling</Code></Error>", LATER),
        (sns, 403, b"<Error><Code>InvalidClientTokenId</Code></Error>", OUTAGE),
        (sns, 200, GARBAGE, OUTAGE),
        (own, 503, GARBAGE, OUTAGE),
        (own, 404, b"", OUTAGE),
        (own, 422, b"", LATER),
    ],
)
async def test_f18_every_answer_means_something_and_none_is_repeated(
    listener, outbound, gateway, status, body, meant
):
    """Never, later, or nobody's at the moment; a number that the gateway quotes is not told on (REC-05)."""
    listener.answers(status, body)

    with pytest.raises(Undelivered) as undelivered:
        await gateway(listener, outbound).send(MESSAGE)

    assert (undelivered.value.is_final, undelivered.value.is_outage) == meant
    assert MESSAGE.to not in str(undelivered.value)


async def test_f18_a_gateway_that_is_not_there_is_an_outage(outbound):
    """Nobody's message is taken, and each is tried again."""
    listener = Listener()
    listener.port = 1
    with pytest.raises(Undelivered, match="could not be asked") as undelivered:
        await own(listener, outbound).send(MESSAGE)

    assert undelivered.value.is_outage


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("console:", "ConsoleSms"),
        ("twilio://AC1:tok%2Fen@/?from=+15005550006", "Twilio"),
        ("sns://AKID:secret@eu-central-1/?sender=Acme", "Sns"),
        ("sns://AKID:secret@us-gov-west-1", "Sns"),
        ("https://gateway.example/send", "HttpGateway"),
        ("https://name:password@gateway.example/send", "HttpGateway"),
    ],
)
def test_a_url_names_a_gateway(outbound, url, kind):
    """Four kinds, credentials in the URL."""
    gateway = sms_gateway_at(url, outbound=outbound, clock=CLOCK)

    assert type(gateway).__name__ == kind
    assert getattr(gateway, "_sender", None) in (None, {"From": "+15005550006"})
    assert "password" not in getattr(gateway, "_url", "")


@pytest.mark.parametrize(
    "url",
    ["", "twilio://AC1:token@/", "twilio://AC1@/?from=1", "sns://a:b@nowhere", "smpp://host", "https:///x"],
)
def test_a_url_that_names_none_is_refused_without_being_repeated(outbound, url):
    """It may hold a password."""
    with pytest.raises(OstiaryError, match="not one we know") as refused:
        sms_gateway_at(url, outbound=outbound, clock=CLOCK)

    assert not url or url not in str(refused.value)


async def test_the_console_shows_everything(outbound, capsys):
    """Whoever develops reads the code there."""
    await sms_gateway_at("console:", outbound=outbound, clock=CLOCK).send(MESSAGE)

    assert MESSAGE.text in capsys.readouterr().err
