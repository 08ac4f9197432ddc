"""Logout tokens of providers (LOG-02; OpenID Connect Back-Channel Logout 1.0 §2.4 to §2.6)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.features.upstream.conftest import NONCE, Judge
from tests.hostile_provider import MISSING

from ostiary.features.upstream import UnknownProvider, UpstreamReason, UpstreamRefused
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

R = UpstreamReason
EVENT = "http://schemas.openid.net/event/backchannel-logout"


async def refusal(coming):
    with pytest.raises(UpstreamRefused) as refused:
        await coming
    return refused.value.reason


@pytest.mark.parametrize(
    ("person", "sid", "whom"),
    [
        ("alice", None, ("acme-alice", None)),
        (None, "sid-1", (None, "sid-1")),
        ("alice", "sid-1", ("acme-alice", "sid-1")),
    ],
)
async def test_log_02_a_logout_token_says_whom_it_is_about(judge, provider, clock, person, sid, whom):
    """All sessions of an account, or one."""
    told = await judge.logout(provider.logout_token(person, sid=sid))

    assert (told.account_id, told.session_id) == whom
    assert (told.provider, told.issued_at) == ("acme", clock.now())


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://evil.example"}, R.WRONG_ISSUER),
        ({"aud": "somebody-else"}, R.WRONG_AUDIENCE),
        ({"aud": MISSING}, R.WRONG_AUDIENCE),
        ({"iat": MISSING}, R.MISSING_CLAIM),
        ({"exp": MISSING}, R.MISSING_CLAIM),
        ({"exp": 0}, R.EXPIRED),
        ({"jti": MISSING}, R.MISSING_CLAIM),
        ({"jti": ""}, R.MISSING_CLAIM),
        ({"jti": 7}, R.MISSING_CLAIM),
        ({"sub": MISSING}, R.MISSING_CLAIM),
        ({"sub": ""}, R.MISSING_CLAIM),
        ({"nonce": "x"}, R.WRONG_TYPE),
        ({"nonce": None}, R.WRONG_TYPE),
        ({"events": MISSING}, R.WRONG_TYPE),
        ({"events": {}}, R.WRONG_TYPE),
        ({"events": {EVENT: "x"}}, R.WRONG_TYPE),
        ({"events": {f"{EVENT}/": {}}}, R.WRONG_TYPE),
        ({"events": [EVENT]}, R.WRONG_TYPE),
    ],
    ids=str,
)
async def test_log_02_each_claim_is_checked(judge, provider, claims, reason):
    """Removed, altered or of another type: nobody is signed out."""
    assert await refusal(judge.logout(provider.logout_token(**claims))) is reason


async def test_log_02_an_old_one_is_refused(judge, provider, clock):
    """Two minutes, and one of skew, whatever it says of its end."""
    presented = provider.logout_token(exp=4102444800)
    clock.move(timedelta(minutes=3))
    assert (await judge.logout(presented)).account_id == "acme-alice"
    clock.move(timedelta(seconds=1))

    assert await refusal(judge.logout(presented)) is R.EXPIRED


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", MISSING, "secevent+jwt"])
async def test_jwt_07_what_does_not_say_so_is_no_logout_token(judge, provider, typ):
    """Only Keycloak, whose older versions write `JWT`, is known to do otherwise; no other type is taken from it either."""
    presented = provider.logout_token(typ=typ)
    keycloak = Judge(provider, kind="keycloak")

    assert await refusal(judge.logout(presented)) is R.WRONG_TYPE
    if typ in {"JWT", MISSING}:
        assert (await keycloak.logout(presented)).account_id == "acme-alice"
    else:
        assert await refusal(keycloak.logout(presented)) is R.WRONG_TYPE


async def test_jwt_07_an_id_token_signs_nobody_out_and_a_logout_token_nobody_in(provider):
    """Even where their types are the same."""
    judge = Judge(provider, kind="keycloak")
    id_token = provider.id_token(nonce=NONCE.reveal())

    assert await refusal(judge.logout(id_token)) is R.WRONG_TYPE
    assert await refusal(judge.logout(provider.id_token())) is R.WRONG_TYPE
    assert await refusal(judge.whom(provider.logout_token(typ="JWT", nonce=NONCE.reveal()))) is R.WRONG_TYPE


async def test_log_02_an_unsigned_one_is_refused(judge, provider):
    """As any token is."""
    provider.bends.unsigned = True

    assert await refusal(judge.logout(provider.logout_token())) is R.WRONG_ALGORITHM


async def test_f10_of_sixteen_deliveries_one_is_heeded(visits, provider, migrated, clock):
    """The others are told that it was; ten minutes later, when it has long been too old, it is forgotten."""
    told = await visits.upstream.verify_logout("acme", Secret(provider.logout_token()), now=visits.now)

    async def deliver():
        async with migrated.transaction() as tx:
            return await visits.upstream.heed_once(tx, told, now=visits.now)

    heeded = await asyncio.gather(*(deliver() for _ in range(16)))
    clock.move(timedelta(minutes=10))
    async with migrated.transaction() as tx:
        removed = await visits.upstream.purge(tx, expired_by=visits.now, limit=10)

    assert sorted(heeded) == [False] * 15 + [True]
    assert removed == 1


async def test_log_02_a_plain_oauth_2_server_signs_nobody_out(lone_database, provider, clock):
    """It has no keys."""
    from tests.features.upstream.conftest import Visits, configured

    visits = Visits(lone_database, configured(acme=provider.oauth2_settings()), clock)

    with pytest.raises(UnknownProvider):
        await visits.upstream.verify_logout("acme", Secret(provider.logout_token()), now=visits.now)
