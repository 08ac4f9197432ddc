"""What somebody holds in her hands: an authenticator app, and a device with a passkey."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

_STEP = 30
_ES256 = -7
_PRESENT_AND_VERIFIED, _ATTESTED = 0x05, 0x40


class AuthenticatorApp:
    """Six digits that change every 30 seconds (RFC 6238)."""

    def __init__(self, secret: str) -> None:
        self._secret = base64.b32decode(secret)
        self._shown = 0

    def next_code(self) -> str:
        """Return the code of now, or of the step after the one that was shown last: no code is good twice."""
        step = max(int(time.time()) // _STEP, self._shown + 1)
        self._shown = step
        digest = hmac.digest(self._secret, step.to_bytes(8), "sha1")
        start = digest[-1] & 0x0F
        number = int.from_bytes(digest[start : start + 4]) & 0x7FFFFFFF
        return f"{number % 1_000_000:06}"


class Passkey:
    """A device that makes one passkey and signs with it (WebAuthn §6), in the browser of a page at `origin`."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = secrets.token_bytes(32)
        self._owner = b""
        self._count = 0

    def create(self, options: dict) -> dict:
        """Answer as `navigator.credentials.create` does."""
        self._owner = _decoded(options["user"]["id"])
        numbers = self._key.public_key().public_numbers()
        key = {1: 2, 3: _ES256, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + len(self._id).to_bytes(2) + self._id + cbor2.dumps(key)
        data = self._data(options["rp"]["id"], _PRESENT_AND_VERIFIED | _ATTESTED) + attested
        return self._credential(
            clientDataJSON=self._client_data("webauthn.create", options),
            attestationObject=_encoded(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
        )

    def get(self, options: dict) -> dict:
        """Answer as `navigator.credentials.get` does."""
        client_data = self._client_data("webauthn.get", options)
        data = self._data(options["rpId"], _PRESENT_AND_VERIFIED)
        said = data + hashlib.sha256(_decoded(client_data)).digest()
        return self._credential(
            clientDataJSON=client_data,
            authenticatorData=_encoded(data),
            signature=_encoded(self._key.sign(said, ec.ECDSA(SHA256()))),
            userHandle=_encoded(self._owner),
        )

    def _data(self, rp_id: str, flags: int) -> bytes:
        self._count += 1
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self._count.to_bytes(4)

    def _client_data(self, kind: str, options: dict) -> str:
        said = {"type": kind, "challenge": options["challenge"], "origin": self._origin, "crossOrigin": False}
        return _encoded(json.dumps(said).encode())

    def _credential(self, **response: str) -> dict:
        name = _encoded(self._id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")
