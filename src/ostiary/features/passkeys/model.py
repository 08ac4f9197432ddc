"""What a passkey and a ceremony are, and the pure decisions about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ostiary.features.outbox import Recipient
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSKEY_PREFIX: Final = "psk"
LIMIT: Final = 20
"""How many passkeys one identity may have."""
CEREMONY_LIFETIME: Final = timedelta(minutes=5)
CHALLENGE_SIZE: Final = 32
LONGEST_LABEL: Final = 64
_NAMELESS: Final = "Passkey"
# Where people keep most of their passkeys, as the makers publish it; the others get a plain name.
_MAKERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "08987058-cadc-4b81-b6e1-30de50dcbe96": "Windows Hello",
        "bada5566-a7aa-401f-bd96-45619a55120d": "1Password",
        "d548826e-79b4-db40-a3d8-11116f7e8349": "Bitwarden",
        "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4": "Google Password Manager",
        "fbfc3007-154e-4ecc-8c0b-6e020557d7bd": "iCloud Keychain",
    }
)


class Kind(StrEnum):
    """What a ceremony is for; a challenge made for one is nothing for the other."""

    REGISTRATION = "registration"
    AUTHENTICATION = "authentication"


class Refusal(StrEnum):
    """Why a ceremony came to nothing; each names the step of WebAuthn §7.1 or §7.2 that it failed."""

    CEREMONY_UNKNOWN = "ceremony_unknown"
    CEREMONY_EXPIRED = "ceremony_expired"
    CEREMONY_OF_ANOTHER = "ceremony_of_another"
    MALFORMED = "malformed"
    WRONG_ID = "wrong_id"
    WRONG_TYPE = "wrong_type"
    WRONG_CHALLENGE = "wrong_challenge"
    WRONG_ORIGIN = "wrong_origin"
    CROSS_ORIGIN = "cross_origin"
    WRONG_RELYING_PARTY = "wrong_relying_party"
    USER_NOT_PRESENT = "user_not_present"
    USER_NOT_VERIFIED = "user_not_verified"
    WRONG_BACKUP_FLAGS = "wrong_backup_flags"
    WRONG_ALGORITHM = "wrong_algorithm"
    WRONG_ATTESTATION = "wrong_attestation"
    WRONG_SIGNATURE = "wrong_signature"
    REGISTERED_ALREADY = "registered_already"
    TOO_MANY = "too_many"
    SESSION_ENDED = "session_ended"
    UNKNOWN_PASSKEY = "unknown_passkey"
    WRONG_USER = "wrong_user"
    NOT_ACTIVE = "not_active"
    CLONE_SUSPECTED = "clone_suspected"


class TooManyPasskeys(OstiaryError):
    """An identity has as many passkeys as it may have."""

    def __init__(self) -> None:
        super().__init__(f"An account may have {LIMIT} passkeys: remove one before you add another.")


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who asks for passkeys: the id they are made for, and the exact origins whose pages may use them.

    With `requires_user_verification` a passkey proves two factors, the device and a PIN or a fingerprint, and one that
    does not is refused. With `refuses_clones` a counter that goes backwards is no proof; it is recorded either way.
    """

    id: str
    origins: Sequence[str]
    requires_user_verification: bool = True
    refuses_clones: bool = True


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose passkey is to be made, as their authenticator will show them."""

    id: UUID
    name: str = field(repr=False)
    display_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bound:
    """What a ceremony belongs to; one of nobody belongs to the browser that holds its token."""

    identity_id: UUID | None = None
    session_id: UUID | None = None
    flow_id: UUID | None = None


ANYBODY: Final = Bound()


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What a browser needs for its part: the options of WebAuthn as JSON, and the token to come back with."""

    token: Secret
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UsedCeremony:
    """A ceremony that was just used up."""

    kind: Kind
    identity_id: UUID | None
    session_id: UUID | None
    flow_id: UUID | None
    challenge: bytes = field(repr=False)
    expires_at: datetime

    def refusal(self, kind: Kind, bound: Bound, *, now: datetime) -> Refusal | None:
        """Say why it is nothing for this purpose and these people, or None if it is theirs."""
        if self.kind is not kind or Bound(self.identity_id, self.session_id, self.flow_id) != bound:
            return Refusal.CEREMONY_OF_ANOTHER
        return Refusal.CEREMONY_EXPIRED if now >= self.expires_at else None


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its owner sees it."""

    id: UUID
    label: str
    aaguid: str
    transports: list[str]
    backup_eligible: bool
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None
    clone_suspected_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredPasskey:
    """A passkey that was presented, with what its owner's account says."""

    id: UUID
    identity_id: UUID
    public_key: bytes
    backup_eligible: bool
    clone_suspected_at: datetime | None
    is_active: bool
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    locale: str | None

    @property
    def recipient(self) -> Recipient:
        """How messages reach the owner."""
        return Recipient(self.email, self.phone, self.locale)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """How a browser finds a passkey."""

    credential_id: bytes
    transports: list[str]


@dataclass(frozen=True, slots=True)
class Registration:
    """What a new passkey says about itself, verified."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    transports: Sequence[str]
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a passkey says when it is used, verified."""

    sign_count: int
    backed_up: bool
    user_verified: bool


@dataclass(frozen=True, slots=True)
class Proven:
    """Somebody used a passkey of theirs."""

    identity_id: UUID
    passkey_id: UUID
    user_verified: bool
    amr: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was registered or proven; `identity_id` when it is known whose passkey it was."""

    reason: Refusal
    identity_id: UUID | None = None


def methods(*, backup_eligible: bool, user_verified: bool) -> tuple[str, ...]:
    """Return what using a passkey proved, as RFC 8176 names it.

    A key that can be copied to other devices is not bound to hardware. With user verification it is two factors.
    """
    key = "swk" if backup_eligible else "hwk"
    return (key, "user", "mfa") if user_verified else (key, "user")


def default_label(aaguid: str) -> str:
    """Name a passkey whose owner did not, by who keeps it."""
    return _MAKERS.get(aaguid, _NAMELESS)


def external_passkey_id(passkey_id: UUID) -> str:
    """Write a passkey's id as it is shown outside, `psk_…`."""
    return format_id(PASSKEY_PREFIX, passkey_id)


def parse_passkey_id(text: str) -> UUID:
    """Read a passkey's id. Raises `InvalidId`."""
    return parse_id(PASSKEY_PREFIX, text)
