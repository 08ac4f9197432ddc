"""What each message to a person is made of: the one table that templates, tests and previews are held to.

`required` values must be given; `optional` ones are said where they are. A `token` is a secret that becomes a link to
`action`, and is worth nothing without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ostiary.features.outbox.model import Template

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Contents:
    """The values of one message, and what its link does."""

    action: str | None = None
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


def _link(action: str, *optional: str) -> Contents:
    return Contents(action, frozenset({"token"}), frozenset({"minutes", *optional}))


def _code(*optional: str) -> Contents:
    return Contents(None, frozenset({"code"}), frozenset({"minutes", *optional}))


def _told(*optional: str) -> Contents:
    return Contents(None, frozenset(), frozenset(optional))


def _undoable(action: str, *optional: str) -> Contents:
    return Contents(action, frozenset(), frozenset({"token", *optional}))


_WHERE: Final = ("device", "ip_address", "at")

CONTENTS: Final[Mapping[Template, Contents]] = MappingProxyType(
    {
        Template.REGISTER: _link("register"),
        Template.VERIFY_EMAIL: Contents("verify-email", frozenset(), frozenset({"token", "code", "minutes"})),
        Template.VERIFY_PHONE: _code(),
        Template.CHANGE_EMAIL: Contents("change-email", frozenset(), frozenset({"token", "code", "minutes"})),
        Template.CHANGE_PHONE: _code(),
        Template.RESET_PASSWORD: Contents(
            "reset-password", frozenset(), frozenset({"token", "code", "minutes"})
        ),
        Template.SIGN_IN_LINK: _link("sign-in-link", *_WHERE),
        Template.SIGN_IN_CODE: _code(*_WHERE),
        Template.FACTOR_CODE: _code(*_WHERE),
        Template.INVITATION: _link("invitation", "days"),
        Template.ALREADY_REGISTERED: _told(),
        Template.APPROVED: _told(),
        Template.REJECTED: _told("reason"),
        Template.NEW_DEVICE: _told(*_WHERE),
        Template.PASSWORD_CHANGED: _told(*_WHERE),
        Template.EMAIL_CHANGE_REQUESTED: _undoable("undo-address-change", "address", "days"),
        Template.EMAIL_CHANGED: _undoable("undo-address-change", "address", "days"),
        Template.PHONE_CHANGE_REQUESTED: _undoable("undo-address-change", "address", "days"),
        Template.PHONE_CHANGED: _undoable("undo-address-change", "address", "days"),
        Template.ADDRESS_CHANGE_UNDONE: _told(),
        Template.FACTOR_ADDED: _told("factor", *_WHERE),
        Template.FACTOR_REMOVED: _told("factor", *_WHERE),
        Template.RECOVERY_CODES_RENEWED: _told(*_WHERE),
        Template.RECOVERY_CODE_USED: _told("left", *_WHERE),
        Template.FACTOR_RESET_REQUESTED: _undoable("undo-factor-reset", "days"),
        Template.FACTOR_RESET_APPROVED: _undoable("undo-factor-reset", "days", "at"),
        Template.FACTOR_RESET_DONE: _told(),
        Template.PASSKEY_CLONE_SUSPECTED: _told(*_WHERE),
        Template.ACCOUNT_LINKED: Contents(None, frozenset({"provider"}), frozenset(_WHERE)),
        Template.ACCOUNT_UNLINKED: Contents(None, frozenset({"provider"}), frozenset(_WHERE)),
        Template.ACCOUNTS_MERGED: _told(*_WHERE),
        Template.DELETION_REQUESTED: _undoable("undo-deletion", "days", "at"),
        Template.DELETION_CANCELLED: _told(),
        Template.ACCOUNT_NEEDS_RECONNECTION: _told("provider"),
    }
)

ACTIONS: Final = frozenset(contents.action for contents in CONTENTS.values() if contents.action is not None)
"""What links of messages do."""
