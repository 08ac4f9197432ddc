"""Using a passkey: all that is checked about an assertion, beside its bare signature."""

from __future__ import annotations

import hashlib
import json
from functools import partial

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.harness import Comparison, Finding, Part, Scale, Tell, measure
from ostiary.features.passkeys import RelyingParty
from ostiary.features.passkeys.verification import read_presented, verify_assertion
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.jose import base64url

_NAME = "passkey assertion"
_HERE = RelyingParty("example.org", ("https://example.org",))
_ENTROPY = Entropy()


def parts() -> list[Part]:
    """Say what can be measured here."""
    return [Part([_NAME], _run)]


def _encoded(content: bytes) -> str:
    return base64url.encode(content).decode()


def _bare(encoded_key: bytes, signature: bytes, signed: bytes) -> None:
    """Read the key as it is stored, and check the signature with it."""
    key = cbor2.loads(encoded_key)
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(key[-2]), int.from_bytes(key[-3]), ec.SECP256R1())
    numbers.public_key().verify(signature, signed, ec.ECDSA(SHA256()))


async def _run(scale: Scale, tell: Tell) -> list[Finding]:
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    public_key = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
    challenge = _ENTROPY.token_bytes(32)
    said = {"type": "webauthn.get", "challenge": _encoded(challenge), "origin": "https://example.org"}
    client_data = json.dumps(said).encode()
    data = hashlib.sha256(b"example.org").digest() + b"\x05" + (7).to_bytes(4)
    signed = data + hashlib.sha256(client_data).digest()
    signature = key.sign(signed, ec.ECDSA(SHA256()))
    name = _encoded(_ENTROPY.token_bytes(32))
    response = {"clientDataJSON": client_data, "authenticatorData": data, "signature": signature}
    credential = {
        "id": name,
        "rawId": name,
        "type": "public-key",
        "response": {field: _encoded(content) for field, content in response.items()},
    }
    verify = partial(
        verify_assertion,
        challenge=challenge,
        relying_party=_HERE,
        requires_user_verification=True,
        public_key=public_key,
        backup_eligible=False,
    )

    async def whole(operations: int) -> None:
        for _ in range(operations):
            verify(read_presented(credential))

    async def bare(operations: int) -> None:
        for _ in range(operations):
            _bare(public_key, signature, signed)

    claim = "against its bare ES256 verification, its key read from CBOR"
    return [await measure(Comparison(_NAME, claim, 1000, whole, bare, bar=2, least=200), scale, tell)]
