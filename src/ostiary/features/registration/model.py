"""What somebody registers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.secret import Secret


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A wish to exist: addresses as typed, a password, and the fields of the profile."""

    entity_type: str
    email: str | None
    phone: str | None
    password: Secret | None
    profile: Mapping[str, Any] = field(default_factory=dict)


class RegistrationRefused(OstiaryError):
    """A registration was refused for what it is, not for what it holds."""

    class Reason(StrEnum):
        """Why."""

        CLOSED = "closed"
        NO_ADDRESS = "no_address"
        NO_PASSWORD = "no_password"  # noqa: S105 - a reason
        NOT_THE_FIRST = "not_the_first"

    def __init__(self, reason: Reason) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason


_MESSAGES = {
    RegistrationRefused.Reason.CLOSED: "Accounts of this kind are made by an administrator.",
    RegistrationRefused.Reason.NO_ADDRESS: "Register with an e-mail address or a phone number.",
    RegistrationRefused.Reason.NO_PASSWORD: "Register with a password.",
    RegistrationRefused.Reason.NOT_THE_FIRST: (
        "This link was used already, has expired, or there is an administrator. Start the server again for a new one."
    ),
}
