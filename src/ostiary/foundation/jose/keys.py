"""Public keys, each for one algorithm, and their published form (RFC 7517, RFC 7518, RFC 8037)."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.jose import base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding

_PublicKey = ec.EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey

SHA_256: Final = SHA256()
P256_SIZE: Final = 32
_RSA_BITS_ACCEPTED: Final = 2048
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Algorithm(StrEnum):
    """The signature algorithms we use, as RFC 7518 §3.1 and RFC 8037 §3.1 name them."""

    ES256 = "ES256"
    EDDSA = "EdDSA"
    RS256 = "RS256"
    PS256 = "PS256"


@cache
def ecdsa() -> ec.ECDSA:
    """Return ECDSA with SHA-256. The first call loads what OpenSSL needs, so it is made when a key is read."""
    return ec.ECDSA(SHA_256)


@cache
def rsa_padding(algorithm: Algorithm) -> AsymmetricPadding:
    """Return the padding of RS256 (RFC 7518 §3.3) or PS256 (§3.5)."""
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 - for RSA keys alone

    if algorithm is Algorithm.RS256:
        return padding.PKCS1v15()
    return padding.PSS(mgf=padding.MGF1(SHA_256), salt_length=padding.PSS.DIGEST_LENGTH)


class InvalidKey(OstiaryError):
    """A key cannot be used for the algorithm it is given for, or is not a public signature key."""


class _EcJwk(msgspec.Struct, frozen=True, tag_field="kty", tag="EC"):
    """A public P-256 key (RFC 7518 §6.2.1)."""

    kid: str
    use: Literal["sig"]
    alg: Literal["ES256"]
    crv: Literal["P-256"]
    x: str
    y: str

    def public_key(self) -> ec.EllipticCurvePublicKey:
        x, y = base64url.decode(self.x.encode()), base64url.decode(self.y.encode())
        if len(x) != P256_SIZE or len(y) != P256_SIZE:
            raise ValueError("A coordinate of P-256 is 32 bytes long.")
        # Refuses a point that is not on the curve.
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)


class _OkpJwk(msgspec.Struct, frozen=True, tag_field="kty", tag="OKP"):
    """A public Ed25519 key (RFC 8037 §2)."""

    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]
    crv: Literal["Ed25519"]
    x: str

    def public_key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(base64url.decode(self.x.encode()))


class _RsaJwk(msgspec.Struct, frozen=True, tag_field="kty", tag="RSA"):
    """A public RSA key (RFC 7518 §6.3.1)."""

    kid: str
    use: Literal["sig"]
    alg: Literal["RS256", "PS256"]
    n: str
    e: str

    def public_key(self) -> RSAPublicKey:
        n, e = base64url.decode(self.n.encode()), base64url.decode(self.e.encode())
        return RSAPublicNumbers(int.from_bytes(e), int.from_bytes(n)).public_key()


class VerificationKey(msgspec.Struct, frozen=True):
    """The public half of a key, for one algorithm. Raises `InvalidKey` where the two do not agree."""

    kid: str
    algorithm: Algorithm
    public_key: _PublicKey

    def __post_init__(self) -> None:
        if _KEY_ID.fullmatch(self.kid) is None:
            raise InvalidKey("A key id is 1 to 64 letters, digits, hyphens and underscores.")
        if not _fits(self.algorithm, self.public_key):
            raise InvalidKey(
                f"The key {self.kid!r} is not fit for {self.algorithm}: ES256 takes P-256, EdDSA takes "
                f"Ed25519, RS256 and PS256 take RSA of {_RSA_BITS_ACCEPTED} bits or more."
            )
        if self.algorithm is Algorithm.ES256:
            ecdsa()

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Say whether `signature`, in the form of RFC 7518 §3 or RFC 8037 §3.1, is this key's."""
        public_key = self.public_key
        try:
            if isinstance(public_key, ec.EllipticCurvePublicKey):
                if len(signature) != 2 * P256_SIZE:
                    return False
                r, s = signature[:P256_SIZE], signature[P256_SIZE:]
                der = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
                public_key.verify(der, message, ecdsa())
            elif isinstance(public_key, Ed25519PublicKey):
                public_key.verify(signature, message)
            else:
                public_key.verify(signature, message, rsa_padding(self.algorithm), SHA_256)
        except InvalidSignature:
            return False
        return True

    def to_jwk(self) -> dict[str, str]:
        """Return the public members (RFC 7517 §4), fit for a published key set."""
        public_key = self.public_key
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            point = public_key.public_numbers()
            members = {
                "kty": "EC",
                "crv": "P-256",
                "x": _text(point.x.to_bytes(P256_SIZE)),
                "y": _text(point.y.to_bytes(P256_SIZE)),
            }
        elif isinstance(public_key, Ed25519PublicKey):
            members = {"kty": "OKP", "crv": "Ed25519", "x": _text(public_key.public_bytes_raw())}
        else:
            numbers = public_key.public_numbers()
            members = {"kty": "RSA", "n": _integer_text(numbers.n), "e": _integer_text(numbers.e)}
        return {"kid": self.kid, "use": "sig", "alg": self.algorithm.value, **members}

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> Self:
        """Read a public signature key; members we do not know are ignored (RFC 7517 §4).

        Raises `InvalidKey` for symmetric and private keys, for one that does not name its use, algorithm
        and id, and for parts that do not agree.
        """
        if not _PRIVATE_MEMBERS.isdisjoint(jwk):
            raise InvalidKey(
                "A published key holds private members: replace the key, it is no longer secret."
            )
        try:
            read = msgspec.convert(jwk, type=_EcJwk | _OkpJwk | _RsaJwk)
            public_key = read.public_key()
        except ValueError:
            raise InvalidKey(
                "A published key cannot be read: kty, crv, alg, use and kid must be given and agree."
            ) from None
        return cls(read.kid, Algorithm(read.alg), public_key)


def _fits(algorithm: Algorithm, public_key: object) -> bool:
    match algorithm:
        case Algorithm.ES256:
            return isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(
                public_key.curve, ec.SECP256R1
            )
        case Algorithm.EDDSA:
            return isinstance(public_key, Ed25519PublicKey)
        case Algorithm.RS256 | Algorithm.PS256:
            return isinstance(public_key, RSAPublicKey) and public_key.key_size >= _RSA_BITS_ACCEPTED


def _text(content: bytes) -> str:
    return base64url.encode(content).decode("ascii")


def _integer_text(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8))
