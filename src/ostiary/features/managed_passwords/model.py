"""What a provider that keeps passwords can be asked, and why it says no."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from ostiary.foundation.errors import OstiaryError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.vault import UpstreamTokens
    from ostiary.foundation.secret import Secret


class ManagedReason(StrEnum):
    """Why a provider said no: precise for the records, folded before it is answered."""

    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason
    """Also where the provider does not say whether the account or the password is wrong."""
    UNKNOWN = "unknown"
    NOT_CONFIRMED = "not_confirmed"
    EXISTS = "exists"
    WEAK_PASSWORD = "weak_password"  # noqa: S105 - a reason
    DISABLED = "disabled"
    CHALLENGE_REQUIRED = "challenge_required"
    """The password was right, and the provider wants more than this way of signing in can give it."""
    THROTTLED = "throttled"
    """The provider has seen too many wrong passwords or codes for this account."""
    WRONG_CODE = "wrong_code"
    EXPIRED_CODE = "expired_code"
    CONFIRMED_ELSEWHERE = "confirmed_elsewhere"
    """The provider's own mail confirms by its link; there is no code to bring here."""
    GRANT_ENDED = "grant_ended"
    """The refresh token is dead, or nobody's any more."""


class ManagedRefused(OstiaryError):
    """The provider said no; the text names neither whom nor what."""

    def __init__(self, reason: ManagedReason) -> None:
        super().__init__("The provider did not accept this. Check what was typed, and try again.")
        self.reason = reason


class ManagedUnavailable(Unavailable):
    """The provider cannot be asked just now, or does not take our credentials; nothing was decided."""

    def __init__(self, retry_after: timedelta = timedelta(seconds=5)) -> None:
        super().__init__(
            "The provider that keeps these passwords cannot be asked just now. Try again in a moment, or sign in another way.",
            retry_after=retry_after,
        )


class NotManaged(OstiaryError):
    """No provider of this name keeps passwords that can be asked for here."""

    def __init__(self) -> None:
        super().__init__("There is no such provider here that keeps passwords.")


@dataclass(frozen=True, slots=True)
class SignedUp:
    """An account was made at the provider."""

    needs_confirmation: bool


class ManagedProvider(Protocol):
    """A provider that keeps passwords. Every method raises `ManagedRefused` and `ManagedUnavailable`.

    An `email` or `identifier` has been read and checked; a `profile` has the names that our own profiles have.
    """

    async def sign_up(
        self, email: str, password: Secret, profile: Mapping[str, Any], *, now: datetime
    ) -> SignedUp:
        """Make an account, and have the provider ask its owner to confirm the address."""

    async def confirm(self, email: str, code: Secret, *, now: datetime) -> None:
        """Confirm an address by the code that the provider sent there."""

    async def resend(self, email: str, password: Secret | None, *, now: datetime) -> None:
        """Have the provider send what confirms an address once more; some want the password for it."""

    async def sign_in(self, identifier: str, password: Secret, *, now: datetime) -> UpstreamTokens:
        """Exchange a password for tokens, an ID token among them; nothing in them has been verified."""


class RefreshingProvider(Protocol):
    """A provider whose refresh tokens are exchanged by a call of its own, because it has no OAuth token endpoint."""

    async def refresh(self, refresh_token: Secret, *, account_id: str, now: datetime) -> UpstreamTokens:
        """Exchange a refresh token of the account for an access token and more; nothing in it has been verified.

        `account_id` is the `sub` of its ID tokens. Raises `ManagedRefused` (grant ended) and `ManagedUnavailable`.
        """
