"""ID tokens that an application of ours brings, or that a provider gives us for a password (FED-03, FED-04)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.features.upstream.conftest import Visits, configured
from tests.hostile_provider import MISSING

from ostiary.features.upstream import UnknownProvider, UpstreamReason, UpstreamRefused
from ostiary.features.vault import UpstreamTokens
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

R = UpstreamReason
NO_TOKENS = UpstreamTokens()


@pytest.fixture
def visits(migrated, provider, clock):
    """The same provider as Google, of which we have two applications, and as Firebase and a plain one."""
    sections = {
        "google": provider.settings(kind="google", audiences=["our-android-app"]),
        "firebase": provider.settings(kind="firebase"),
        "plain": provider.settings(),
    }
    return Visits(migrated, configured(**sections), clock)


async def nonce_for(visits, name="google"):
    async with visits.upstream._database.transaction() as tx:
        return visits.upstream.issue_nonce(tx, name, now=visits.now)


async def arrive(visits, token, nonce, name="google", tokens=NO_TOKENS):
    arrived = await visits.upstream.arrive_with_token(name, Secret(token), nonce, tokens, now=visits.now)
    return arrived.identity.account_id


async def refusal(coming):
    with pytest.raises(UpstreamRefused) as refused:
        await coming
    return refused.value.reason


async def test_fed_03_a_token_for_our_nonce_is_believed_once(visits, provider):
    """The second time its nonce is used up, though the token is the same and good."""
    nonce = await nonce_for(visits)
    token = provider.id_token(nonce=nonce.reveal())

    assert await arrive(visits, token, nonce) == "acme-alice"
    assert await refusal(arrive(visits, token, nonce)) is R.WRONG_NONCE


async def test_fed_03_of_sixteen_with_one_nonce_one_arrives(visits, provider):
    """The row decides the race."""
    nonce = await nonce_for(visits)
    token = provider.id_token(nonce=nonce.reveal())
    came = await asyncio.gather(*(arrive(visits, token, nonce) for _ in range(16)), return_exceptions=True)

    assert sorted(map(str, came)).count("acme-alice") == 1
    assert [one.reason for one in came if isinstance(one, UpstreamRefused)] == [R.WRONG_NONCE] * 15


async def test_fed_03_a_nonce_is_for_one_provider_and_ten_minutes(visits, provider, clock):
    """Another provider's, one that is over, one of nobody's and none at all are refused."""
    with pytest.raises(UnknownProvider):
        await nonce_for(visits, "plain")
    others, late = await nonce_for(visits, "firebase"), await nonce_for(visits)

    assert await refusal(arrive(visits, provider.id_token(nonce=others.reveal()), others)) is R.WRONG_NONCE
    for made_up in (None, Secret(""), Secret("x"), Secret("ost_nonce_" + "0" * 26 + "_" + "A" * 43)):
        assert await refusal(arrive(visits, provider.id_token(), made_up)) is R.WRONG_NONCE
    clock.move(timedelta(minutes=10))
    assert await refusal(arrive(visits, provider.id_token(nonce=late.reveal()), late)) is R.WRONG_NONCE


async def test_fed_04_a_token_without_our_nonce_is_refused(visits, provider):
    """The nonce that was asked for has to be in it; a state of a flow is no nonce."""
    for said in (MISSING, "another"):
        nonce = await nonce_for(visits)
        assert await refusal(arrive(visits, provider.id_token(nonce=said), nonce)) is R.WRONG_NONCE


async def test_fed_04_a_token_for_our_other_application_is_for_us(visits, provider):
    """Those that are named, and no other; for the code flow, which they have no part in, not even those."""
    for audience, presenter in (("our-android-app", MISSING), (provider.client_id, "our-android-app")):
        nonce = await nonce_for(visits)
        token = provider.id_token(nonce=nonce.reveal(), aud=audience, azp=presenter)
        assert await arrive(visits, token, nonce) == "acme-alice"
    for audience, presenter in (("another", MISSING), ("our-android-app", "another")):
        nonce = await nonce_for(visits)
        token = provider.id_token(nonce=nonce.reveal(), aud=audience, azp=presenter)
        assert await refusal(arrive(visits, token, nonce)) is R.WRONG_AUDIENCE
    begun = await visits.begin("google")
    provider.bends.claims = {"aud": "our-android-app"}
    assert await refusal(visits.come_back(begun, provider.approve(begun.url), "google")) is R.WRONG_AUDIENCE


async def test_fed_04_an_access_token_that_comes_along_must_belong_to_it(visits, provider):
    """`at_hash` binds the two, where there is one."""
    nonce = await nonce_for(visits)
    token = provider.id_token(nonce=nonce.reveal(), access_token="its own")
    tokens = UpstreamTokens(access_token=Secret("of somebody else"))

    assert await refusal(arrive(visits, token, nonce, tokens=tokens)) is R.WRONG_HASH


async def test_fed_03_a_token_that_can_have_no_nonce_is_good_once(visits, provider):
    """Of sixteen who bring it one arrives; another token of the same person is good again."""
    token = provider.id_token(jti="one")
    came = await asyncio.gather(
        *(arrive(visits, token, None, "firebase") for _ in range(16)), return_exceptions=True
    )

    assert sorted(map(str, came)).count("acme-alice") == 1
    assert [one.reason for one in came if isinstance(one, UpstreamRefused)] == [R.REPLAYED] * 15
    assert await arrive(visits, provider.id_token(jti="other"), None, "firebase") == "acme-alice"


@pytest.mark.parametrize("claim", ["auth_time", "iat"])
async def test_fed_03_a_token_that_can_have_no_nonce_must_be_fresh(visits, provider, clock, claim):
    """Somebody signed in within five minutes, and it was made within them, but for a minute of skew."""
    at = int(clock.now().timestamp())

    assert await arrive(visits, provider.id_token(**{claim: at - 360}), None, "firebase") == "acme-alice"
    assert (
        await refusal(arrive(visits, provider.id_token(**{claim: at - 361}), None, "firebase")) is R.EXPIRED
    )


async def test_fed_03_a_nonce_is_checked_where_it_is_not_needed(visits, provider):
    """Whoever has one is held to it."""
    nonce = await nonce_for(visits, "firebase")
    token = provider.id_token()

    assert await refusal(arrive(visits, token, nonce, "firebase")) is R.WRONG_NONCE


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({}, None),
        ({"iss": "https://evil.example"}, R.WRONG_ISSUER),
        ({"aud": "another"}, R.WRONG_AUDIENCE),
        ({"exp": MISSING}, R.MISSING_CLAIM),
        ({"auth_time": 0}, R.EXPIRED),
        ({"firebase": {"sign_in_provider": "anonymous"}}, R.WRONG_TYPE),
    ],
    ids=str,
)
async def test_the_emulator_of_firebase_signs_nothing_and_everything_else_is_checked(
    lone_database, provider, clock, claims, reason
):
    """For development alone; there, too, a token is for us, of our project, fresh, and good once."""
    visits = Visits(
        lone_database, configured(firebase=provider.settings(kind="firebase", emulator=True)), clock
    )
    provider.bends.unsigned = True
    token = provider.id_token(**claims)

    if reason is None:
        assert await arrive(visits, token, None, "firebase") == "acme-alice"
        assert await refusal(arrive(visits, token, None, "firebase")) is R.REPLAYED
        assert await refusal(arrive(visits, token + "AAAA", None, "firebase")) is R.BAD_SIGNATURE
    else:
        assert await refusal(arrive(visits, token, None, "firebase")) is reason


async def test_firebase_has_no_way_there(visits):
    """An application signs in by itself; no browser is sent."""
    with pytest.raises(UnknownProvider):
        await visits.begin("firebase")


async def test_tokens_that_a_provider_gives_us_for_a_password_are_checked_alike(visits, provider):
    """By whom, for whom, fresh and whose; only there is no nonce, as nobody was asked to send one."""
    tokens = UpstreamTokens(access_token=Secret("a"), id_token=Secret(provider.id_token(access_token="a")))
    arrived = await visits.upstream.arrive_directly("plain", tokens, now=visits.now)
    provider.bends.claims = {"aud": "another"}
    bent = UpstreamTokens(id_token=Secret(provider.id_token()))

    assert arrived.identity.account_id == "acme-alice"
    assert arrived.tokens is tokens
    assert await refusal(visits.upstream.arrive_directly("plain", bent, now=visits.now)) is R.WRONG_AUDIENCE
    assert await refusal(visits.upstream.arrive_directly("plain", NO_TOKENS, now=visits.now)) is R.NO_ID_TOKEN
