"""What is known of an account whose token is read, and of a refresh that is under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ostiary.features.vault.model import external_account_id
from ostiary.foundation.secret import Secret

_TENTH: Final = 10
# What a provider calls them: RFC 6749 §3.3 separates scopes by spaces, some providers by commas.
_SEPARATORS: Final = str.maketrans(",", " ")


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A linked account as whoever reads its token needs it; `access_token` is sealed."""

    id: UUID
    identity_id: UUID
    provider: str
    scope: str | None
    token_type: str | None
    access_token: bytes | None = field(repr=False)
    access_token_expires_at: datetime | None
    has_refresh_token: bool
    refresh_token_expires_at: datetime | None
    needs_reconnection: bool
    refresh_not_before: datetime | None
    issued_at: datetime
    is_in_use: bool

    @property
    def external_id(self) -> str:
        """The id as it is shown outside, `acc_…`."""
        return external_account_id(self.id)

    @property
    def scopes(self) -> frozenset[str]:
        """What the owner granted; nothing, if the provider does not say."""
        return frozenset((self.scope or "").translate(_SEPARATORS).split())

    def is_good(self, now: datetime) -> bool:
        """Say whether there is an access token that has not expired; one whose end is not known has not."""
        ends_at = self.access_token_expires_at
        return self.access_token is not None and (ends_at is None or now < ends_at)

    def can_refresh(self, now: datetime) -> bool:
        """Say whether there is a refresh token that has not expired."""
        ends_at = self.refresh_token_expires_at
        return self.has_refresh_token and (ends_at is None or now < ends_at)

    def margin(self, longest: timedelta) -> timedelta:
        """Return how long before its end the access token is replaced: `longest`, or a tenth of a short life."""
        ends_at = self.access_token_expires_at
        lifetime = longest * _TENTH if ends_at is None else ends_at - self.issued_at
        return max(timedelta(0), min(longest, lifetime / _TENTH))

    def is_due(self, now: datetime, longest: timedelta) -> bool:
        """Say whether the access token is to be replaced now."""
        return not self.is_good(now + self.margin(longest))


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A row whose refresh was just claimed; `refresh_token` is sealed."""

    identity_id: UUID
    provider: str
    provider_account_id: str
    refresh_token: bytes = field(repr=False)
    refresh_begun_at: datetime
    refresh_failures: int


@dataclass(frozen=True, slots=True)
class ClaimedRefresh:
    """A refresh that whoever holds this may make, and nobody else until `claim` ends.

    `was_interrupted`: an earlier one was begun and never settled, so the provider may have replaced the refresh token in
    an answer that nobody has.
    """

    account_id: UUID
    identity_id: UUID
    provider: str
    provider_account_id: str
    refresh_token: Secret
    claim: UUID
    begun_at: datetime
    was_interrupted: bool
    failures: int

    @property
    def external_id(self) -> str:
        """The account's id as it is shown outside, `acc_…`."""
        return external_account_id(self.account_id)
