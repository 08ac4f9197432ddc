"""What an ID token of a provider must be to be believed (FED-04; JWT-01 to JWT-10 for tokens of others)."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from hypothesis import strategies as st
from joserfc.jws import JWSRegistry
from tests.features.upstream.conftest import NONCE, Judge
from tests.hostile_provider import DISCOVERY, JWKS, MISSING, Answer, HostileProvider, key_number

from ostiary.features.upstream import (
    PRESETS,
    Kind,
    Provider,
    UpstreamReason,
    UpstreamRefused,
    UpstreamUnavailable,
)
from ostiary.features.upstream.claims import identity_of
from ostiary.features.upstream.exchange import read_tokens
from ostiary.features.upstream.metadata import read_keys
from ostiary.features.upstream.verification import Header, check_id_token, check_logout_token
from ostiary.features.vault import UpstreamTokens
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

R = UpstreamReason


def token(provider, **claims):
    """An ID token for the flow of `judge`, bent as the provider is."""
    return provider.id_token(nonce=NONCE.reveal(), **claims)


async def refusal(judge, presented, **more):
    with pytest.raises(UpstreamRefused) as refused:
        await judge.whom(presented, **more)
    assert not presented.strip() or presented not in str(refused.value)
    return refused.value.reason


async def test_fed_04_a_right_token_is_believed(judge, provider):
    """The account is told by `sub`, the address only because it is verified, and the rest is from the list."""
    identity = await judge.whom(token(provider, access_token="acme-access", hobby="golf"))

    assert (identity.provider, identity.account_id) == ("acme", "acme-alice")
    assert identity.email == "alice@example.org"
    assert identity.session_id == "sid-1"
    assert identity.profile == {
        "name": "Alice Example",
        "given_name": "Alice",
        "family_name": "Example",
        "locale": "en",
    }


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://evil.example"}, R.WRONG_ISSUER),
        ({"iss": MISSING}, R.WRONG_ISSUER),
        ({"iss": ["http://127.0.0.1"]}, R.WRONG_ISSUER),
        ({"aud": "somebody-else"}, R.WRONG_AUDIENCE),
        ({"aud": MISSING}, R.WRONG_AUDIENCE),
        ({"aud": []}, R.WRONG_AUDIENCE),
        ({"aud": "ostiary-at-the"}, R.WRONG_AUDIENCE),
        ({"aud": ["ostiary-at-the-provider", "somebody-else"]}, R.WRONG_AUDIENCE),
        (
            {"aud": ["ostiary-at-the-provider", "somebody-else"], "azp": "ostiary-at-the-provider"},
            R.WRONG_AUDIENCE,
        ),
        ({"aud": [["ostiary-at-the-provider"]]}, R.WRONG_AUDIENCE),
        ({"azp": "somebody-else"}, R.WRONG_AUDIENCE),
        ({"azp": ["ostiary-at-the-provider"]}, R.WRONG_AUDIENCE),
        ({"exp": MISSING}, R.MISSING_CLAIM),
        ({"iat": MISSING}, R.MISSING_CLAIM),
        ({"exp": 0}, R.EXPIRED),
        ({"exp": "4102444800"}, R.MALFORMED),
        ({"exp": True}, R.MALFORMED),
        ({"exp": -1}, R.MALFORMED),
        ({"exp": 1e300}, R.MALFORMED),
        ({"exp": 10**400}, R.MALFORMED),
        ({"exp": 253402300799, "iat": 253402300799}, R.EXPIRED),
        ({"nonce": "\ud800"}, R.WRONG_NONCE),
        ({"at_hash": "\ud800"}, R.WRONG_HASH),
        ({"sub": "\ud800"}, R.NO_SUBJECT),
        ({"exp": float("nan")}, R.MALFORMED),
        ({"exp": float("inf")}, R.MALFORMED),
        ({"iat": 4102444800}, R.EXPIRED),
        ({"nbf": 4102444800}, R.EXPIRED),
        ({"nbf": "soon"}, R.MALFORMED),
        ({"nonce": MISSING}, R.WRONG_NONCE),
        ({"nonce": "of another flow"}, R.WRONG_NONCE),
        ({"nonce": MISSING, "nonce_supported": False}, R.WRONG_NONCE),
        ({"nonce": ["the nonce of this very flow"]}, R.WRONG_NONCE),
        ({"sub": MISSING}, R.NO_SUBJECT),
        ({"sub": ""}, R.NO_SUBJECT),
        ({"sub": 7}, R.NO_SUBJECT),
        ({"sub": "a" * 256}, R.NO_SUBJECT),
        ({"sub": "alice\n"}, R.NO_SUBJECT),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, R.WRONG_HASH),
        ({"at_hash": ""}, R.WRONG_HASH),
        ({"at_hash": 1}, R.WRONG_HASH),
        ({"events": {}}, R.WRONG_TYPE),
    ],
    ids=str,
)
async def test_fed_04_jwt_04_jwt_05_jwt_06_each_claim_is_checked(judge, provider, claims, reason):
    """Removed, altered, of another type or out of range: refused with its own reason, and no value is told."""
    provider.bends.claims = claims

    assert await refusal(judge, token(provider)) is reason


async def test_jwt_04_a_minute_of_skew_is_forgiven_and_no_more(judge, provider, clock):
    """Clocks differ a little; a token is over a minute after it says."""
    presented = token(provider)
    clock.move(timedelta(seconds=600 + 59))

    assert (await judge.whom(presented)).account_id == "acme-alice"
    clock.move(timedelta(seconds=1))
    assert await refusal(judge, presented) is R.EXPIRED


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE", ""])
async def test_jwt_01_unsigned_tokens_are_refused_in_any_spelling(judge, provider, spelling):
    """No spelling of `none` is an algorithm that was configured."""
    provider.bends.unsigned = True
    provider.bends.header = {"alg": spelling}

    assert await refusal(judge, token(provider)) is R.WRONG_ALGORITHM


@pytest.mark.parametrize("form", ["pem", "der", "jwk", "ssh"])
async def test_jwt_01_a_public_key_is_no_secret(judge, provider, form):
    """HS256 under the published key, in any form it can be written, is not an algorithm that was configured."""
    provider.bends.hmac_key = provider.hmac_spellings()[form]

    assert await refusal(judge, token(provider)) is R.WRONG_ALGORITHM


async def test_jwt_01_one_key_has_one_algorithm(provider):
    """A key that is published for RS256 checks no PS256, even if both are allowed."""
    judge = Judge(provider, algorithms=["RS256", "PS256"])
    provider.bends.header = {"alg": "PS256"}

    assert await refusal(judge, token(provider)) is R.WRONG_ALGORITHM


async def test_jwt_01_only_configured_algorithms_count(clock):
    """A provider that signs with ES256 is believed only where that is configured."""
    async with HostileProvider(clock=clock, alg_key=("EC", 1)).listening() as provider:
        presented = token(provider, access_token="acme-access")

        assert await refusal(Judge(provider), presented) is R.WRONG_ALGORITHM
        assert (await Judge(provider, algorithms="ES256").whom(presented)).account_id == "acme-alice"


async def test_fed_04_at_hash_is_checked_for_every_algorithm(clock):
    """Ed25519 hashes with SHA-512; another access token is noticed there as well."""
    async with HostileProvider(clock=clock, alg_key=("OKP", 1)).listening() as provider:
        judge = Judge(provider, algorithms=["EdDSA"])
        presented = token(provider, access_token="acme-access")

        assert (await judge.whom(presented)).account_id == "acme-alice"
        assert await refusal(judge, presented, access_token="of somebody else") is R.WRONG_HASH


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
async def test_jwt_02_a_header_brings_no_key(judge, provider, clock, member):
    """A key inside a token, or an address of one, selects nothing, and nobody looks there."""
    own = key_number(7)
    async with HostileProvider(clock=clock).listening() as canary:
        brought = {
            "jwk": own.as_dict(private=False),
            "jku": f"{canary.url}{JWKS}",
            "x5u": f"{canary.url}{JWKS}",
            "x5c": [base64.b64encode(bytes(300)).decode()],
        }
        provider.bends.signing_key = own
        provider.bends.header = {member: brought[member], "kid": provider.key.kid}

        assert await refusal(judge, token(provider)) is R.BAD_SIGNATURE
        assert canary.asked == []


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["x"], "x": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": False},
        {"enc": "A128GCM"},
        {"zip": "DEF"},
    ],
    ids=str,
)
async def test_jwt_03_jwt_09_extensions_are_fatal(judge, provider, header):
    """Nothing critical is understood, and nothing encrypted or packed is read."""
    provider.bends.header = header

    assert await refusal(judge, token(provider)) is R.MALFORMED


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "application/at+jwt", "secevent+jwt", "JOSE"])
async def test_jwt_07_other_kinds_of_token_are_no_id_token(judge, provider, typ):
    """A token that says it is something else is not believed."""
    provider.bends.header = {"typ": typ}

    assert await refusal(judge, token(provider)) is R.WRONG_TYPE


async def test_jwt_07_nested_tokens_are_refused(judge, provider):
    """A token in a token is none."""
    provider.bends.header = {"cty": "JWT"}

    assert await refusal(judge, token(provider)) is R.WRONG_TYPE


@pytest.mark.parametrize(
    "mangled",
    [
        "",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "e30.e30.e30",
        "eyJhbGciOiJSUzI1NiJ9.e30.",
        "{}",
        "\u00e9.e30.e30",
        "A" * 70_000 + ".e30.e30",
        "[" * 20_000 + ".e30.e30",
    ],
    ids=lambda text: text[:12] or "empty",
)
async def test_jwt_08_only_the_compact_form_is_read(judge, mangled):
    """Anything else is malformed or not signed; nothing breaks, however large or strange."""
    assert await refusal(judge, mangled) in {R.MALFORMED, R.BAD_SIGNATURE, R.WRONG_ALGORITHM}


async def test_jwt_08_json_serialization_padding_and_double_names_are_refused(judge, provider):
    """One spelling of each token: unique names, no padding, no whitespace, no JSON around it."""
    presented = token(provider)
    header, payload, signature = presented.split(".")
    twice = base64.urlsafe_b64encode(b'{"alg":"none","alg":"RS256"}').rstrip(b"=").decode()
    flattened = json.dumps({"protected": header, "payload": payload, "signature": signature})

    for strange in (
        flattened,
        f"{header}=.{payload}.{signature}",
        f"{presented} ",
        f"{twice}.{payload}.{signature}",
    ):
        assert await refusal(judge, strange) in {R.MALFORMED, R.BAD_SIGNATURE}


async def test_jwt_08_double_claims_are_refused(judge, provider):
    """A signed payload that says `sub` twice says nothing."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": provider.key.kid}).encode()).rstrip(
        b"="
    )
    payload = base64.urlsafe_b64encode(b'{"sub":"a","sub":"b"}').rstrip(b"=")
    signed = JWSRegistry.algorithms["RS256"].sign(header + b"." + payload, provider.key)
    text = b".".join([header, payload, base64.urlsafe_b64encode(signed).rstrip(b"=")]).decode()

    assert await refusal(judge, text) is R.MALFORMED


async def test_fed_04_a_foreign_signature_is_refused(judge, provider):
    """Another key under the published id does not do, nor does a signature that was cut."""
    presented = token(provider)
    provider.bends.signing_key = key_number(7)
    provider.bends.header = {"kid": provider.key.kid}

    assert await refusal(judge, token(provider)) is R.BAD_SIGNATURE
    assert await refusal(judge, presented[:-8]) is R.BAD_SIGNATURE
    assert await refusal(judge, presented.rpartition(".")[0] + ".") is R.BAD_SIGNATURE


async def test_jwt_06_the_key_of_another_issuer_checks_nothing(clock):
    """Issuer A's claims under issuer B's key are refused, though B is configured here as well."""
    async with (
        HostileProvider(clock=clock, name="a").listening() as first,
        HostileProvider(clock=clock, name="b", alg_key=("RSA", 7)).listening() as second,
    ):
        first.bends.signing_key = second.key

        assert await refusal(Judge(first), token(first)) is R.BAD_SIGNATURE


async def test_fed_04_a_token_without_a_key_id_needs_the_only_key(judge, provider):
    """With one key there is no doubt; with two nothing is tried out."""
    provider.bends.header = {"kid": MISSING}
    presented = token(provider)

    assert (await judge.whom(presented)).account_id == "acme-alice"
    provider.change_keys(keep=True)
    assert await refusal(Judge(provider), presented) is R.BAD_SIGNATURE


async def test_fed_04_no_id_token_is_no_proof(judge):
    """An access token alone says nothing about who it is for."""
    with pytest.raises(UpstreamRefused) as refused:
        await judge.believing.whom(
            judge.configured, UpstreamTokens(Secret("x")), nonce=NONCE, said_by_browser=None, now=judge.now
        )

    assert refused.value.reason is R.NO_ID_TOKEN


async def test_fed_04_userinfo_must_be_about_the_same(judge, provider):
    """The address of whoever the access token is about is not the address of whoever the ID token is about."""
    provider.email_in_id_token = False
    provider.bends.userinfo = {"sub": "somebody-else"}
    access_token = provider.access_token("alice")

    assert await refusal(judge, token(provider), access_token=access_token) is R.WRONG_SUBJECT
    provider.bends.userinfo = {}
    assert (await judge.whom(token(provider), access_token=access_token)).email == "alice@example.org"


async def test_fed_02_an_address_and_its_proof_come_from_one_place(judge, provider):
    """The ID token's word that some address is proven is not about the one that the userinfo tells."""
    provider.email_in_id_token = False
    provider.bends.claims = {"email_verified": True}
    provider.bends.userinfo = {"email": "victim@example.org", "email_verified": False}
    access_token = provider.access_token("alice")

    assert (await judge.whom(token(provider), access_token=access_token)).email is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "sub", "at_hash", "sid", "jti", "events", "email")
NAMES += ("email_verified", "amr", "auth_time", "name", "groups", "tid", "oid")
HEADER = Header("RS256", None, "JWT")
OKTA = Provider("okta", "Okta", Kind.OIDC, "us", issuer="https://a.example", claims=PRESETS["okta"].claims)


@hypothesis.settings(max_examples=300)
@hypothesis.given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_fed_04_whatever_is_claimed_is_believed_or_refused(changed):
    """No claim of any type or size leads to anything else."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    at = int(now.timestamp())
    claims = {
        "iss": "https://a.example",
        "aud": "us",
        "exp": at + 60,
        "iat": at,
        "sub": "s",
        "jti": "j",
    } | changed

    for judge in (
        lambda: check_id_token(OKTA, HEADER, claims, nonce=NONCE, access_token=NONCE, now=now),
        lambda: check_id_token(OKTA, HEADER, claims, nonce=None, access_token=None, now=now),
        lambda: check_logout_token(OKTA, Header("RS256", None, "logout+jwt"), claims, now=now),
        lambda: identity_of(OKTA, claims),
    ):
        with suppress(UpstreamRefused):
            judge()
    assert claims.keys() >= changed.keys()


KEY_MEMBERS = ("kty", "kid", "alg", "use", "key_ops", "n", "e", "x", "y", "crv", "issuer")
TOKEN_MEMBERS = (
    "access_token",
    "token_type",
    "refresh_token",
    "id_token",
    "expires_in",
    "refresh_expires_in",
    "scope",
)


@hypothesis.settings(max_examples=200)
@hypothesis.given(
    st.dictionaries(st.sampled_from(KEY_MEMBERS), JSON), st.dictionaries(st.sampled_from(TOKEN_MEMBERS), JSON)
)
def test_whatever_is_answered_is_taken_or_refused(key, answer):
    """No published key and no answer of a token endpoint leads to anything else."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    published = [key_number(1).as_dict(private=False) | key, key]

    assert len(read_keys(published, ("RS256", "ES256"))) <= 1
    with suppress(UpstreamRefused):
        tokens = read_tokens({"access_token": "a"} | answer, asked_for="openid", now=now)
        assert tokens.access_token is not None


@pytest.mark.parametrize("verified", [False, "true", "True", 1, None, MISSING, "yes", ["true"]])
async def test_fed_02_an_address_counts_only_if_it_is_verified(judge, provider, verified):
    """By the boolean true and nothing that looks like it."""
    provider.bends.claims = {"email_verified": verified}

    identity = await judge.whom(token(provider))

    assert (identity.email, identity.is_authoritative) == (None, False)


def test_jwt_01_jwt_11_only_public_signature_keys_are_read():
    """Symmetric, private, small, encryption keys, of a wrong curve or nonsense: none of them checks anything."""
    public = key_number(1).as_dict(private=False)
    curve = key_number(1, "EC").as_dict(private=False)
    bad = [
        {"kty": "oct", "k": "AAAA", "kid": "x"},
        key_number(1).as_dict(private=True),
        public | {"use": "enc"},
        public | {"key_ops": ["encrypt"]},
        public | {"alg": "HS256"},
        public | {"alg": ["RS256"]},
        public | {"kid": "k" * 300},
        public | {"kid": 7},
        public | {"n": "AQAB"},
        public | {"n": None},
        public | {"kty": "EC"},
        curve | {"x": curve["y"]},
        "nonsense",
        None,
    ]

    assert read_keys(bad, ("RS256", "ES256")) == ()
    assert read_keys({"keys": [public]}, ("RS256",)) == ()
    assert [key.algorithm for key in read_keys([*bad, public, curve], ("RS256", "ES256"))] == [
        "RS256",
        "ES256",
    ]


async def test_jwt_10_an_id_of_a_key_is_only_looked_up(judge, provider):
    """Paths, quotes and line ends in it lead nowhere, and it is bounded."""
    for key_id in ("../../etc/passwd", "' OR 1=1 --", "a\r\nb", "\x00", "k" * 200):
        provider.bends.header = {"kid": key_id}
        assert await refusal(judge, token(provider)) is R.BAD_SIGNATURE
    for key_id in ("k" * 300, 7, ["rsa-1"], ""):
        provider.bends.header = {"kid": key_id}
        assert await refusal(judge, token(provider)) is R.MALFORMED

    assert provider.count(DISCOVERY) == 1


async def test_jwt_10_made_up_ids_make_nobody_ask_again_and_again(judge, provider):
    """A thousand of them lead to one request, within a minute."""
    await judge.whom(token(provider))
    for number in range(1000):
        assert await judge.published.keys(judge.configured, key_id=f"k{number}", now=judge.now) == ()

    assert provider.count(JWKS) == 2


async def test_fed_04_keys_that_cannot_be_had_decide_nothing(judge, provider):
    """Neither a refusal nor a sign-in comes of it."""
    provider.bends.answers[JWKS] = Answer(500)

    with pytest.raises(UpstreamUnavailable):
        await judge.whom(token(provider))
