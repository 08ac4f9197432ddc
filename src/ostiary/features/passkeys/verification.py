"""What a browser brings back, checked step by step (WebAuthn §7.1 and §7.2). Pure: no clock, no database.

Every step has a reason of its own, for the records. The library judges the whole once more, signature included: nothing
passes by our reading alone, nor by its.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import Struct, field
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_authenticator_data,
)
from webauthn.helpers.cose import COSECRV, COSEAlgorithmIdentifier
from webauthn.helpers.structs import AttestationFormat, AuthenticatorTransport

from ostiary.features.passkeys.model import Assertion, Kind, Refusal, Registration
from ostiary.foundation.crypto import equal
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.jose import base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from webauthn.helpers.structs import AuthenticatorData

    from ostiary.features.passkeys.model import RelyingParty

ALGORITHMS: Final = (
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
"""What is offered, the best known first; anything else is refused (PK-06)."""

# None is asked for. Some authenticators vouch for themselves all the same, which is checked and believed no further.
_ATTESTATIONS: Final = frozenset({AttestationFormat.NONE, AttestationFormat.PACKED})
_TRANSPORTS: Final = frozenset(transport.value for transport in AuthenticatorTransport)
_TYPES: Final = {Kind.REGISTRATION: "webauthn.create", Kind.AUTHENTICATION: "webauthn.get"}
_LONGEST_ID: Final = 1023
_RSA_SIZES: Final = range(2048, 4096 + 1)

T = TypeVar("T")
S = TypeVar("S", bound=Struct)


class CredentialRefused(OstiaryError):
    """What a browser brought back failed a step."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(f"The passkey was not accepted ({reason.value}).")
        self.reason = reason


class _ClientData(Struct, frozen=True):
    """What the browser says about the ceremony (WebAuthn §5.8.1)."""

    type: str
    challenge: str
    origin: str
    cross_origin: bool = field(name="crossOrigin", default=False)
    top_origin: str | None = field(name="topOrigin", default=None)


class _AttestationResponse(Struct, frozen=True):
    client_data: str = field(name="clientDataJSON")
    attestation_object: str = field(name="attestationObject")
    transports: list[str] = []


class _AssertionResponse(Struct, frozen=True):
    client_data: str = field(name="clientDataJSON")
    authenticator_data: str = field(name="authenticatorData")
    signature: str
    user_handle: str | None = field(name="userHandle", default=None)


class _NewCredential(Struct, frozen=True):
    """`RegistrationResponseJSON` (WebAuthn §5.1.8)."""

    id: str
    raw_id: str = field(name="rawId")
    type: Literal["public-key"]
    response: _AttestationResponse


class PresentedCredential(Struct, frozen=True):
    """`AuthenticationResponseJSON` (WebAuthn §5.1.8)."""

    id: str
    raw_id: str = field(name="rawId")
    type: Literal["public-key"]
    response: _AssertionResponse

    @property
    def credential_id(self) -> bytes:
        """The id in bytes. Raises `CredentialRefused`."""
        return _id_of(self)

    @property
    def user_handle(self) -> bytes | None:
        """Whose passkey the authenticator says it is. Raises `CredentialRefused`."""
        handle = self.response.user_handle
        return None if handle is None else _decoded(handle)


def read_presented(credential: Mapping[str, Any]) -> PresentedCredential:
    """Read the JSON of an assertion. Raises `CredentialRefused`."""
    return _converted(credential, PresentedCredential)


def verify_registration(
    credential: Mapping[str, Any], *, challenge: bytes, relying_party: RelyingParty
) -> Registration:
    """Verify a new passkey (WebAuthn §7.1). Raises `CredentialRefused`."""
    new = _converted(credential, _NewCredential)
    credential_id = _id_of(new)
    _check_client_data(new.response.client_data, Kind.REGISTRATION, challenge, relying_party)
    attested = _read(lambda: parse_attestation_object(_decoded(new.response.attestation_object)))
    _check_authenticator_data(
        attested.auth_data,
        relying_party,
        requires_user_verification=relying_party.requires_user_verification,
    )
    made = attested.auth_data.attested_credential_data
    if made is None or made.credential_id != credential_id:
        raise CredentialRefused(Refusal.WRONG_ID)
    _check_public_key(made.credential_public_key)
    if attested.fmt not in _ATTESTATIONS:
        raise CredentialRefused(Refusal.WRONG_ATTESTATION)
    verified = _judged(
        lambda: verify_registration_response(
            credential=msgspec.to_builtins(new),
            expected_challenge=challenge,
            expected_rp_id=relying_party.id,
            expected_origin=list(relying_party.origins),
            require_user_verification=relying_party.requires_user_verification,
            supported_pub_key_algs=list(ALGORITHMS),
        ),
        Refusal.WRONG_ATTESTATION,
    )
    return Registration(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        aaguid=verified.aaguid,
        transports=[name for name in dict.fromkeys(new.response.transports) if name in _TRANSPORTS],
        backup_eligible=attested.auth_data.flags.be,
        backed_up=verified.credential_backed_up,
    )


def verify_assertion(
    presented: PresentedCredential,
    *,
    challenge: bytes,
    relying_party: RelyingParty,
    requires_user_verification: bool,
    public_key: bytes,
    backup_eligible: bool,
) -> Assertion:
    """Verify that a passkey was used now and here (WebAuthn §7.2); its counter is for whoever keeps it.

    Raises `CredentialRefused`.
    """
    _check_client_data(presented.response.client_data, Kind.AUTHENTICATION, challenge, relying_party)
    said = _read(lambda: parse_authenticator_data(_decoded(presented.response.authenticator_data)))
    _check_authenticator_data(said, relying_party, requires_user_verification=requires_user_verification)
    if said.flags.be is not backup_eligible:
        raise CredentialRefused(Refusal.WRONG_BACKUP_FLAGS)
    verified = _judged(
        lambda: verify_authentication_response(
            credential=msgspec.to_builtins(presented),
            expected_challenge=challenge,
            expected_rp_id=relying_party.id,
            expected_origin=list(relying_party.origins),
            credential_public_key=public_key,
            # What a counter means is decided where it is stored, by policy (PK-05).
            credential_current_sign_count=0,
            require_user_verification=requires_user_verification,
        ),
        Refusal.WRONG_SIGNATURE,
    )
    return Assertion(verified.new_sign_count, verified.credential_backed_up, verified.user_verified)


def _check_client_data(text: str, kind: Kind, challenge: bytes, relying_party: RelyingParty) -> None:
    """Compare what the browser says with what we asked, exactly (WebAuthn §7.2, steps 10 to 14)."""
    try:
        said = msgspec.json.decode(_decoded(text), type=_ClientData)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise CredentialRefused(Refusal.MALFORMED) from None
    if said.type != _TYPES[kind]:
        raise CredentialRefused(Refusal.WRONG_TYPE)
    if not equal(_decoded(said.challenge), challenge):
        raise CredentialRefused(Refusal.WRONG_CHALLENGE)
    if said.origin not in relying_party.origins:
        raise CredentialRefused(Refusal.WRONG_ORIGIN)
    if said.cross_origin or said.top_origin is not None:
        raise CredentialRefused(Refusal.CROSS_ORIGIN)


def _check_authenticator_data(
    said: AuthenticatorData, relying_party: RelyingParty, *, requires_user_verification: bool
) -> None:
    """Compare what the authenticator says with what we ask for (WebAuthn §7.2, steps 15 to 18)."""
    if not equal(said.rp_id_hash, hashlib.sha256(relying_party.id.encode()).digest()):
        raise CredentialRefused(Refusal.WRONG_RELYING_PARTY)
    if not said.flags.up:
        raise CredentialRefused(Refusal.USER_NOT_PRESENT)
    if requires_user_verification and not said.flags.uv:
        raise CredentialRefused(Refusal.USER_NOT_VERIFIED)
    if said.flags.bs and not said.flags.be:
        raise CredentialRefused(Refusal.WRONG_BACKUP_FLAGS)


def _check_public_key(encoded: bytes) -> None:
    """Make sure that a key is of an offered kind and can be used: without attestation nothing else looks at it."""
    key = _read(lambda: decode_credential_public_key(encoded))
    if key.alg not in ALGORITHMS:
        raise CredentialRefused(Refusal.WRONG_ALGORITHM)
    if key.alg == COSEAlgorithmIdentifier.ECDSA_SHA_256 and getattr(key, "crv", None) != COSECRV.P256:
        raise CredentialRefused(Refusal.WRONG_ALGORITHM)
    usable = _judged(lambda: decoded_public_key_to_cryptography(key), Refusal.WRONG_ALGORITHM)
    if isinstance(usable, RSAPublicKey) and usable.key_size not in _RSA_SIZES:
        raise CredentialRefused(Refusal.WRONG_ALGORITHM)


def _id_of(credential: _NewCredential | PresentedCredential) -> bytes:
    """Return a credential's id, which is written twice and must be one (PK-03)."""
    raw_id = _decoded(credential.raw_id)
    if credential.id != credential.raw_id or not 0 < len(raw_id) <= _LONGEST_ID:
        raise CredentialRefused(Refusal.WRONG_ID)
    return raw_id


def _converted(credential: Mapping[str, Any], into: type[S]) -> S:
    try:
        return msgspec.convert(credential, into)
    except msgspec.ValidationError:
        raise CredentialRefused(Refusal.MALFORMED) from None


def _decoded(text: str) -> bytes:
    try:
        return base64url.decode(text.encode("ascii"))
    except ValueError:
        raise CredentialRefused(Refusal.MALFORMED) from None


def _read(reading: Callable[[], T]) -> T:
    return _judged(reading, Refusal.MALFORMED)


def _judged(work: Callable[[], T], reason: Refusal) -> T:
    try:
        return work()
    except CredentialRefused:
        raise
    except Exception:  # noqa: BLE001 - the library stumbles over foreign bytes in many ways; all of them mean no
        raise CredentialRefused(reason) from None
