"""In which language somebody is written to."""

from __future__ import annotations

import pytest

from ostiary.entrypoints.api.callers import locale_of

KNOWN = {"en", "de", "de-ch"}


class Asked:
    """A request of which only the headers matter."""

    def __init__(self, accepted: bytes | None) -> None:
        self.headers = {} if accepted is None else {b"accept-language": accepted}


@pytest.mark.parametrize(
    ("accepted", "locale"),
    [
        (b"de-CH, de;q=0.9, en;q=0.8", "de-CH"),
        (b"fr, de;q=0.5, en;q=0.7", "en"),
        (b"en;q=0.5, de;q=0.5", "en"),
        (b"de;q=0, en;q=0.1", "en"),
        (b"fr", None),
        (b"*", None),
        (None, None),
        (b"", None),
        (b"../../etc/passwd", None),
        (b"de\x00, ,;;q=1,de;q=9", None),
        (b"\xff\xfe" * 5000 + b", de", None),
    ],
)
def test_the_preferred_of_the_languages_there_are(accepted, locale):
    """By weight, then in order; what is not one of ours, or not a language at all, counts for nothing."""
    assert locale_of(Asked(accepted), lambda tag: tag.lower() in KNOWN) == locale


@pytest.mark.anyio
async def test_a_registration_is_answered_in_the_language_of_the_browser(running, client):
    """The first message, and those that follow."""
    answer = await client.post(
        "/v1/register",
        json={"email": "ada@example.org", "password": "a phrase that only tests know"},
        headers={"Accept-Language": "fr;q=0.9, de-AT;q=0.8"},
    )
    assert answer.status_code == 201
    headers = {"Authorization": f"Bearer {answer.json()['tokens']['access_token']}"}
    await client.post("/v1/verification/email", headers=headers, json={})

    (sent, *_) = await running.deliver()

    assert sent.locale == "de"
