"""Second factors and passkeys as old systems keep them."""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from tests.features.legacy.systems.making import Draw

_KEYS: Final = 3


def totp_secret(draw: Draw) -> str:
    """Return a secret of 160 bits in base32, without padding."""
    return base64.b32encode(draw.bytes("totp")[:20]).decode()


def credential_id(draw: Draw) -> bytes:
    """Return the id of a passkey."""
    return draw.bytes("passkey")


@cache
def _public_key(place: int) -> bytes:
    numbers = ec.derive_private_key(place + 1, ec.SECP256R1()).public_key().public_numbers()
    x, y = (value.to_bytes(32) for value in (numbers.x, numbers.y))
    # A COSE key (RFC 9053 §7.1.1): kty EC2, alg ES256, crv P-256, x, y.
    return b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y


def public_key(draw: Draw) -> bytes:
    """Return a passkey's public key as COSE; a few come again."""
    return _public_key(draw.number % _KEYS)


def attestation_object(draw: Draw) -> bytes:
    """Return what a browser answered when a passkey was made, without a statement (WebAuthn §6.5)."""
    key = credential_id(draw)
    data = bytes(32) + b"\x45" + bytes(4) + bytes(16) + len(key).to_bytes(2) + key + public_key(draw)
    return b"\xa3cfmtdnonegattStmt\xa0hauthData\x58" + bytes([len(data)]) + data


def base64_of(data: bytes) -> str:
    """Write bytes in base64."""
    return base64.b64encode(data).decode()


def base64url_of(data: bytes) -> str:
    """Write bytes in base64url, without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
