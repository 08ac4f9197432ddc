"""One contract for every kind of provider, and what is known of each (FED-01, FED-02, FED-09)."""

from __future__ import annotations

import json
from typing import get_args
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.features.upstream.conftest import NONCE, Judge, Visits, configured
from tests.hostile_provider import EMAILS, MISSING, TOKEN, USER, USERINFO, Answer

from ostiary.features.upstream import PRESETS, Kind, UpstreamReason, UpstreamRefused
from ostiary.features.upstream.claims import identity_of
from ostiary.foundation.secret import Secret
from ostiary.settings.providers import ProviderKind

pytestmark = pytest.mark.anyio

APPLES = ec.generate_private_key(ec.SECP256R1())
PRIVATE_KEY = APPLES.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
WITH_CODE_FLOW = sorted(kind for kind, preset in PRESETS.items() if preset.has_code_flow)
OPENID = sorted(kind for kind, preset in PRESETS.items() if preset.kind is Kind.OIDC)
TENANT = "11111111-2222-3333-4444-555555555555"


def section(provider, kind):
    """The settings of a provider of this kind that runs where `provider` does."""
    if PRESETS[kind].kind is Kind.OAUTH2:
        return provider.oauth2_settings(kind)
    if kind == "microsoft":
        return provider.settings(kind=kind, tenant=TENANT)
    if kind == "apple":
        return {
            "kind": kind,
            "issuer": provider.issuer,
            "client_id": provider.client_id,
            "team_id": "TEAM",
            "key_id": "KEY",
            "private_key": PRIVATE_KEY,
        }
    return provider.settings(kind=kind)


@pytest.fixture
def visit(lone_database, provider, clock):
    """Return visits to a provider of a kind, with what such a provider says of everybody."""

    def make(kind):
        provider.checks_client = kind != "apple"
        provider.bends.claims = {
            "cognito": {"token_use": "id"},
            "microsoft": {"tid": TENANT, "oid": "oid-of-alice"},
        }.get(kind, {})
        if kind == "discord":
            provider.bends.userinfo = {"verified": True}
        return Visits(lone_database, configured(acme=section(provider, kind)), clock)

    return make


def asked(begun):
    return dict(parse_qsl(urlsplit(begun.url).query, strict_parsing=True))


async def refusal(coming):
    with pytest.raises(UpstreamRefused) as refused:
        await coming
    return refused.value.reason


def test_every_kind_the_settings_offer_is_known():
    """And no other."""
    assert set(get_args(ProviderKind)) == set(PRESETS)


@pytest.mark.parametrize("kind", WITH_CODE_FLOW)
async def test_fed_03_every_kind_signs_somebody_in_and_needs_its_state(visit, provider, kind):
    """State is required, PKCE is used where it is claimed, a nonce where there are ID tokens."""
    visits = visit(kind)
    begun = await visits.begin()
    back = provider.approve(begun.url)
    preset, parameters = PRESETS[kind], asked(begun)

    assert ("code_challenge" in parameters) == preset.uses_pkce
    assert ("nonce" in parameters) == (preset.kind is Kind.OIDC and preset.uses_nonce)
    assert parameters.get("response_mode", "query") == preset.response_mode
    without = {name: value for name, value in back.items() if name != "state"}
    assert await refusal(visits.come_back(begun, without)) is UpstreamReason.UNKNOWN_FLOW
    identity = (await visits.come_back(begun, back)).identity
    assert "alice" in identity.account_id or identity.account_id.isdecimal()
    assert "@" not in identity.account_id


@pytest.mark.parametrize("kind", [kind for kind in WITH_CODE_FLOW if PRESETS[kind].uses_pkce])
async def test_fed_03_every_kind_that_claims_pkce_is_bound_by_it(visit, provider, kind):
    """A code of another flow is not exchanged."""
    visits = visit(kind)
    begun, other = await visits.begin(), await visits.begin()
    swapped = provider.approve(begun.url) | {"code": provider.approve(other.url)["code"]}

    assert await refusal(visits.come_back(begun, swapped)) is UpstreamReason.CODE_REFUSED


@pytest.mark.parametrize("kind", OPENID)
async def test_fed_04_every_kind_refuses_unsigned_tokens_and_other_issuers(visit, provider, kind):
    """None of them has a reason to believe either."""
    visit(kind)
    judge = Judge.of(configured(acme=section(provider, kind)).get("acme"), provider)
    unbent = dict(provider.bends.claims)
    for issuer in (f"{provider.issuer}/", "https://evil.example", provider.issuer.upper()):
        provider.bends.claims = unbent | {"iss": issuer}
        assert (
            await refusal(judge.whom(provider.id_token(nonce=NONCE.reveal()))) is UpstreamReason.WRONG_ISSUER
        )
    provider.bends.claims = unbent
    provider.bends.unsigned = True

    assert (
        await refusal(judge.whom(provider.id_token(nonce=NONCE.reveal()))) is UpstreamReason.WRONG_ALGORITHM
    )


async def test_github_tells_the_verified_primary_address(visit, provider):
    """Not the one an account shows in public; and none that is not verified. The number is the account."""
    visits = visit("github")
    provider.bends.userinfo = {"email": "shown-in-public@example.org"}
    identity = (await visits.sign_in(provider)).identity

    assert identity.account_id.isdecimal()
    assert identity.email == "alice@example.org"
    assert identity.profile["preferred_username"] == "alice"
    provider.people["alice"]["email_verified"] = False
    assert (await visits.sign_in(provider)).identity.email is None
    provider.bends.answers[EMAILS] = Answer(404, b'{"message": "Not Found"}')
    assert (await visits.sign_in(provider)).identity.email is None


@pytest.mark.parametrize("account", [MISSING, None, "", True, 1.5, ["1"], {"id": 1}, "x" * 300])
async def test_fed_01_an_account_without_a_key_is_nobody(visit, provider, account):
    """There is nothing else an account could be told by."""
    visits = visit("github")
    provider.bends.userinfo = {"id": account}

    assert await refusal(visits.sign_in(provider)) is UpstreamReason.NO_SUBJECT


async def test_github_refuses_a_code_with_a_good_status(visit, provider):
    """Its errors come with 200."""
    visits = visit("github")
    provider.bends.answers[TOKEN] = Answer(200, b'{"error": "bad_verification_code"}')

    assert await refusal(visits.sign_in(provider)) is UpstreamReason.CODE_REFUSED


async def test_apple_is_told_who_we_are_by_a_signed_statement(visit, provider):
    """Made anew for each request, for five minutes, under the key of the team."""
    visits = visit("apple")
    begun = await visits.begin()
    names = {"name": {"firstName": "Alice", "lastName": "Example"}, "email": "victim@example.org"}
    back = provider.approve(begun.url) | {"user": json.dumps(names)}
    identity = (await visits.come_back(begun, back)).identity
    statement = next(call.form["client_secret"] for call in provider.asked if call.path == TOKEN)
    read = jwt.decode(statement, ECKey.import_key(APPLES.public_key()), algorithms=["ES256"])

    assert begun.crosses_sites
    assert read.header == {"typ": "JWT", "alg": "ES256", "kid": "KEY"}
    assert (read.claims["iss"], read.claims["sub"]) == ("TEAM", provider.client_id)
    assert read.claims["exp"] - read.claims["iat"] == 300
    # Names are for display; an address that the browser posts is nobody's.
    assert identity.profile == {"given_name": "Alice", "family_name": "Example"}
    assert identity.email == "alice@example.org"


@pytest.mark.parametrize(
    "user", ["", "{", "[]", "null", '{"name": "x"}', '{"name": {"firstName": 7}}', "[" * 9000]
)
async def test_apple_names_that_cannot_be_read_are_left_out(visit, provider, user):
    """They come from the browser, and hinder nobody."""
    visits = visit("apple")
    begun = await visits.begin()

    arrived = await visits.come_back(begun, provider.approve(begun.url) | {"user": user})

    assert arrived.identity.profile == {}


async def test_slow_to_tell_the_address_is_asked_at_userinfo(visit, provider):
    """Where the ID token has no address the userinfo does, once, and nowhere else."""
    visits = visit("gitlab")
    provider.email_in_id_token = False
    assert (await visits.sign_in(provider)).identity.email == "alice@example.org"
    provider.email_in_id_token = True
    await visits.sign_in(provider)

    assert provider.count(USERINFO) == 1
    assert provider.count(USER) == 0


def identity(kind, **claims):
    """Whom claims of a provider of this kind are about, of one that is where it always is."""
    own = {"client_id": "us"}
    if kind in {"oidc", "keycloak", "auth0", "okta", "cognito"}:
        own["issuer"] = "https://login.example.org"
    if kind == "oauth2":
        own |= {f"{name}_endpoint": "https://a.example/x" for name in ("authorization", "token", "userinfo")}
    if kind == "apple":
        own |= {"team_id": "T", "key_id": "K", "private_key": PRIVATE_KEY}
    provider = configured(acme={"kind": kind, **own}).get("acme")
    return identity_of(provider, {"sub": "s", "id": 7, "email": "a@example.org"} | claims)


@pytest.mark.parametrize(
    ("kind", "claims", "is_proven"),
    [
        ("oidc", {"email_verified": True}, True),
        ("oidc", {"email_verified": "true"}, False),
        ("google", {"email_verified": "true"}, False),
        ("cognito", {"email_verified": "true", "token_use": "id"}, True),
        ("cognito", {"email_verified": "false", "token_use": "id"}, False),
        ("cognito", {"email_verified": "True", "token_use": "id"}, False),
        ("apple", {"email_verified": "true"}, True),
        ("apple", {"email_verified": "false"}, False),
        ("facebook", {"email_verified": True}, False),
        ("discord", {"verified": True}, True),
        ("discord", {"verified": False}, False),
        ("microsoft", {"email_verified": True, "tid": TENANT, "oid": "o"}, False),
        ("microsoft", {"xms_edov": True, "tid": TENANT, "oid": "o"}, True),
        ("oauth2", {"email_verified": True}, False),
        ("oidc", {"email_verified": True, "email": "not an address"}, False),
        ("oidc", {"email_verified": True, "email": "a@b@example.org"}, False),
        ("oidc", {"email_verified": True, "email": "a\n@example.org"}, False),
        ("oidc", {"email_verified": True, "email": ["a@example.org"]}, False),
        ("oidc", {"email_verified": True, "email": None}, False),
    ],
    ids=str,
)
def test_fed_02_an_address_is_proven_in_each_kinds_own_documented_way(kind, claims, is_proven):
    """The text `true` is Cognito's and Apple's; who never says it is never believed."""
    assert (identity(kind, **claims).email is not None) == is_proven


@pytest.mark.parametrize(
    ("kind", "email", "more", "is_authority"),
    [
        ("google", "a@gmail.com", {}, True),
        ("google", "a@GoogleMail.com", {}, True),
        ("google", "a@example.org", {}, False),
        ("google", "a@example.org", {"hd": "example.org"}, True),
        ("google", "a@other.example", {"hd": "example.org"}, False),
        ("google", "a@gmail.com.evil.example", {}, False),
        ("oidc", "a@gmail.com", {}, False),
        ("oidc", "a@example.org", {"hd": "example.org"}, False),
        ("apple", "a@privaterelay.appleid.com", {}, True),
        ("apple", "a@gmail.com", {}, False),
    ],
)
def test_fed_02_a_provider_decides_about_its_own_domains_alone(kind, email, more, is_authority):
    """Its own, those it hosts and says so, and those an operator names."""
    found = identity(kind, email=email, email_verified=True, **more)

    assert (found.email, found.is_authoritative) == (email, is_authority)


@pytest.mark.parametrize(
    ("domains", "is_authority"), [("Example.org", True), ("*", True), ("other.example", False)]
)
def test_fed_02_an_operator_names_the_domains_of_their_own_provider(domains, is_authority):
    """Or all, with a star."""
    provider = configured(
        acme={"client_id": "us", "issuer": "https://login.example.org", "authoritative_domains": domains}
    ).get("acme")
    claims = {"sub": "s", "email": "a@example.org", "email_verified": True}

    assert identity_of(provider, claims).is_authoritative == is_authority


def test_fed_09_only_what_is_on_the_list_is_taken():
    """A hostile set of claims becomes nothing but text for display; roles are named, and grant nothing by themselves."""
    hostile = {
        "name": "x" * 3000,
        "given_name": {"$ne": 1},
        "family_name": "Exa\x00mple",
        "picture": ["x"],
        "locale": "en",
        "is_admin": True,
        "roles": ["ostiary:operator"],
        "realm_access": {"roles": ["staff", 7, "", "x" * 300]},
        "amr": "pwd",
        "sid": 7,
    }

    found = identity("keycloak", **hostile)

    assert found.profile == {"locale": "en"}
    assert found.roles == ("staff",)
    assert (found.amr, found.session_id) == ((), None)


def test_roles_stand_where_each_kind_keeps_them():
    """A name with a colon or dots is one name, if a claim has it."""
    assert identity("cognito", token_use="id", **{"cognito:groups": ["staff"]}).roles == ("staff",)
    assert identity("okta", groups=["staff"]).roles == ("staff",)
    assert identity("oidc", groups=["staff"]).roles == ()
    provider = configured(
        acme={"client_id": "us", "issuer": "https://a.example", "role_claim": "https://example.org/roles"}
    ).get("acme")
    assert identity_of(provider, {"sub": "s", "https://example.org/roles": ["staff"]}).roles == ("staff",)


def test_fed_04_what_is_no_id_token_of_cognito_or_nobody_at_firebase_is_refused():
    """An access token, and somebody who has shown nothing."""
    for kind, claims in (
        ("cognito", {"token_use": "access"}),
        ("cognito", {}),
        ("firebase", {"firebase": {"sign_in_provider": "anonymous"}}),
    ):
        with pytest.raises(UpstreamRefused):
            identity(kind, **claims)
    assert identity("firebase", firebase={"sign_in_provider": "password"}).profile == {
        "sign_in_provider": "password"
    }


def test_a_provider_never_shows_its_secrets():
    """Neither the client's secret nor the key."""
    provider = configured(
        acme={"client_id": "us", "client_secret": "canary", "issuer": "https://a.example"}
    ).get("acme")

    assert "canary" not in repr(provider)
    assert provider.client_secret == Secret("canary")
