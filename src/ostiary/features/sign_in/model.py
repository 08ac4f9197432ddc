"""What a sign-in is made of, and how it can end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from ostiary.features.identities import Credentials, Status
from ostiary.features.sessions import Tokens
from ostiary.foundation.secret import Secret


class Refusal(StrEnum):
    """Why nobody was signed in: precise for the records, folded before it is answered."""

    UNKNOWN_IDENTIFIER = "unknown_identifier"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason
    NOT_ACTIVE = "not_active"
    LOCKED = "locked"
    PASSWORD_CHANGE_REQUIRED = "password_change_required"  # noqa: S105 - a reason
    PASSKEY_REFUSED = "passkey_refused"


@dataclass(frozen=True, slots=True)
class PasswordSignIn:
    """Somebody presents an identifier and a password, and a new one where a change is demanded."""

    entity_type: str
    identifier: str
    password: Secret
    new_password: Secret | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """It was they; here are their tokens."""

    identity_id: UUID
    tokens: Tokens


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
    return None if credentials.status is Status.ACTIVE else Refusal.NOT_ACTIVE
