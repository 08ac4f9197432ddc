"""What a live token is, who reads one, and why there may be none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from ostiary.features.audit import Actor
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.secret import Secret

_LONGEST_REASON: Final = 200


class TokenReason(StrEnum):
    """Why there is no token to be had."""

    NO_ACCOUNT = "no_account"
    PROVIDER_OFF = "provider_off"
    NOT_IN_USE = "not_in_use"
    """Linked by signing in, and no session uses it; or its owner may not sign in."""
    NO_TOKENS = "no_tokens"
    NEEDS_RECONNECTION = "needs_reconnection"
    EXPIRED = "expired"
    """The provider gave nothing to refresh it with."""
    SCOPE_NOT_GRANTED = "scope_not_granted"


_NO_TOKENS: Final = "No token is kept for this account: none was given, or no session of its owner uses it."
_RECONNECT: Final = "The provider's word has ended: ask the account's owner to connect it again."
_MESSAGES: Final = {
    TokenReason.NO_ACCOUNT: "There is no such linked account.",
    TokenReason.PROVIDER_OFF: "The account's provider is turned off here.",
    TokenReason.NOT_IN_USE: _NO_TOKENS,
    TokenReason.NO_TOKENS: _NO_TOKENS,
    TokenReason.NEEDS_RECONNECTION: _RECONNECT,
    TokenReason.EXPIRED: _RECONNECT,
    TokenReason.SCOPE_NOT_GRANTED: (
        "The account's owner did not grant what was asked for: ask them to connect it again with that scope."
    ),
}


class TokenRefused(OstiaryError):
    """There is no token for whoever asks, and asking again changes nothing."""

    def __init__(self, reason: TokenReason) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason


class InvalidReason(OstiaryError):
    """Nobody said why a token is read, or not in a way that can be recorded."""

    def __init__(self) -> None:
        super().__init__(f"Say why the token is read, in 1 to {_LONGEST_REASON} printable characters.")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a token, why, and the provider's scopes it must have. Raises `InvalidReason`."""

    who: Actor
    why: str = field(repr=False)
    scope: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.why.strip() or len(self.why) > _LONGEST_REASON or not self.why.isprintable():
            raise InvalidReason


@dataclass(frozen=True, slots=True)
class LiveToken:
    """A provider's access token that is good at the moment; `expires_at` is None where the provider does not say."""

    account_id: UUID
    provider: str
    access_token: Secret = field(repr=False)
    token_type: str
    scope: str | None
    expires_at: datetime | None
