"""Refresh tokens of providers, and providers that are not there (F18)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.features.upstream.conftest import Visits, configured
from tests.hostile_provider import DISCOVERY, MISSING, TOKEN, Answer, HostileProvider

from ostiary.features.upstream import UpstreamReason, UpstreamRefused, UpstreamUnavailable
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

R = UpstreamReason


@pytest.fixture
def visits(lone_database, provider, clock):
    return Visits(lone_database, configured(acme=provider.settings()), clock)


async def refresh(visits, tokens, account_id="acme-alice"):
    return await visits.upstream.refresh("acme", tokens.refresh_token, account_id=account_id, now=visits.now)


async def refusal(coming):
    with pytest.raises(UpstreamRefused) as refused:
        await coming
    return refused.value.reason


async def test_a_refresh_token_gets_new_tokens(visits, provider):
    """What the provider does not repeat is None."""
    tokens = (await visits.sign_in(provider)).tokens
    rotated = await refresh(visits, tokens)
    provider.refresh_rotates = False
    kept = await refresh(visits, rotated)

    assert rotated.access_token != tokens.access_token
    assert rotated.refresh_token not in {None, tokens.refresh_token}
    assert kept.refresh_token is None


@pytest.mark.parametrize("error", ["invalid_grant", "bad_refresh_token"])
@pytest.mark.parametrize("status", [200, 400, 401])
async def test_a_dead_refresh_token_is_told_apart(visits, provider, error, status):
    """Whatever the status: GitHub's is 200."""
    tokens = (await visits.sign_in(provider)).tokens
    provider.bends.answers[TOKEN] = Answer(status, b'{"error": "%s"}' % error.encode())

    assert await refusal(refresh(visits, tokens)) is R.GRANT_ENDED


@pytest.mark.parametrize(
    "answer",
    [
        Answer(401, b'{"error": "invalid_client"}'),
        Answer(400, b'{"error": {"code": 400, "message": "TOKEN_EXPIRED"}}'),
        Answer(403, b"no"),
        Answer(404, b""),
        Answer(429, b'{"error": "invalid_grant"}'),
        Answer(500, b'{"error": "invalid_grant"}'),
        Answer(302, b"", {"location": "http://169.254.169.254/"}),
        Answer(200, b"<html>"),
        Answer(200, b"[" * 100_000),
    ],
    ids=lambda answer: f"{answer.status} {answer.body[:12]!r}",
)
async def test_f18_what_says_nothing_about_the_grant_ends_nothing(visits, provider, answer):
    """A wrong client, an outage, garbage and a redirect leave the account connected."""
    tokens = (await visits.sign_in(provider)).tokens
    provider.bends.answers[TOKEN] = answer

    with pytest.raises(UpstreamUnavailable) as unavailable:
        await refresh(visits, tokens)

    assert tokens.refresh_token.reveal() not in str(unavailable.value)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"sub": "somebody-else"}, R.WRONG_SUBJECT),
        ({"iss": "https://evil.example"}, R.WRONG_ISSUER),
        ({"aud": "somebody-else"}, R.WRONG_AUDIENCE),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, R.WRONG_HASH),
    ],
    ids=str,
)
async def test_fed_04_a_refreshed_id_token_is_about_the_same(visits, provider, claims, reason):
    """By the same, for the same; else the tokens are somebody else's."""
    tokens = (await visits.sign_in(provider)).tokens
    provider.bends.claims = claims

    assert await refusal(refresh(visits, tokens)) is reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"access_token": MISSING}, R.MALFORMED),
        ({"access_token": 7}, R.MALFORMED),
        ({"access_token": ""}, R.MALFORMED),
        ({"access_token": "a\r\nb"}, R.MALFORMED),
        ({"token_type": "mac"}, R.MALFORMED),
        ({"token_type": ["Bearer"]}, R.MALFORMED),
        ({"id_token": MISSING}, R.NO_ID_TOKEN),
        ({"id_token": {}}, R.NO_ID_TOKEN),
        ({"error": "invalid_grant"}, R.CODE_REFUSED),
    ],
    ids=str,
)
async def test_tokens_in_another_form_are_refused(visits, provider, answer, reason):
    """Each member is what it should be, or there is no sign-in."""
    provider.bends.token_answer = answer

    assert await refusal(visits.sign_in(provider)) is reason


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("3600", 3600),
        (60, 60),
        (0.5, 0.5),
        (0, None),
        (-1, None),
        ("soon", None),
        (True, None),
        (1e300, 315360000),
        (MISSING, None),
    ],
    ids=str,
)
async def test_lifetimes_are_read_as_providers_write_them(visits, provider, said, seconds):
    """As numbers or as their text; what makes no sense is not known."""
    provider.bends.token_answer = {"expires_in": said}
    ends_at = (await visits.sign_in(provider)).tokens.access_token_expires_at

    assert ends_at == (None if seconds is None else visits.now + timedelta(seconds=seconds))


async def test_f18_a_provider_that_is_down_is_left_alone(visits, provider, clock):
    """Five failures in a row open the circuit; then nobody asks for half a minute, and one tries."""
    tokens = (await visits.sign_in(provider)).tokens
    provider.down = True
    asked = provider.count(TOKEN)
    for _ in range(20):
        with pytest.raises(UpstreamUnavailable) as unavailable:
            await refresh(visits, tokens)
    assert provider.count(TOKEN) == asked + 5
    assert unavailable.value.retry_after == timedelta(seconds=30)

    clock.move(timedelta(seconds=30))
    came = await asyncio.gather(*(refresh(visits, tokens) for _ in range(16)), return_exceptions=True)
    assert {type(one) for one in came} == {UpstreamUnavailable}
    assert provider.count(TOKEN) == asked + 6

    provider.down = False
    clock.move(timedelta(seconds=30))
    assert (await refresh(visits, tokens)).access_token is not None


async def test_f18_one_provider_down_is_not_another(lone_database, provider, clock):
    """Each has a circuit of its own."""
    async with HostileProvider(clock=clock, name="other").listening() as other:
        visits = Visits(lone_database, configured(acme=provider.settings(), other=other.settings()), clock)
        provider.down = True
        for _ in range(8):
            with pytest.raises(UpstreamUnavailable):
                await visits.begin("acme")

        assert (await visits.sign_in(other, name="other")).identity.account_id == "other-alice"
        assert provider.count(DISCOVERY) == 5


async def test_a_refusal_is_no_outage(visits, provider):
    """Whoever brings bad codes closes the provider for nobody."""
    for _ in range(8):
        begun = await visits.begin()
        assert (
            await refusal(visits.come_back(begun, provider.approve(begun.url) | {"code": "x"}))
            is R.CODE_REFUSED
        )

    assert (await visits.sign_in(provider)).identity.account_id == "acme-alice"


async def test_f18_a_silent_provider_is_left_after_seconds(visits, provider, monkeypatch):
    """The limit is over everything: silence, and bytes that come one by one."""
    monkeypatch.setattr("ostiary.features.upstream.calls._LIMIT", timedelta(milliseconds=100))
    for answer in (Answer(silent=True), Answer(body=b"{" + b" " * 1000, drip=0.05)):
        provider.bends.answers[DISCOVERY] = answer
        with pytest.raises(UpstreamUnavailable):
            await visits.begin()


async def test_fed_07_an_answer_that_is_too_long_is_not_read(visits, provider):
    """Metadata of a megabyte are none."""
    provider.bends.answers[DISCOVERY] = Answer(body=b'{"x": "' + b"x" * 1_000_000 + b'"}')

    with pytest.raises(UpstreamUnavailable):
        await visits.begin()


async def test_nothing_secret_is_in_the_log(visits, provider, caplog):
    """What fails is told with the provider's name, and nothing of what was sent or answered."""
    caplog.set_level("DEBUG")
    tokens = (await visits.sign_in(provider)).tokens
    provider.bends.answers[TOKEN] = Answer(500, tokens.access_token.reveal().encode())
    with pytest.raises(UpstreamUnavailable):
        await refresh(visits, tokens)
    secrets = [tokens.access_token, tokens.refresh_token, tokens.id_token, Secret(provider.client_secret)]

    assert "The provider acme could not be asked" in caplog.text
    assert [secret for secret in secrets if secret.reveal() in caplog.text] == []
