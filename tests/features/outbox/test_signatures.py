"""What a webhook is signed with, and which events a pattern names."""

from __future__ import annotations

import base64

import pytest

from ostiary.features.outbox.model import is_pattern, matches
from ostiary.features.outbox.webhooks import signature


def test_a_signature_is_that_of_the_specification():
    """The example of Standard Webhooks' reference implementations."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'

    # HMAC fills a short key up with zeros itself; ours are never that short.
    signed = signature(secret.ljust(32, b"\0"), "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("pattern", "event", "told"),
    [
        ("*", "identity.account.registered", True),
        ("identity.*", "identity.account.registered", True),
        ("identity.account.*", "identity.account.registered", True),
        ("identity.account.registered", "identity.account.registered", True),
        ("identity.*", "identityless.account.registered", False),
        ("identity.session.*", "identity.account.registered", False),
        ("identity.account", "identity.account.registered", False),
    ],
)
def test_who_asked_for_it_is_told(pattern, event, told):
    """All, those that begin alike, or one."""
    assert matches(pattern, event) is told


@pytest.mark.parametrize(
    "text", ["", "**", "identity*", ".*", "identity..x", "Identity.*", "identity.*.x", "a b"]
)
def test_a_pattern_is_a_name_or_the_beginning_of_one(text):
    """Whatever else is written is a mistake."""
    assert not is_pattern(text)
