"""What somebody registers with, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from ostiary.features.flows import Proof
from ostiary.features.identities import (
    EmailAddress,
    EntityType,
    EntityTypes,
    PhoneNumber,
    parse_email,
    parse_phone,
)
from ostiary.features.passwords import PasswordHash
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.secret import Secret

PASSWORD: Final = Proof(method="password", amr=("pwd",))
LINK: Final = Proof(method="registration", amr=("email",))
CODE: Final = Proof(method="registration", amr=("sms",))


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A wish to exist: addresses as typed, a password, the fields of the profile, the language of messages."""

    entity_type: str
    email: str | None
    phone: str | None
    password: Secret | None
    profile: Mapping[str, Any] = field(default_factory=dict)
    locale: str | None = None


class Wish(msgspec.Struct, frozen=True):
    """What is sealed into a challenge until somebody proves the address: a registration, or an invitation."""

    address: str
    profile: dict[str, Any]
    phone: str | None = None
    password_hash: str | None = None
    password_scheme: str | None = None
    roles: list[str] = []
    flow_digest: bytes = b""
    locale: str | None = None
    invited_by: str | None = None

    @property
    def password(self) -> PasswordHash | None:
        """The hash of the password that was chosen, if one was."""
        return PasswordHash.stored(self.password_hash, self.password_scheme)


@dataclass(frozen=True, slots=True)
class AwaitsProof:
    """Nobody yet: the address has to be proven first. `flow` is for the client that registered."""

    flow: Secret


@dataclass(frozen=True, slots=True)
class InvitationAccepted:
    """Somebody who has been here before, and has now what they were invited to."""

    identity_id: UUID


class RegistrationRefused(OstiaryError):
    """A registration was refused for what it is, not for what it holds."""

    class Reason(StrEnum):
        """Why."""

        CLOSED = "closed"
        NO_ADDRESS = "no_address"
        NO_PASSWORD = "no_password"  # noqa: S105 - a reason
        NOT_THE_FIRST = "not_the_first"
        NOT_PROVEN = "not_proven"
        PASSWORD_NEEDED = "password_needed"  # noqa: S105 - a reason
        NOT_INVITED = "not_invited"
        RESERVED_ROLE = "reserved_role"

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
    RegistrationRefused.Reason.NOT_PROVEN: (
        "The link or code is wrong, was used already, or has expired: register again for a new one."
    ),
    RegistrationRefused.Reason.PASSWORD_NEEDED: (
        "The link was opened elsewhere than where the account was registered: choose a password now, or send null to "
        "have none. The link is still good."
    ),
    RegistrationRefused.Reason.NOT_INVITED: (
        "The invitation was accepted already, was withdrawn, or has expired: ask for a new one."
    ),
    RegistrationRefused.Reason.RESERVED_ROLE: (
        "Roles that begin with ostiary: are for accounts of the type admin: invite an admin."
    ),
}


def open_type(entity_types: EntityTypes, name: str) -> EntityType:
    """Return a kind of account that anybody may register as. Raises `RegistrationRefused`, `UnknownEntityType`."""
    entity_type = entity_types.get(name)
    if not entity_type.open_registration:
        raise RegistrationRefused(RegistrationRefused.Reason.CLOSED)
    return entity_type


def addresses_of(account: NewAccount) -> tuple[EmailAddress | None, PhoneNumber | None]:
    """Read what was typed, normalised before anything else. Raises `RegistrationRefused`, `InvalidAddress`."""
    if not account.email and not account.phone:
        raise RegistrationRefused(RegistrationRefused.Reason.NO_ADDRESS)
    return (
        parse_email(account.email) if account.email else None,
        parse_phone(account.phone) if account.phone else None,
    )
