"""What can be done with linked accounts, and why it may not be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ostiary.features.identities import Identity
    from ostiary.foundation.storage import Transaction

OnMerged: TypeAlias = "Callable[[Transaction, Identity, Identity], Awaitable[None]]"
"""`await hook(tx, survivor, absorbed)`: what the application keeps of the second belongs to the first from now on."""


@dataclass(frozen=True, slots=True)
class MergeHooks:
    """What the application does when two accounts become one."""

    on_merged: list[OnMerged] = field(default_factory=list)


class LinkedAccountNotFound(OstiaryError):
    """The caller has no linked account of this id."""

    def __init__(self) -> None:
        super().__init__("No account of yours has this id.")


class LastWayIn(OstiaryError):
    """Without this account its owner could not sign in any more."""

    def __init__(self) -> None:
        super().__init__(
            "This is the only way you have to sign in: set a password, add a passkey, prove an e-mail address or link "
            "another account first."
        )


class MergeRefused(OstiaryError):
    """Two accounts were not made one; nothing was changed."""

    class Reason(StrEnum):
        """Why."""

        NOT_PROVEN = "not_proven"
        SAME = "same"
        ANOTHER_KIND = "another_kind"
        NOT_ACTIVE = "not_active"
        OPERATOR = "operator"

    def __init__(self, reason: Reason) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason


_MESSAGES = {
    MergeRefused.Reason.NOT_PROVEN: (
        "The proof is wrong, was used already, or has expired: sign in to the other account and get a new one."
    ),
    MergeRefused.Reason.SAME: "The proof is of this very account: get one while signed in to the other.",
    MergeRefused.Reason.ANOTHER_KIND: "Only accounts of one kind become one.",
    MergeRefused.Reason.NOT_ACTIVE: "The other account may not sign in: ask the operator.",
    MergeRefused.Reason.OPERATOR: (
        "The other account administers this installation: its roles are taken by an operator first."
    ),
}


@dataclass(frozen=True, slots=True)
class WaysIn:
    """What an identity can sign in with: its password, passkeys, proven addresses, and accounts at these providers."""

    by_password: bool
    by_passkey: bool
    by_message: bool
    providers: list[str]

    def are_left_without(self, provider: str, usable: Sequence[str]) -> bool:
        """Say whether there is another way in than one account of this provider; `usable` can be signed in with."""
        others = list(self.providers)
        others.remove(provider)
        return (
            self.by_password or self.by_passkey or self.by_message or any(other in usable for other in others)
        )


@dataclass(frozen=True, slots=True)
class Merged:
    """Another account became part of the caller's, with so many linked accounts."""

    absorbed: UUID
    accounts: int
