"""What becomes of a proof, and what an undone change needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.features.identities import Channel
from ostiary.features.outbox import Template
from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUESTED: Final[Mapping[Channel, Template]] = MappingProxyType(
    {Channel.EMAIL: Template.EMAIL_CHANGE_REQUESTED, Channel.PHONE: Template.PHONE_CHANGE_REQUESTED}
)
CHANGED: Final[Mapping[Channel, Template]] = MappingProxyType(
    {Channel.EMAIL: Template.EMAIL_CHANGED, Channel.PHONE: Template.PHONE_CHANGED}
)


class Undo(msgspec.Struct, frozen=True):
    """What an address was before it was changed, sealed into the challenge that undoes the change."""

    channel: Channel
    address: str | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class NotVerified:
    """The link or code was wrong; `retry_after` when the failure budget is spent."""

    retry_after: timedelta | None = None


class NotTheirs(OstiaryError):
    """A link was opened by somebody who is signed in as another account than the one it is about."""

    def __init__(self) -> None:
        super().__init__(
            "This link is about another account: sign out, or sign in as its owner, and open it again."
        )


class VerificationRefused(OstiaryError):
    """There is nothing to verify; `field` names what is missing."""

    def __init__(self, channel: Channel) -> None:
        name = "e-mail address" if channel is Channel.EMAIL else "phone number"
        super().__init__(f"This account has no {name}: give it one first.")
        self.field = channel.value
