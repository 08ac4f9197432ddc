"""What a message is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
    DELETION_REQUESTED = "deletion_requested"
    DELETION_CANCELLED = "deletion_cancelled"


@dataclass(frozen=True, slots=True)
class Recipient:
    """The owner of an account, as messages reach them."""

    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    locale: str | None = None


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
