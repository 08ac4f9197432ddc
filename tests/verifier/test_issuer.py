"""What an issuer's refusal tells a verifier."""

from datetime import timedelta

import pytest
from tests.verifier.issuer import CREDENTIAL, FEED, KEYS, Raw, issuer_on_loopback

from ostiary.foundation.secret import Secret
from ostiary.testing import MovableClock
from ostiary.verifier.issuer import IssuerClient, IssuerProblem

Reason = IssuerProblem.Reason
pytestmark = pytest.mark.anyio


@pytest.fixture
def issuer():
    with issuer_on_loopback(MovableClock()) as issuer:
        yield issuer


@pytest.fixture
async def client(issuer):
    client = IssuerClient(issuer.url, Secret(CREDENTIAL))
    yield client
    await client.close()


async def problem(client) -> IssuerProblem:
    with pytest.raises(IssuerProblem) as refused:
        await client.revocations(after=None, wait=0, patience=10)
    return refused.value


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (302, Reason.REQUEST),
        (400, Reason.REQUEST),
        (401, Reason.CREDENTIAL),
        (403, Reason.CREDENTIAL),
        (429, Reason.BUSY),
        (500, Reason.BUSY),
        (503, Reason.BUSY),
        (None, Reason.UNREACHABLE),
    ],
)
async def test_a_refusal_has_a_reason(issuer, client, status, reason):
    """What the operator has to do depends on it, and no message holds the credential."""
    issuer.break_at(FEED, Raw(status=status))
    refused = await problem(client)

    assert refused.reason is reason
    assert CREDENTIAL not in str(refused)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("86400", 30), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0), ("9" * 4000, 0), ("", 0)],
)
async def test_retry_after_is_believed_within_reason(issuer, client, header, seconds):
    """Seconds count, up to half a minute; a date would compare two clocks."""
    issuer.break_at(FEED, Raw(status=503, headers={"Retry-After": header}))

    assert (await problem(client)).retry_after == timedelta(seconds=seconds)


async def test_an_answer_that_does_not_come_is_given_up(issuer, client):
    """One deadline covers the whole answer."""
    issuer.is_silent = True
    first = await client.revocations(after=None, wait=0, patience=10)

    with pytest.raises(IssuerProblem) as refused:
        await client.revocations(after=first.cursor, wait=1, patience=-0.9)
    assert refused.value.reason is Reason.UNREACHABLE


async def test_keys_are_fetched_past_caches(issuer, client):
    """An answer of five minutes ago is of no use to whoever looks for a new key."""
    keys = await client.keys()
    asked = issuer.requests[-1]

    assert (asked["path"], asked["cache_control"]) == (KEYS, "no-cache")
    assert keys == {"key-1": issuer.key.public}
