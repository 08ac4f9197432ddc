"""The test vectors of WebAuthn Level 3, section 16, through our verification.

Their random values are derived by HKDF from the vector's name, and their signatures are deterministic, so they are made
here again and compared with what the specification prints: a printed signature agrees only if every byte under it does.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from tests.authenticator import (
    EDDSA,
    ES256,
    RS256,
    attested_data,
    authenticator_data,
    cose_key,
    encoded,
    signed,
)

from ostiary.features.passkeys import Refusal, RelyingParty
from ostiary.features.passkeys.verification import (
    CredentialRefused,
    read_presented,
    verify_assertion,
    verify_registration,
)

PRINTED = json.loads((Path(__file__).parents[2] / "vectors" / "webauthn.json").read_text(encoding="utf-8"))
EXAMPLE = RelyingParty("example.org", ("https://example.org",), requires_user_verification=False)
ACCEPTED = ["none.ES256", "packed-self.ES256"]
FRAMED = ["none.ES256.crossOrigin", "none.ES256.topOrigin"]
OTHER_KEYS = ["packed.EdDSA", "packed.RS256"]


@dataclass
class Vector:
    """A vector's ceremonies: the challenges, and what the client answers."""

    registration_challenge: bytes
    registration: dict
    attestation_object: bytes
    challenge: bytes
    assertion: dict
    signature: bytes
    public_key: bytes
    backup_eligible: bool


class Derivation:
    """The values of a vector, one after another."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.salt = 0

    def next(self, length: int) -> bytes:
        derived = HKDF(SHA256(), length, bytes([self.salt]), self.name.encode())
        self.salt += 1
        return derived.derive(b"WebAuthn test vectors")


def _client_data(values: Derivation, kind: str, challenge: bytes) -> bytes:
    framed = values.name in FRAMED
    said = {
        "type": kind,
        "challenge": encoded(challenge),
        "origin": "https://example.org",
        "crossOrigin": framed,
    }
    if values.name.endswith("topOrigin"):
        said["topOrigin"] = "https://example.com"
    if values.next(1)[0] & 1:
        said["extraData"] = (
            "clientDataJSON may be extended with additional fields in the future, such as this: "
            + encoded(values.next(16))
        )
    return json.dumps(said, separators=(",", ":")).encode()


def _key(values: Derivation):
    if values.name.endswith("EdDSA"):
        return ed25519.Ed25519PrivateKey.from_private_bytes(values.next(32)), EDDSA
    if values.name.endswith("RS256"):
        p, q, e = 2**1279 - 1, 2**2203 - 1, 65537
        d = rsa.rsa_recover_private_exponent(e, p, q)
        numbers = rsa.RSAPrivateNumbers(
            p=p,
            q=q,
            d=d,
            dmp1=rsa.rsa_crt_dmp1(d, p),
            dmq1=rsa.rsa_crt_dmq1(d, q),
            iqmp=rsa.rsa_crt_iqmp(p, q),
            public_numbers=rsa.RSAPublicNumbers(e, p * q),
        )
        return numbers.private_key(), RS256
    return ec.derive_private_key(int.from_bytes(values.next(32)), ec.SECP256R1()), ES256


def _credential(credential_id: bytes, response: dict[str, bytes]) -> dict:
    name = encoded(credential_id)
    answered = {field: encoded(content) for field, content in response.items()}
    return {"id": name, "rawId": name, "type": "public-key", "response": answered}


def derived(name: str) -> Vector:
    """Make a vector as the specification says it was made."""
    values = Derivation(name)
    first_challenge = values.next(32)
    key, algorithm = _key(values)
    client_data = _client_data(values, "webauthn.create", first_challenge)
    aaguid, credential_id = values.next(16), values.next(32)
    flags = values.next(1)[0] & 0x1C
    backup_eligible = bool(flags & 0x08)
    flags = 0x41 | (flags if backup_eligible else flags & 0x04)
    public_key = cose_key(key, algorithm)
    data = authenticator_data("example.org", flags, 0, attested_data(aaguid, credential_id, public_key))
    statement = {}
    if name.startswith("packed-self"):
        content = data + hashlib.sha256(client_data).digest()
        statement = {"alg": algorithm, "sig": signed(key, content, deterministic=True)}
    elif name.startswith("packed"):
        # The attestation's own key and its certificate's number, which no assertion needs.
        values.next(32), values.next(16)
    attestation = cbor2.dumps(
        {"fmt": name.partition(".")[0].removesuffix("-self"), "attStmt": statement, "authData": data}
    )
    challenge = values.next(32)
    client_data_2 = _client_data(values, "webauthn.get", challenge)
    flags = values.next(1)[0] & (0x14 if backup_eligible else 0x04)
    data = authenticator_data("example.org", flags | 0x01 | (0x08 if backup_eligible else 0), 0)
    signature = signed(key, data + hashlib.sha256(client_data_2).digest(), deterministic=True)
    return Vector(
        first_challenge,
        _credential(credential_id, {"clientDataJSON": client_data, "attestationObject": attestation}),
        attestation,
        challenge,
        _credential(
            credential_id,
            {"clientDataJSON": client_data_2, "authenticatorData": data, "signature": signature},
        ),
        signature,
        cbor2.dumps(public_key),
        backup_eligible,
    )


def register(vector: Vector):
    return verify_registration(
        vector.registration, challenge=vector.registration_challenge, relying_party=EXAMPLE
    )


def authenticate(vector: Vector, public_key: bytes):
    return verify_assertion(
        read_presented(vector.assertion),
        challenge=vector.challenge,
        relying_party=EXAMPLE,
        requires_user_verification=False,
        public_key=public_key,
        backup_eligible=vector.backup_eligible,
    )


@pytest.mark.parametrize("name", PRINTED)
def test_the_vectors_are_those_the_specification_prints(name):
    """What is derived here agrees with every printed value that is kept."""
    vector, printed = derived(name), PRINTED[name]

    assert vector.signature.hex() == printed["signature"]
    assert vector.attestation_object.hex() == printed.get(
        "attestation_object", vector.attestation_object.hex()
    )
    assert vector.challenge.hex() == printed.get("challenge", vector.challenge.hex())


@pytest.mark.parametrize("name", ACCEPTED)
def test_pk_02_the_specifications_own_ceremonies_pass(name):
    """Registered and used, without attestation and with one of the passkey's own."""
    vector = derived(name)
    new = register(vector)
    said = authenticate(vector, new.public_key)

    assert new.public_key == vector.public_key
    assert new.backup_eligible is vector.backup_eligible
    assert said.sign_count == 0


@pytest.mark.parametrize("name", OTHER_KEYS)
def test_pk_02_the_specifications_other_keys_are_verified(name):
    """An Ed25519 and an RSA key of the specification assert."""
    vector = derived(name)

    assert authenticate(vector, vector.public_key).sign_count == 0


@pytest.mark.parametrize("name", FRAMED)
def test_pk_02_the_specifications_frames_in_other_sites_are_refused(name):
    """They are right in every other step, and we are not to be framed."""
    vector = derived(name)

    with pytest.raises(CredentialRefused) as making:
        register(vector)
    with pytest.raises(CredentialRefused) as using:
        authenticate(vector, vector.public_key)

    assert making.value.reason is Refusal.CROSS_ORIGIN
    assert using.value.reason is Refusal.CROSS_ORIGIN
