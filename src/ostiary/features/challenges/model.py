"""What a challenge is, and how long it lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_KIND: Final = "challenge"  # noqa: S105 - names a kind of token, and is none
CODE_DIGITS: Final = 6
CODE_ATTEMPTS: Final = 5
"""How often a code may be guessed at (NIST SP 800-63B §3.1.3, REC-04)."""
_CODE_LIFETIME: Final = timedelta(minutes=5)


class Purpose(StrEnum):
    """What a challenge proves; one minted for one purpose is nothing for another."""

    REGISTER = "register"
    VERIFY_EMAIL = "verify_email"
    VERIFY_PHONE = "verify_phone"
    CHANGE_EMAIL = "change_email"
    CHANGE_PHONE = "change_phone"
    UNDO_ADDRESS_CHANGE = "undo_address_change"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose
    SIGN_IN_LINK = "sign_in_link"
    SIGN_IN_CODE = "sign_in_code"
    MFA_EMAIL = "mfa_email"
    MFA_SMS = "mfa_sms"
    UNDO_FACTOR_RESET = "undo_factor_reset"
    INVITE = "invite"
    BOOTSTRAP = "bootstrap"
    UNDO_DELETION = "undo_deletion"
    MERGE = "merge"


class Format(StrEnum):
    """How the secret is written: a bearer secret for a link, or six digits for people."""

    LINK = "link"
    CODE = "code"


# What proves an address or opens an account lives for half an hour at the most (REC-01). Undoing is for the morning after.
_LINK_LIFETIMES: Final[Mapping[Purpose, timedelta]] = MappingProxyType(
    {
        Purpose.SIGN_IN_LINK: timedelta(minutes=15),
        Purpose.UNDO_ADDRESS_CHANGE: timedelta(days=7),
        Purpose.UNDO_FACTOR_RESET: timedelta(days=7),
        Purpose.INVITE: timedelta(days=7),
        Purpose.BOOTSTRAP: timedelta(hours=24),
        Purpose.MERGE: timedelta(minutes=10),
    }
)
LINK_LIFETIME: Final = timedelta(minutes=30)


def lifetime_of(purpose: Purpose, form: Format) -> timedelta:
    """Return how long a challenge lives unless its issuer says otherwise."""
    return _CODE_LIFETIME if form is Format.CODE else _LINK_LIFETIMES.get(purpose, LINK_LIFETIME)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A live challenge, without its secret."""

    id: UUID
    identity_id: UUID | None
    purpose: Purpose
    entity_type: str
    destination: str
    format: Format
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Reissued:
    """A live challenge that got a new secret: what it is for, and until when."""

    purpose: Purpose
    token: Secret
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Consumed:
    """What a challenge that was just used up stood for."""

    id: UUID
    identity_id: UUID | None
    entity_type: str
    destination: str
    flow_id: UUID | None
    created_at: datetime
    payload: bytes | None = field(repr=False)
