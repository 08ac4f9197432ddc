"""What an identity is, and the rules of its failure budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from ostiary.features.identities.addresses import Address, Channel, parse_address
from ostiary.features.outbox import Recipient
from ostiary.foundation.ids import first_id_at, format_id

IDENTITY_PREFIX: Final = "idn"
_LAST_ID: Final = UUID(int=(1 << 128) - 1)
_SHORTEST_WAIT: Final = timedelta(seconds=1)
# What is locked until somebody opens it tells its callers to come back tomorrow, not in eight thousand years.
_LONGEST_WAIT: Final = timedelta(days=1)


class Status(StrEnum):
    """Whether an identity may sign in."""

    PENDING_VERIFICATION = "pending_verification"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity without its credentials."""

    id: UUID
    entity_type: str
    entity_id: str
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    status: Status
    must_change_password: bool
    failed_login_attempts: int
    locked_until: datetime | None
    last_login_at: datetime | None
    locale: str | None
    token_epoch: int
    created_at: datetime
    updated_at: datetime

    @property
    def external_id(self) -> str:
        """The id as it is shown outside, `idn_…`."""
        return format_id(IDENTITY_PREFIX, self.id)

    @property
    def recipient(self) -> Recipient:
        """How messages reach the owner."""
        return Recipient(self.email, self.phone, self.locale)

    def address(self, channel: Channel) -> Address | None:
        """The address of one kind, if there is one."""
        text = self.email if channel is Channel.EMAIL else self.phone
        return None if text is None else parse_address(channel, text)

    def verified_at(self, channel: Channel) -> datetime | None:
        """When the owner proved that the address of one kind is theirs."""
        return self.email_verified_at if channel is Channel.EMAIL else self.phone_verified_at

    def proven_address(self, *channels: Channel) -> Address | None:
        """The first address of these kinds that was proven to be the owner's."""
        proven = (self.address(channel) for channel in channels if self.verified_at(channel) is not None)
        return next(proven, None)

    def is_locked(self, now: datetime) -> bool:
        """Say whether the failure budget is spent for the moment."""
        return self.locked_until is not None and now < self.locked_until


@dataclass(frozen=True, slots=True)
class Raised:
    """An identity whose tokens of a smaller epoch are dead."""

    id: UUID
    epoch: int

    @property
    def external_id(self) -> str:
        """The id as it is shown outside, `idn_…`."""
        return format_id(IDENTITY_PREFIX, self.id)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a password check needs to know, as read when the attempt was reserved."""

    id: UUID
    entity_type: str
    entity_id: str
    status: Status
    token_epoch: int
    must_change_password: bool
    email: str | None
    phone: str | None
    locale: str | None
    password_hash: str | None = field(repr=False)
    password_scheme: str | None
    shadow_scheme: str | None
    shadow_hash: str | None = field(repr=False)

    @property
    def recipient(self) -> Recipient:
        """How messages reach the owner."""
        return Recipient(self.email, self.phone, self.locale)

    @property
    def shadowed(self) -> OldHash | None:
        """The hash that a shadow of another password is made like; None for whoever came from nowhere, or has none left."""
        is_old = self.password_scheme == self.shadow_scheme
        text = self.shadow_hash or (self.password_hash if is_old else None)
        return OldHash(text, self.shadow_scheme) if text and self.shadow_scheme else None


@dataclass(frozen=True, slots=True)
class OldHash:
    """A hash as the system made it that somebody came from, and may yet go back to."""

    text: str = field(repr=False)
    scheme: str


@dataclass(frozen=True, slots=True)
class NewPassword:
    """What is kept of a new password: its hash, and its shadow, a hash that the system somebody came from can read.

    The shadow was made like `like`. None, where there is nothing to make it like, or it cannot be written so: then its
    owner needs a reset should that system come back.
    """

    text: str = field(repr=False)
    scheme: str
    like: OldHash | None = None
    shadow: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The answer to asking for one attempt: refused until `locked_until`, or granted with what is known."""

    granted: bool
    credentials: Credentials | None
    locked_until: datetime | None

    def retry_after(self, now: datetime) -> timedelta:
        """How long a refused attempt has to wait."""
        return min(_LONGEST_WAIT, max(_SHORTEST_WAIT, (self.locked_until or now) - now))


@dataclass(frozen=True, slots=True)
class Lockout:
    """How many failures are free, and what the ones after cost.

    From the `free_attempts`-th consecutive failure on, each locks for twice as long as the one before,
    `shortest` to `longest`. At `final_attempt` (NIST SP 800-63B §3.2.2 allows 100) only recovery or an operator
    opens the account again; passkeys, recovery and reset links never ask this budget (ABU-03).
    """

    free_attempts: int = 10
    final_attempt: int = 100
    shortest: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class IdentityFilter:
    """Which identities to list: of a type, in a state, with these addresses as they are stored, made when."""

    entity_type: str | None = None
    status: Status | None = None
    email_normalized: str | None = None
    phone: str | None = None
    made_from: datetime | None = None
    made_before: datetime | None = None

    @property
    def wanted(self) -> dict[str, str]:
        """What is looked for, by name; a status that few have is a name of its own."""
        status = "status" if self.status is Status.ACTIVE else "rare_status"
        found = {
            "email_normalized": self.email_normalized,
            "phone": self.phone,
            "entity_type": self.entity_type,
            status: self.status,
        }
        return {name: value for name, value in found.items() if value is not None}

    def begins_behind(self, after: UUID) -> UUID:
        """Return the id behind which the list begins: ids begin with the time they were made at."""
        if self.made_from is None:
            return after
        return max(after, UUID(int=max(0, first_id_at(self.made_from).int - 1)))

    @property
    def ends_before(self) -> UUID:
        """The first id that is too late."""
        return _LAST_ID if self.made_before is None else first_id_at(self.made_before)
