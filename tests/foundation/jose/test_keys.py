"""Keys: one algorithm each, published without a secret, and nothing but what they signed verifies."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.foundation.jose.forging import key_for

from ostiary.foundation.jose import Algorithm, InvalidKey, VerificationKey, base64url
from ostiary.foundation.jose.signing import SigningKey

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "jws.json").read_text())
ALGORITHMS = list(Algorithm)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["source"])
def test_published_signatures_verify(vector):
    """The examples of RFC 7515 and RFC 8037 verify, and no longer do with one bit changed."""
    key = VerificationKey.from_jwk(vector["jwk"])
    message, _, signature = vector["token"].encode().rpartition(b".")
    signature = base64url.decode(signature)

    assert key.has_signed(message, signature)
    assert not key.has_signed(message, bytes([signature[0] ^ 1]) + signature[1:])


def test_a_key_survives_storage(key):
    """A key read back from PKCS #8 signs what the first one's public half verifies."""
    restored = SigningKey.from_pkcs8(key.kid, key.algorithm, key.to_pkcs8())

    assert key.public.has_signed(b"message", restored.sign(b"message"))
    assert restored.public == key.public


def test_a_key_survives_publication(key):
    """A published key read back is the key, whatever unknown members stand beside it."""
    published = key.public.to_jwk()

    assert VerificationKey.from_jwk(published) == key.public
    assert VerificationKey.from_jwk({**published, "x5t": "ignored", "key_ops": ["verify"]}) == key.public


def test_jwt_11_a_published_key_has_public_members_only(key):
    """What goes into the key set says which key, for what, and its public half: nothing else."""
    members = set(key.public.to_jwk())

    assert members in (
        {"kid", "use", "alg", "kty", "crv", "x", "y"},
        {"kid", "use", "alg", "kty", "crv", "x"},
        {"kid", "use", "alg", "kty", "n", "e"},
    )


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_jwt_11_a_key_with_private_members_is_refused(key, member):
    """A key that was published with a private member is never trusted."""
    with pytest.raises(InvalidKey):
        VerificationKey.from_jwk({**key.public.to_jwk(), member: "AQAB"})


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "alg": "HS256", "k": ""},
        {"kty": "oct", "alg": "HS256", "k": "c2hvcnQ"},
        {"kty": "oct", "alg": "HS256", "k": None},
        {"kty": "oct", "alg": "HS256"},
        {"kty": "oct", "alg": "ES256", "crv": "P-256", "x": "", "y": ""},
        {"kty": None},
        {},
    ],
)
def test_jwt_11_symmetric_and_empty_keys_are_refused(jwk):
    """No shared secret, however long or empty, can become a verification key."""
    with pytest.raises(InvalidKey):
        VerificationKey.from_jwk({"kid": "k", "use": "sig", **jwk})


def test_jwt_01_a_published_key_must_agree_with_itself(key):
    """Missing or foreign kty, crv, alg, use or kid: the key is refused rather than guessed at."""
    published = key.public.to_jwk()
    foreign = {
        "kty": "oct",
        "crv": "P-384",
        "alg": "HS256",
        "use": "enc",
        "kid": "a key",
        "x": "AQ",
        "n": "AQ",
    }

    for member in published.keys() - {"y", "e"}:
        with pytest.raises(InvalidKey):
            VerificationKey.from_jwk({name: text for name, text in published.items() if name != member})
        with pytest.raises(InvalidKey):
            VerificationKey.from_jwk({**published, member: foreign[member]})


def test_jwt_01_every_algorithm_refuses_the_keys_of_the_others():
    """A key of another kind, curve or purpose cannot be used for an algorithm."""
    keys = {
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "P-384": ec.generate_private_key(ec.SECP384R1()),
        "secp256k1": ec.generate_private_key(ec.SECP256K1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
        "RSA": rsa.generate_private_key(65537, 2048),
    }
    fit = {
        Algorithm.ES256: "P-256",
        Algorithm.EDDSA: "Ed25519",
        Algorithm.RS256: "RSA",
        Algorithm.PS256: "RSA",
    }

    for algorithm in ALGORITHMS:
        assert SigningKey("k", algorithm, keys[fit[algorithm]]).public.algorithm is algorithm
        for name in keys.keys() - {fit[algorithm]}:
            with pytest.raises(InvalidKey):
                SigningKey("k", algorithm, keys[name])


def test_rsa_keys_below_2048_bits_are_refused():
    """A short RSA key neither signs nor verifies."""
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - too short is the point

    with pytest.raises(InvalidKey):
        SigningKey("k", Algorithm.RS256, short)


def test_a_coordinate_has_its_full_length():
    """Coordinates whose bytes only together make up a point are refused (RFC 7518 §6.2.1.2)."""
    published = key_for(Algorithm.ES256).public.to_jwk()
    x, y = (base64url.decode(published[name].encode()) for name in "xy")
    moved = {"x": base64url.encode(x + y[:1]).decode(), "y": base64url.encode(y[1:]).decode()}

    with pytest.raises(InvalidKey):
        VerificationKey.from_jwk({**published, **moved})


def test_a_point_off_the_curve_is_refused():
    """Coordinates that are not on P-256 are no key."""
    published = key_for(Algorithm.ES256).public.to_jwk()

    with pytest.raises(InvalidKey):
        VerificationKey.from_jwk({**published, "y": published["x"]})


@pytest.mark.parametrize("encoded", [b"", b"not a key"])
def test_stored_bytes_that_are_no_key_are_refused(encoded):
    """Rubbish in storage is an expected failure, not a crash."""
    with pytest.raises(InvalidKey):
        SigningKey.from_pkcs8("k", Algorithm.ES256, encoded)


def test_a_stored_key_of_another_kind_is_refused():
    """A key that cannot sign tokens at all is refused by name."""
    exchange = x25519.X25519PrivateKey.generate()
    encoded = exchange.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(InvalidKey, match="'exchange'"):
        SigningKey.from_pkcs8("exchange", Algorithm.ES256, encoded)


def test_signatures_of_other_shapes_are_refused(key):
    """Empty, all-zero, truncated, extended and DER-coded signatures do not verify."""
    signature = key.sign(b"message")
    shapes = [b"", bytes(len(signature)), signature[:-1], signature + b"\0", b"\xff" * len(signature)]
    if key.algorithm is Algorithm.ES256:
        shapes.append(key._private_key.sign(b"message", ec.ECDSA(SHA256())))
        shapes.append(signature[:32] + b"\0" + signature[32:])  # the same numbers, one byte longer

    assert not any(key.public.has_signed(b"message", shape) for shape in shapes)
    assert not key.public.has_signed(b"another message", signature)


@pytest.mark.parametrize(
    "encoded", [b"QQ==", b"QR", b"Q", b"Q Q", b"QUE\n", b"+/8", b"_", b"Q=", b"Q\xc3\xa9"]
)
def test_base64url_has_one_spelling(encoded):
    """Padding, stray bits, white space and the standard alphabet are refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - every way to be wrong is the same
        base64url.decode(encoded)
