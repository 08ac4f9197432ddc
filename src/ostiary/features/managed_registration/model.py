"""What somebody wants to have at a provider, and why they do not get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.secret import Secret


@dataclass(frozen=True, slots=True)
class NewManagedAccount:
    """An account that is to be made at a provider, for one kind of account here."""

    provider: str
    entity_type: str
    email: str = field(repr=False)
    password: Secret
    profile: Mapping[str, Any] = field(default_factory=dict, repr=False)


class ManagedRegistrationRefused(OstiaryError):
    """An account was not made at the provider, or its address not confirmed; the message says what to do instead."""

    class Reason(StrEnum):
        """Why not."""

        CLOSED = "closed"
        DOMAIN_NOT_ALLOWED = "domain_not_allowed"
        TOO_MANY_MESSAGES = "too_many_messages"
        ADDRESS_TAKEN = "address_taken"
        WEAK_PASSWORD = "weak_password"  # noqa: S105 - a reason
        WRONG_CODE = "wrong_code"
        CONFIRMED_ELSEWHERE = "confirmed_elsewhere"

    def __init__(self, reason: Reason) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason


_MESSAGES = {
    ManagedRegistrationRefused.Reason.CLOSED: "This provider makes no accounts for people of this kind.",
    ManagedRegistrationRefused.Reason.DOMAIN_NOT_ALLOWED: "Only addresses of certain domains may register here.",
    ManagedRegistrationRefused.Reason.TOO_MANY_MESSAGES: "Too many messages were asked for: try again in an hour.",
    ManagedRegistrationRefused.Reason.ADDRESS_TAKEN: "The provider has an account with this address: sign in.",
    ManagedRegistrationRefused.Reason.WEAK_PASSWORD: "The provider does not accept this password: choose another one.",
    ManagedRegistrationRefused.Reason.WRONG_CODE: "The code does not confirm this address: check it, or ask for another.",
    ManagedRegistrationRefused.Reason.CONFIRMED_ELSEWHERE: (
        "This provider confirms addresses by the link in its own mail; there is no code to send here."
    ),
}
