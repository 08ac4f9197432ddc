"""An authenticator and its browser in software: honest unless told otherwise, step by step (WebAuthn §6 and §5.8.1)."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

ES256, EDDSA, RS256, ES512 = -7, -8, -257, -36
UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def encoded(content: bytes) -> str:
    """Write base64url as WebAuthn's JSON does."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Undo `encoded`."""
    return urlsafe_b64decode(text + "==")


def new_key(algorithm: int) -> Any:
    """Return a fresh private key."""
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == RS256:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP521R1() if algorithm == ES512 else ec.SECP256R1())


def cose_key(key: Any, algorithm: int) -> dict[int, Any]:
    """Write a public key as COSE does (RFC 9053)."""
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {1: 1, 3: algorithm, -1: 6, -2: public.public_bytes_raw()}
    numbers = public.public_numbers()
    if isinstance(public, rsa.RSAPublicKey):
        size = (numbers.n.bit_length() + 7) // 8
        return {1: 3, 3: algorithm, -1: numbers.n.to_bytes(size), -2: numbers.e.to_bytes(3)}
    curve, size = (1, 32) if public.curve.name == "secp256r1" else (3, 66)
    return {1: 2, 3: algorithm, -1: curve, -2: numbers.x.to_bytes(size), -3: numbers.y.to_bytes(size)}


def signed(key: Any, content: bytes, *, deterministic: bool = False) -> bytes:
    """Sign as the key's kind does with SHA-256."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(content)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), SHA256())
    return key.sign(content, ec.ECDSA(SHA256(), deterministic_signing=deterministic))


def authenticator_data(rp_id: str, flags: int, count: int, attested: bytes = b"") -> bytes:
    """Write authenticator data (WebAuthn §6.1)."""
    return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4) + attested


def attested_data(aaguid: bytes, credential_id: bytes, key: dict[int, Any]) -> bytes:
    """Write attested credential data (WebAuthn §6.5.1)."""
    return aaguid + len(credential_id).to_bytes(2) + credential_id + cbor2.dumps(key)


@dataclass
class Authenticator:
    """A device with one passkey for one site; `counts` says whether it has a signature counter.

    `client` overrides what the browser says, `flags` and `rp_id` what the device says, `credential` the JSON around it.
    """

    origin: str = "http://127.0.0.1:8000"
    algorithm: int = ES256
    backup: int = 0
    verifies: bool = True
    counts: bool = True
    aaguid: bytes = bytes(16)
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    count: int = 0
    user_handle: bytes = b""
    key: Any = None

    def __post_init__(self) -> None:
        self.key = self.key or new_key(self.algorithm)

    @property
    def flags(self) -> int:
        """Somebody is there, and verified if the device does that."""
        return UP | (UV if self.verifies else 0) | self.backup

    def make(
        self,
        options: dict[str, Any],
        *,
        client: dict[str, Any] | None = None,
        flags: int | None = None,
        rp_id: str | None = None,
        attestation: dict[str, Any] | None = None,
        credential: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Make the passkey and answer as `navigator.credentials.create` does."""
        self.user_handle = decoded(options["user"]["id"])
        data = authenticator_data(
            rp_id or options["rp"]["id"],
            (self.flags if flags is None else flags) | AT,
            self._counted(),
            attested_data(self.aaguid, self.credential_id, cose_key(self.key, self.algorithm)),
        )
        said = {"fmt": "none", "attStmt": {}, "authData": data} | (attestation or {})
        response = {
            "clientDataJSON": self._client_data("webauthn.create", options, client),
            "attestationObject": encoded(cbor2.dumps(said)),
            "transports": ["internal", "hybrid", "carrier-pigeon"],
        }
        return self._credential(response) | (credential or {})

    def use(
        self,
        options: dict[str, Any],
        *,
        client: dict[str, Any] | None = None,
        flags: int | None = None,
        rp_id: str | None = None,
        response: dict[str, Any] | None = None,
        credential: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Use the passkey and answer as `navigator.credentials.get` does."""
        client_data = self._client_data("webauthn.get", options, client)
        data = authenticator_data(
            rp_id or options["rpId"], self.flags if flags is None else flags, self._counted()
        )
        signature = signed(self.key, data + hashlib.sha256(decoded(client_data)).digest())
        answer = {
            "clientDataJSON": client_data,
            "authenticatorData": encoded(data),
            "signature": encoded(signature),
            "userHandle": encoded(self.user_handle),
        }
        return self._credential(answer | (response or {})) | (credential or {})

    def copied(self) -> Authenticator:
        """Return what somebody has who copied the key as it is now."""
        return Authenticator(**vars(self))

    def _counted(self) -> int:
        self.count += 1 if self.counts else 0
        return self.count

    def _client_data(self, kind: str, options: dict[str, Any], client: dict[str, Any] | None) -> str:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return encoded(json.dumps(said | (client or {})).encode())

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = encoded(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
        }
