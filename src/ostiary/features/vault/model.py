"""What a linked account is, and the tokens it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.secret import Secret

ACCOUNT_PREFIX: Final = "acc"


class LinkedBy(StrEnum):
    """How an account was linked; what was linked on purpose keeps its tokens when no session uses them."""

    SIGN_IN = "sign_in"
    INTENT = "intent"


@dataclass(frozen=True, slots=True)
class UpstreamTokens:
    """A provider's tokens as it gave them, in the clear. What a provider does not say is None."""

    access_token: Secret | None = None
    refresh_token: Secret | None = None
    id_token: Secret | None = None
    access_token_expires_at: datetime | None = None
    refresh_token_expires_at: datetime | None = None
    scope: str | None = None
    token_type: str | None = None


@dataclass(frozen=True, slots=True)
class LinkedAccount:
    """An account at a provider, without its tokens."""

    id: UUID
    identity_id: UUID
    entity_type: str
    provider: str
    provider_account_id: str
    linked_by: LinkedBy
    profile: dict[str, Any]
    scope: str | None
    token_type: str | None
    has_access_token: bool
    has_refresh_token: bool
    access_token_expires_at: datetime | None
    refresh_token_expires_at: datetime | None
    needs_reconnection: bool
    last_token_refresh_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def external_id(self) -> str:
        """The id as it is shown outside, `acc_…`."""
        return external_account_id(self.id)

    def is_expired(self, now: datetime) -> bool:
        """Say whether there is no access token that is still good; one whose end is not known is."""
        ends_at = self.access_token_expires_at
        return not self.has_access_token or (ends_at is not None and now >= ends_at)


def external_account_id(account_id: UUID) -> str:
    """Write a linked account's id as it is shown outside, `acc_…`."""
    return format_id(ACCOUNT_PREFIX, account_id)


def parse_account_id(text: str) -> UUID:
    """Read a linked account's id. Raises `InvalidId`."""
    return parse_id(ACCOUNT_PREFIX, text)
