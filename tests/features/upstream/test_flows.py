"""Going to a provider and coming back, in the browser that went (FED-03, FED-05)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.features.upstream.conftest import PUBLIC_URL, Visits, configured
from tests.hostile_provider import TOKEN, HostileProvider

from ostiary.features.upstream import (
    Intent,
    UnknownProvider,
    UpstreamReason,
    UpstreamRefused,
)
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

R = UpstreamReason


def asked(begun):
    """What the authorization URL asks for."""
    return dict(parse_qsl(urlsplit(begun.url).query, strict_parsing=True))


async def refusal(coming):
    with pytest.raises(UpstreamRefused) as refused:
        await coming
    return refused.value.reason


async def test_somebody_goes_there_and_comes_back(visits, provider):
    """The provider's word becomes an identity and tokens, and the flow still knows what it was for."""
    begun = await visits.begin(return_to="/after")
    back = provider.approve(begun.url)
    flow = await visits.upstream.consume("acme", back, browsers=[begun.browser], now=visits.now)
    arrived = await visits.upstream.finish(flow, back, now=visits.now)

    assert (flow.intent, flow.entity_type, flow.return_to) == (
        Intent.SIGN_IN,
        "user",
        "/after",
    )
    assert arrived.identity.account_id == "acme-alice"
    assert arrived.tokens.access_token_expires_at == visits.now + timedelta(hours=1)
    assert arrived.tokens.refresh_token is not None
    assert arrived.tokens.scope == "openid email profile"


async def test_fed_03_each_flow_has_secrets_of_its_own(visits):
    """State, nonce, PKCE challenge and browser differ from flow to flow; S256 is the only method."""
    first, second = await visits.begin(), await visits.begin()
    one, other = asked(first), asked(second)

    for name in ("state", "nonce", "code_challenge"):
        assert one[name] != other[name]
        assert len(one[name]) >= 43
    assert first.browser != second.browser
    assert one["code_challenge_method"] == "S256"
    assert one["redirect_uri"] == f"{PUBLIC_URL}/v1/providers/acme/callback"


async def test_fed_03_nothing_secret_is_stored_or_shown(visits, migrated):
    """A row reveals neither state nor nonce nor verifier nor browser; nor does the repr of what was begun."""
    begun = await visits.begin()
    columns = ("secret_digest", "browser_digest", "sealed")
    queries = [Query(f"SELECT {column} FROM ostiary.upstream_flows", into=bytes) for column in columns]
    row = b"".join([await migrated.fetch_one(query) for query in queries])

    for secret in (asked(begun)["state"], asked(begun)["nonce"], begun.browser.reveal()):
        assert secret.encode() not in row
        assert secret not in repr(begun)


async def test_fed_03_a_flow_is_used_once(visits, provider):
    """The same answer a second time is one to no flow, whatever the provider says of its code."""
    begun = await visits.begin()
    back = provider.approve(begun.url)
    await visits.come_back(begun, back)

    assert await refusal(visits.come_back(begun, back)) is R.UNKNOWN_FLOW


async def test_fed_03_of_sixteen_at_once_one_comes_back(visits, provider):
    """The row decides the race; one code is exchanged."""
    begun = await visits.begin()
    back = provider.approve(begun.url)
    came = await asyncio.gather(*(visits.come_back(begun, back) for _ in range(16)), return_exceptions=True)

    refused = [one for one in came if isinstance(one, UpstreamRefused)]
    assert [one.reason for one in refused] == [R.UNKNOWN_FLOW] * 15
    assert provider.count(TOKEN) == 1


async def test_fed_03_another_browser_finishes_nothing(visits, provider):
    """An attacker's code and state in the victim's browser are refused, with a flow of the victim's own open, too."""
    attackers, victims = await visits.begin(), await visits.begin()
    back = provider.approve(attackers.url)

    assert await refusal(visits.come_back(victims, back)) is R.UNKNOWN_FLOW
    assert provider.count(TOKEN) == 0


@pytest.mark.parametrize("browsers", [[], [Secret("")], [Secret("x" * 43)]])
async def test_fed_03_without_the_browsers_secret_nothing_is_finished(visits, provider, browsers):
    """No cookie, an empty one and a made-up one are the same."""
    begun = await visits.begin()
    back = provider.approve(begun.url)

    consuming = visits.upstream.consume("acme", back, browsers=browsers, now=visits.now)

    assert await refusal(consuming) is R.UNKNOWN_FLOW


async def test_fed_03_several_tabs_of_one_browser_each_come_back(visits, provider):
    """The browser has a secret for each; the right one is among them."""
    begun = [await visits.begin() for _ in range(3)]
    secrets = [one.browser for one in begun]

    for one in begun:
        back = provider.approve(one.url)
        flow = await visits.upstream.consume("acme", back, browsers=secrets, now=visits.now)
        assert (await visits.upstream.finish(flow, back, now=visits.now)).identity.account_id == "acme-alice"


async def test_fed_03_after_ten_minutes_it_is_over(visits, provider, clock):
    """To the second."""
    early, late = await visits.begin(), await visits.begin()
    clock.move(timedelta(minutes=10) - timedelta(seconds=1))
    assert (await visits.come_back(early, provider.approve(early.url))).identity.account_id == "acme-alice"
    clock.move(timedelta(seconds=1))

    assert await refusal(visits.come_back(late, provider.approve(late.url))) is R.UNKNOWN_FLOW


@pytest.mark.parametrize("state", ["", "x", "ost_upstream_x_y", "ost_nonce_" + "0" * 26 + "_" + "A" * 43])
async def test_fed_03_a_state_of_ones_own_is_unknown(visits, provider, state):
    """Nothing is asked of anybody for it."""
    begun = await visits.begin()

    assert await refusal(visits.come_back(begun, {"state": state, "code": "x"})) is R.UNKNOWN_FLOW
    assert provider.count(TOKEN) == 0


async def test_fed_03_pkce_binds_the_code(visits, provider):
    """A code that was begun elsewhere, slipped into one's own flow, is not exchanged: the verifier is another."""
    attackers, victims = await visits.begin(), await visits.begin()
    stolen = provider.approve(victims.url)["code"]
    injected = provider.approve(attackers.url) | {"code": stolen}

    assert await refusal(visits.come_back(attackers, injected)) is R.CODE_REFUSED


async def test_fed_03_a_nonce_of_another_flow_is_refused(visits, provider):
    """Even if the provider exchanges the code."""
    begun = await visits.begin()
    provider.bends.claims = {"nonce": asked(await visits.begin())["nonce"]}

    assert await refusal(visits.come_back(begun, provider.approve(begun.url))) is R.WRONG_NONCE


@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        ({"iss": "https://evil.example"}, R.WRONG_ISSUER),
        ({"iss": None}, R.WRONG_ISSUER),
        ({"iss": ""}, R.WRONG_ISSUER),
        ({"code": None}, R.MALFORMED),
        ({"code": ""}, R.MALFORMED),
        ({"code": "another"}, R.CODE_REFUSED),
        ({"error": "access_denied", "code": None}, R.DENIED),
        ({"error": "access_denied"}, R.DENIED),
        ({"error": "access_denied", "iss": "https://evil.example"}, R.WRONG_ISSUER),
    ],
    ids=str,
)
async def test_fed_05_what_comes_back_is_checked(lone_database, provider, clock, callback, reason):
    """Who answers is checked first, of errors as well; then whether there is a code."""
    visits = Visits(lone_database, configured(acme=provider.settings()), clock)
    begun = await visits.begin()
    back = provider.approve(begun.url) | callback
    back = {name: value for name, value in back.items() if value is not None}

    assert await refusal(visits.come_back(begun, back)) is reason


async def test_fed_05_two_providers_that_swap_their_answers_are_noticed(migrated, provider, clock):
    """A flow ends at the provider it was begun at: an answer to another one's address is to no flow."""
    async with HostileProvider(clock=clock, name="evil", alg_key=("RSA", 7)).listening() as evil:
        visits = Visits(migrated, configured(acme=provider.settings(), evil=evil.settings()), clock)
        honest, hostile = await visits.begin("acme"), await visits.begin("evil")
        from_honest, from_hostile = provider.approve(honest.url), evil.approve(hostile.url)

        assert await refusal(visits.come_back(honest, from_honest, "evil")) is R.UNKNOWN_FLOW
        # The hostile one sends the browser to the honest one, whose code comes back to the hostile one's address.
        mixed = from_hostile | {"code": from_honest["code"]}
        assert (
            await refusal(visits.come_back(hostile, mixed | {"iss": provider.issuer}, "evil"))
            is R.WRONG_ISSUER
        )
        assert evil.count(TOKEN) == 0


async def test_fed_05_without_iss_the_redirect_uri_tells_them_apart(lone_database, provider, clock):
    """A provider that does not say who answers has an address of its own, and its metadata say so."""
    provider.sends_iss = False
    visits = Visits(lone_database, configured(acme=provider.settings()), clock)

    assert (await visits.sign_in(provider)).identity.account_id == "acme-alice"


async def test_fed_08_a_provider_that_is_turned_off_is_none(lone_database, provider, clock):
    """Neither the way there nor the way back nor anything else is open; an open flow ends with it."""
    on = Visits(lone_database, configured(acme=provider.settings()), clock)
    begun = await on.begin()
    back = provider.approve(begun.url)
    off = Visits(lone_database, configured(acme=provider.settings(enabled=False)), clock)
    now, secret = clock.now(), Secret("x")

    for trying in (
        off.begin,
        lambda: off.come_back(begun, back),
        lambda: off.upstream.arrive_with_token("acme", secret, None, None, now=now),
        lambda: off.upstream.arrive_directly("acme", None, now=now),
        lambda: off.upstream.refresh("acme", secret, account_id="x", now=now),
        lambda: off.upstream.verify_logout("acme", secret, now=now),
        lambda: off.begin("never-heard-of"),
    ):
        with pytest.raises(UnknownProvider):
            await trying()
    assert list(off.upstream.providers) == []


async def test_a_provider_may_answer_by_form(lone_database, provider, clock):
    """It is asked to, and the browser's cookie has to cross sites then."""
    visits = Visits(lone_database, configured(acme=provider.settings(response_mode="form_post")), clock)
    begun = await visits.begin()

    assert asked(begun)["response_mode"] == "form_post"
    assert begun.crosses_sites


async def test_what_is_over_is_removed(visits, provider, clock, migrated):
    """Flows and nonces ten minutes old, in batches; one that is open stays."""
    for _ in range(3):
        await visits.begin()
    clock.move(timedelta(minutes=10))
    stays = await visits.begin()
    async with migrated.transaction() as tx:
        removed = [await visits.upstream.purge(tx, expired_by=visits.now, limit=2) for _ in range(3)]

    assert removed == [2, 1, 0]
    assert (await visits.come_back(stays, provider.approve(stays.url))).identity.account_id == "acme-alice"
