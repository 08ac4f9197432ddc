"""What a reset is made of, and how it can end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ostiary.features.identities import Identity, Status
from ostiary.foundation.secret import Secret


class Refusal(StrEnum):
    """Why nothing was sent, or nothing was reset: precise for the records, one and the same outside."""

    UNKNOWN_IDENTIFIER = "unknown_identifier"
    NOT_ACTIVE = "not_active"
    TOO_MANY_MESSAGES = "too_many_messages"
    LOCKED = "locked"
    WRONG_PROOF = "wrong_proof"
    ADDRESS_CHANGED = "address_changed"


@dataclass(frozen=True, slots=True)
class LinkReset:
    """Somebody followed the link they were sent."""

    token: Secret


@dataclass(frozen=True, slots=True)
class CodeReset:
    """Somebody typed the code they were sent."""

    entity_type: str
    identifier: str
    code: Secret


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was reset; `retry_after` when the failure budget is spent."""

    reason: Refusal
    retry_after: timedelta | None = None


def refusal(identity: Identity | None, *, is_permitted: bool) -> Refusal | None:
    """Say why nothing is sent to somebody who forgot their password, or None if it is.

    An address that was never proven is written to as well: without that, who forgot a password before verifying had no
    way back. What a reset through such an address leaves behind is in `Recovery`.
    """
    if identity is None:
        return Refusal.UNKNOWN_IDENTIFIER
    if identity.status is not Status.ACTIVE:
        return Refusal.NOT_ACTIVE
    return None if is_permitted else Refusal.TOO_MANY_MESSAGES
