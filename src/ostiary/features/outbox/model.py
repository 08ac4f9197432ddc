"""What a message is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from ostiary.foundation.entropy import Entropy

MESSAGE_PREFIX: Final = "msg"


class Topic(StrEnum):
    """Which way a message goes."""

    EMAIL = "email"
    SMS = "sms"
    EVENT = "event"
    """An event that webhooks may want; it becomes one message to each of them."""
    WEBHOOK = "webhook"


class Template(StrEnum):
    """What a message to a person says; the text is a file of this name in each language."""

    # With a link or a code that proves the address it is sent to.
    REGISTER = "register"
    VERIFY_EMAIL = "verify_email"
    VERIFY_PHONE = "verify_phone"
    CHANGE_EMAIL = "change_email"
    CHANGE_PHONE = "change_phone"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a message
    SIGN_IN_LINK = "sign_in_link"
    SIGN_IN_CODE = "sign_in_code"
    FACTOR_CODE = "factor_code"
    INVITATION = "invitation"
    # Of what happened to an account, to whoever owns it.
    ALREADY_REGISTERED = "already_registered"
    APPROVED = "approved"
    REJECTED = "rejected"
    NEW_DEVICE = "new_device"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of a message
    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    EMAIL_CHANGED = "email_changed"
    PHONE_CHANGE_REQUESTED = "phone_change_requested"
    PHONE_CHANGED = "phone_changed"
    ADDRESS_CHANGE_UNDONE = "address_change_undone"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    RECOVERY_CODE_USED = "recovery_code_used"
    FACTOR_RESET_REQUESTED = "factor_reset_requested"
    FACTOR_RESET_APPROVED = "factor_reset_approved"
    FACTOR_RESET_DONE = "factor_reset_done"
    PASSKEY_CLONE_SUSPECTED = "passkey_clone_suspected"
    ACCOUNT_LINKED = "account_linked"
    ACCOUNT_UNLINKED = "account_unlinked"
    ACCOUNTS_MERGED = "accounts_merged"
    DELETION_REQUESTED = "deletion_requested"
    DELETION_CANCELLED = "deletion_cancelled"
    ACCOUNT_NEEDS_RECONNECTION = "account_needs_reconnection"


@dataclass(frozen=True, slots=True)
class Recipient:
    """The owner of an account, as messages reach them."""

    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Addressed:
    """That a message was written to somebody, and delivered or not; what it says is nobody's to read."""

    topic: Topic
    subject: str
    created_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a person: `values` fill the template, secrets included; `token` becomes a link."""

    topic: Topic
    template: Template
    to: str = field(repr=False)
    locale: str | None
    values: Mapping[str, str] = field(repr=False, default_factory=dict)

    @classmethod
    def email(
        cls,
        template: Template,
        to: str,
        *,
        locale: str | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Message:
        """Write to an e-mail address."""
        return cls(Topic.EMAIL, template, to, locale, values or {})

    @classmethod
    def sms(
        cls,
        template: Template,
        to: str,
        *,
        locale: str | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Message:
        """Write to a phone number in E.164."""
        return cls(Topic.SMS, template, to, locale, values or {})

    @classmethod
    def to_owner(
        cls, template: Template, recipient: Recipient, values: Mapping[str, str] | None = None
    ) -> Message | None:
        """Write to the owner of an account: by e-mail, else by SMS; None where neither reaches them."""
        if recipient.email is not None:
            return cls.email(template, recipient.email, locale=recipient.locale, values=values)
        if recipient.phone is not None:
            return cls.sms(template, recipient.phone, locale=recipient.locale, values=values)
        return None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as it leaves: `subject` and `html` are there for e-mail alone.

    `id` is the same however often it is sent, so that whoever gets it twice can tell.
    """

    id: str
    topic: Topic
    template: Template
    locale: str
    to: str = field(repr=False)
    subject: str | None = field(repr=False)
    text: str = field(repr=False)
    html: str | None = field(repr=False)
    values: Mapping[str, str] = field(repr=False)


class Transport(Protocol):
    """Hands messages to somebody who takes them from there; those of the settings, an application's own, a test's tray."""

    async def send(self, message: Rendered) -> None:
        """Return when the message is taken; raise `Undelivered` when it is not."""

    async def close(self) -> None:
        """Let go of what is held open."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row of the outbox that this worker alone may deliver until `claimed_until`."""

    id: UUID
    topic: Topic
    endpoint_id: UUID | None
    subject: str
    payload_sealed: bytes | None = field(repr=False)
    attempts: int
    created_at: datetime
    expires_at: datetime | None
    claimed_until: datetime

    def is_expired(self, now: datetime) -> bool:
        """Say whether it is too late to send it."""
        return self.expires_at is not None and self.expires_at <= now


ATTEMPTS: Final = 24
"""How often a message is tried before it is dead: over about fifteen hours, so that a night's outage is outlived."""
_FIRST_PAUSE: Final = timedelta(seconds=10)
_LONGEST_PAUSE: Final = timedelta(hours=1)


def pause_after(attempts: int, entropy: Entropy) -> timedelta:
    """Return how long to wait after so many attempts: twice as long each time, less up to half, as chance has it."""
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempts - 1, 16))
    milliseconds = longest // timedelta(milliseconds=1)
    return timedelta(milliseconds=milliseconds - entropy.below(milliseconds // 2))


ENDPOINT_PREFIX: Final = "whe"
_PATTERN: Final = re.compile(r"\*|[a-z_]+(?:\.[a-z_]+)*(?:\.\*)?", re.ASCII)


def is_pattern(text: str) -> bool:
    """Say whether this names events: one, all that begin alike (`identity.*`), or all (`*`)."""
    return _PATTERN.fullmatch(text) is not None


def matches(pattern: str, event: str) -> bool:
    """Say whether an event is among those a pattern names."""
    if pattern == "*":
        return True
    return event.startswith(pattern[:-1]) if pattern.endswith(".*") else event == pattern


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are told; no secret is in it."""

    id: UUID
    url: str = field(repr=False)
    description: str | None
    events: list[str]
    created_at: datetime
    created_by: str | None
    disabled_at: datetime | None

    @property
    def external_id(self) -> str:
        """`whe_…`."""
        return format_id(ENDPOINT_PREFIX, self.id)

    def wants(self, event: str) -> bool:
        """Say whether it is told of this event."""
        return self.disabled_at is None and any(matches(pattern, event) for pattern in self.events)


@dataclass(frozen=True, slots=True)
class SigningEndpoint:
    """What is needed to call an endpoint; until `previous_expires_at` the secret before signs, too."""

    id: UUID
    url: str = field(repr=False)
    secret_sealed: bytes = field(repr=False)
    previous_secret_sealed: bytes | None = field(repr=False)
    previous_expires_at: datetime | None
    disabled_at: datetime | None


class State(StrEnum):
    """What became of a message."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the outbox as operators see it; to whom it goes and what it says is sealed."""

    id: UUID
    topic: Topic
    subject: str
    endpoint_id: UUID | None
    created_at: datetime
    available_at: datetime
    expires_at: datetime | None
    attempts: int
    delivered_at: datetime | None
    failed_at: datetime | None
    last_error: str | None

    @property
    def external_id(self) -> str:
        """`msg_…`."""
        return format_id(MESSAGE_PREFIX, self.id)

    @property
    def state(self) -> State:
        """What became of it so far."""
        if self.delivered_at is not None:
            return State.DELIVERED
        return State.PENDING if self.failed_at is None else State.DEAD


@dataclass(frozen=True, slots=True)
class OutboxFigures:
    """How many messages wait, how many are dead, and since when the oldest waits."""

    pending: int
    dead: int
    oldest_pending_at: datetime | None
