"""What the second factors of an account are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.secret import Secret

RESET_PREFIX: Final = "rst"
_TOTP_PREFIX: Final = "totp"
_MESSAGE_PREFIX: Final = "msf"
MAX_TOTP_FACTORS: Final = 5
CONFIRM_WITHIN: Final = timedelta(minutes=15)
"""How long a TOTP factor that was begun waits for its first code."""


class FactorKind(StrEnum):
    """What a second factor is shown by. A recovery code stands in for one that is lost."""

    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"
    EMAIL = "email"
    SMS = "sms"


MESSAGE_KINDS: Final = frozenset({FactorKind.EMAIL, FactorKind.SMS})


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A TOTP factor that waits for its first code, with its secret: shown this one time.

    The secret is in base32, as people type it into an authenticator app; the QR code is an SVG of the URI.
    """

    id: UUID
    secret: Secret
    otpauth_uri: Secret
    qr_svg: Secret


@dataclass(frozen=True, slots=True)
class TotpFactor:
    """A confirmed authenticator app, without its secret."""

    id: UUID
    label: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class MessageFactor:
    """An address somebody has made a second factor."""

    id: UUID
    kind: FactorKind
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Factors:
    """All second factors of an account."""

    totp: Sequence[TotpFactor]
    messages: Sequence[MessageFactor]
    recovery_codes: int
    """How many are left."""


@dataclass(frozen=True, slots=True)
class KindsRow:
    """Which kinds of factors an account has."""

    totp: bool
    recovery_code: bool
    email: bool
    sms: bool

    def kinds(self) -> frozenset[FactorKind]:
        """Return them as a set."""
        return frozenset(kind for kind in FactorKind if getattr(self, kind.value))


@dataclass(frozen=True, slots=True)
class SealedFactor:
    """A TOTP factor as it is stored."""

    id: UUID
    secret_sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FactorReset:
    """An open wish to be rid of lost factors; it takes effect at a moment as soon as somebody approved it."""

    id: UUID
    identity_id: UUID
    requested_at: datetime
    approved_at: datetime | None
    approved_by: str | None
    takes_effect_at: datetime | None

    @property
    def external_id(self) -> str:
        """The id as it is shown outside, `rst_…`."""
        return format_id(RESET_PREFIX, self.id)


def external_totp_factor_id(factor_id: UUID) -> str:
    """Write the id of an authenticator app as it is shown outside, `totp_…`."""
    return format_id(_TOTP_PREFIX, factor_id)


def parse_totp_factor_id(text: str) -> UUID:
    """Read the external id of an authenticator app. Raises `InvalidId`."""
    return parse_id(_TOTP_PREFIX, text)


def external_message_factor_id(factor_id: UUID) -> str:
    """Write the id of a factor by message as it is shown outside, `msf_…`."""
    return format_id(_MESSAGE_PREFIX, factor_id)


def parse_reset_id(text: str) -> UUID:
    """Read the external id of a wish. Raises `InvalidId`."""
    return parse_id(RESET_PREFIX, text)
