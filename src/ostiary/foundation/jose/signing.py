"""Private keys, each for one algorithm. Who only checks tokens never loads this module."""

from __future__ import annotations

from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from ostiary.foundation.jose.keys import (
    P256_SIZE,
    SHA_256,
    Algorithm,
    InvalidKey,
    VerificationKey,
    ecdsa,
    rsa_padding,
)

_PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey

_RSA_BITS_GENERATED: Final = 3072  # 128 bits of security, as P-256 has (ASVS 11.2.3)


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
            r, s = decode_dss_signature(private_key.sign(message, ecdsa()))
            return r.to_bytes(P256_SIZE) + s.to_bytes(P256_SIZE)
        if isinstance(private_key, Ed25519PrivateKey):
            return private_key.sign(message)
        return private_key.sign(message, rsa_padding(self.algorithm), SHA_256)
