"""What a sign-in is made of, and how it can end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ostiary.features.identities import Credentials, Status
from ostiary.foundation.secret import Secret


class Refusal(StrEnum):
    """Why nobody was signed in: precise for the records, folded before it is answered."""

    UNKNOWN_IDENTIFIER = "unknown_identifier"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason
    NOT_ACTIVE = "not_active"
    AWAITS_APPROVAL = "awaits_approval"
    LOCKED = "locked"
    NOT_VERIFIED = "not_verified"
    TOO_MANY_MESSAGES = "too_many_messages"
    WRONG_PROOF = "wrong_proof"
    PASSWORD_CHANGE_REQUIRED = "password_change_required"  # noqa: S105 - a reason
    PASSKEY_REFUSED = "passkey_refused"
    OVER = "over"
    """What a token of another system was for has ended, expired, or been taken the place of."""
    PROVIDER_WANTS_MORE = "provider_wants_more"
    """The password was right at the provider that keeps it, which asks for more than can be shown here."""
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a reason
    """What the provider gave for the password was not believed."""
    NOT_ADMITTED = "not_admitted"
    """The provider's rules let nobody like this in."""
    SIGN_IN_FIRST = "sign_in_first"
    """An account here has the address: its owner signs in, and links the provider's account then."""
    PASSWORD_IS_HERE = "password_is_here"  # noqa: S105 - a reason
    """The account has a password of its own here, which the one that the provider keeps does not stand in for."""


@dataclass(frozen=True, slots=True)
class PasswordSignIn:
    """Somebody presents an identifier and a password, a new one where a change is demanded, and a remembered device."""

    entity_type: str
    identifier: str
    password: Secret
    new_password: Secret | None = None
    device: Secret | None = None


@dataclass(frozen=True, slots=True)
class CodeSignIn:
    """Somebody presents an identifier and the code that was sent there, and a remembered device."""

    entity_type: str
    identifier: str
    code: Secret
    device: Secret | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody was signed in; `retry_after` when the budget is spent."""

    reason: Refusal
    retry_after: timedelta | None = None


def refusal(credentials: Credentials | None, *, password_matches: bool) -> Refusal | None:
    """Say why these credentials open nothing, or None if they do."""
    if credentials is None:
        return Refusal.UNKNOWN_IDENTIFIER
    if not password_matches:
        return Refusal.WRONG_PASSWORD
    if credentials.status is Status.PENDING_VERIFICATION:
        return Refusal.AWAITS_APPROVAL
    return None if credentials.status is Status.ACTIVE else Refusal.NOT_ACTIVE
