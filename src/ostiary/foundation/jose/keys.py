"""Keys that sign, each for one algorithm, and their published form (RFC 7517, RFC 7518, RFC 8037)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.jose import base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

_PublicKey = ec.EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey
_PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey

_SHA256: Final = SHA256()
_ECDSA: Final = ec.ECDSA(_SHA256)
_P256_SIZE: Final = 32
_RSA_BITS_ACCEPTED: Final = 2048
_RSA_BITS_GENERATED: Final = 3072  # 128 bits of security, as P-256 has (ASVS 11.2.3)
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Algorithm(StrEnum):
    """The signature algorithms we use, as RFC 7518 §3.1 and RFC 8037 §3.1 name them."""

    ES256 = "ES256"
    EDDSA = "EdDSA"
    RS256 = "RS256"
    PS256 = "PS256"


_RSA_PADDINGS: Final = {
    Algorithm.RS256: PKCS1v15(),
    Algorithm.PS256: PSS(mgf=MGF1(_SHA256), salt_length=PSS.DIGEST_LENGTH),
}


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
        if len(x) != _P256_SIZE or len(y) != _P256_SIZE:
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


@dataclass(frozen=True, slots=True)
class VerificationKey:
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

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Say whether `signature`, in the form of RFC 7518 §3 or RFC 8037 §3.1, is this key's."""
        public_key = self.public_key
        try:
            if isinstance(public_key, ec.EllipticCurvePublicKey):
                if len(signature) != 2 * _P256_SIZE:
                    return False
                r, s = signature[:_P256_SIZE], signature[_P256_SIZE:]
                der = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
                public_key.verify(der, message, _ECDSA)
            elif isinstance(public_key, Ed25519PublicKey):
                public_key.verify(signature, message)
            else:
                public_key.verify(signature, message, _RSA_PADDINGS[self.algorithm], _SHA256)
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
                "x": _text(point.x.to_bytes(_P256_SIZE)),
                "y": _text(point.y.to_bytes(_P256_SIZE)),
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


class SigningKey:
    """A private key that signs with one algorithm. Raises `InvalidKey` where the two do not agree."""

    def __init__(self, kid: str, algorithm: Algorithm, private_key: _PrivateKey) -> None:
        self.public = VerificationKey(kid, algorithm, private_key.public_key())
        self.kid = kid
        self.algorithm = algorithm
        self._private_key = private_key

    @classmethod
    def generate(cls, algorithm: Algorithm, kid: str) -> Self:
        """Make a new key; its randomness is OpenSSL's own, as is that of every signature."""
        match algorithm:
            case Algorithm.ES256:
                return cls(kid, algorithm, ec.generate_private_key(ec.SECP256R1()))
            case Algorithm.EDDSA:
                return cls(kid, algorithm, Ed25519PrivateKey.generate())
            case Algorithm.RS256 | Algorithm.PS256:
                return cls(kid, algorithm, generate_rsa_key(65537, _RSA_BITS_GENERATED))

    @classmethod
    def from_pkcs8(cls, kid: str, algorithm: Algorithm, encoded: bytes) -> Self:
        """Read what `to_pkcs8` wrote. Raises `InvalidKey`."""
        try:
            private_key = load_der_private_key(encoded, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise InvalidKey(f"The private key {kid!r} is not an unencrypted PKCS #8 key.") from None
        if not isinstance(private_key, _PrivateKey):
            raise InvalidKey(f"The private key {kid!r} is of a kind that signs none of our tokens.")
        return cls(kid, algorithm, private_key)

    def to_pkcs8(self) -> bytes:
        """Return the private key, unencrypted, in DER (RFC 5958): to be sealed before it is stored."""
        return self._private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """Sign `message`, in the form of RFC 7518 §3 or RFC 8037 §3.1."""
        private_key = self._private_key
        if isinstance(private_key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(private_key.sign(message, _ECDSA))
            return r.to_bytes(_P256_SIZE) + s.to_bytes(_P256_SIZE)
        if isinstance(private_key, Ed25519PrivateKey):
            return private_key.sign(message)
        return private_key.sign(message, _RSA_PADDINGS[self.algorithm], _SHA256)


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
