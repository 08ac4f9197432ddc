"""Tokens: what was signed is what is read, if it is of this kind, for us and for now."""

import warnings
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from tests.foundation.jose.forging import (
    AUDIENCE,
    ISSUER,
    KINDS,
    NOW,
    SECONDS,
    accept,
    claims,
    forge,
    header_of,
    key_for,
    payload,
    refusal,
    text,
)

from ostiary.foundation.jose import Algorithm, Refusal, sign
from ostiary.foundation.jose.signing import SigningKey


@given(st.sampled_from(Algorithm), st.text(), st.lists(st.text(max_size=20), max_size=5))
def test_what_was_signed_is_what_is_read(algorithm, subject, others):
    """Whatever the claims say comes back unchanged, under every algorithm."""
    key = key_for(algorithm)
    signed = claims(sub=subject, aud=(*others, AUDIENCE), nbf=SECONDS)

    assert accept(sign(signed, key=key), key=key) == signed


def general_key(key, *, private):
    numbers = {Algorithm.ES256: ECKey, Algorithm.EDDSA: OKPKey}
    general = numbers.get(key.algorithm, RSAKey)
    if not private:
        return general.import_key(key.public.to_jwk())
    return general.import_key(
        key._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def test_a_general_library_reads_our_tokens(key):
    """A token of ours is a JWT to everybody else."""
    with warnings.catch_warnings(action="ignore"):
        read = jwt.decode(
            sign(claims(), key=key), general_key(key, private=False), algorithms=[key.algorithm]
        )

    assert read.header == header_of(key)
    assert read.claims == {**payload(), "sub": "somebody"}


def test_we_read_the_tokens_of_a_general_library(key):
    """A token signed elsewhere with our key is one of ours."""
    with warnings.catch_warnings(action="ignore"):
        token = jwt.encode(
            header_of(key),
            payload(sub="somebody"),
            general_key(key, private=True),
            algorithms=[key.algorithm],
            default_type=None,
        )

    assert accept(token, key=key) == claims()


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat"])
@pytest.mark.parametrize("content", [..., None, True, 1.5, {}, [1]], ids=repr)
def test_jwt_04_jwt_05_jwt_06_missing_is_invalid(es256, claim, content):
    """A token without issuer, audience, expiry or time of issue, or with one of another type, is refused."""
    token = forge(header_of(es256), payload(**{claim: content}), es256.sign)

    assert refusal(token, key=es256) is Refusal.CLAIMS


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "content",
    ["1772366400.0", "-1", "NaN", "Infinity", "1e12", "253402300800", "9" * 400, '"1"'],
)
def test_jwt_04_times_are_whole_seconds_in_range(es256, claim, content):
    """A time is a non-negative integer of this era: no text, fraction, NaN, negative or huge number."""
    members = payload(**{claim: "HERE"})
    token = forge(header_of(es256), text(members).replace(b'"HERE"', content.encode()), es256.sign)

    assert refusal(token, key=es256) is Refusal.CLAIMS


def test_jwt_04_expiry_has_no_leeway(es256):
    """A token lives until the very second of `exp`."""
    token = sign(claims(exp=SECONDS + 60), key=es256)

    assert accept(token, key=es256, now=NOW + timedelta(seconds=59.999))
    assert refusal(token, key=es256, now=NOW + timedelta(seconds=60)) is Refusal.EXPIRED


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_jwt_04_the_future_is_allowed_half_a_minute(es256, claim):
    """A signer's clock may be thirty seconds ahead of ours, not more."""
    assert accept(sign(claims(**{claim: SECONDS + 30}), key=es256), key=es256)
    assert refusal(sign(claims(**{claim: SECONDS + 31}), key=es256), key=es256) is Refusal.NOT_YET_VALID


@pytest.mark.parametrize(
    "audience",
    [
        "",
        AUDIENCE[:-1],
        AUDIENCE + "/",
        AUDIENCE.upper(),
        f"{AUDIENCE} x",
        (),
        ("other",),
        (AUDIENCE[:-1], AUDIENCE + "/"),
        (f"x{AUDIENCE}",),
    ],
)
def test_jwt_05_the_audience_is_an_exact_member(es256, audience):
    """A prefix, an extension, another case or another audience is not us."""
    assert refusal(sign(claims(aud=audience), key=es256), key=es256) is Refusal.AUDIENCE


def test_jwt_05_one_of_several_audiences_is_enough(es256):
    """A token for several audiences is for each of them."""
    assert accept(sign(claims(aud=("other", AUDIENCE)), key=es256), key=es256)


@pytest.mark.parametrize(
    "issuer", ["", ISSUER[:-1], ISSUER[8:], ISSUER + "/", ISSUER + ".evil", ISSUER.upper()]
)
def test_jwt_06_the_issuer_is_compared_exactly(es256, issuer):
    """A part, an extension or another case of the issuer is another issuer."""
    assert refusal(sign(claims(iss=issuer), key=es256), key=es256) is Refusal.ISSUER


def test_jwt_06_the_key_belongs_to_the_issuer(es256):
    """Another issuer's key does not sign for this one, not even under the same key id."""
    stranger = SigningKey.generate(Algorithm.ES256, "stranger")
    impostor = SigningKey.generate(Algorithm.ES256, es256.kid)

    assert refusal(sign(claims(), key=stranger), key=es256) is Refusal.UNKNOWN_KEY
    assert refusal(sign(claims(), key=impostor), key=es256) is Refusal.SIGNATURE


@pytest.mark.parametrize("made", KINDS)
@pytest.mark.parametrize("wanted", KINDS)
def test_jwt_07_kinds_of_token_are_mutually_exclusive(es256, made, wanted):
    """With everything else equal, a token passes only where its own kind is expected."""
    token = sign(claims(made), key=es256)

    if made is wanted:
        assert accept(token, key=es256, kind=wanted) == claims(made)
    else:
        assert refusal(token, key=es256, kind=wanted) is Refusal.TYPE


@pytest.mark.parametrize("typ", ["AT+JWT", "application/at+jwt", "JWT", ...])
def test_jwt_07_the_type_is_exact(es256, typ):
    """We write the type in one way and accept no other, nor none."""
    header = {name: content for name, content in header_of(es256, typ=typ).items() if content is not ...}

    assert refusal(forge(header, payload(), es256.sign), key=es256) in {Refusal.TYPE, Refusal.HEADER}
