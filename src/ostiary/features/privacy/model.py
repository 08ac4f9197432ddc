"""What an erasure is, and what an export says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from ostiary.features.identities import Identity, Status
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id
from ostiary.foundation.storage import Transaction

ERASURE_PREFIX: Final = "ers"

OnExport = Callable[[Identity], Awaitable[Mapping[str, Any]]]
OnErasure = Callable[[Transaction, Identity], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PersonalDataHooks:
    """What the application adds to exports, and erases together with us."""

    on_export: list[OnExport] = field(default_factory=list)
    on_erasure: list[OnErasure] = field(default_factory=list)


class ErasureState(StrEnum):
    """What became of a wish to be forgotten."""

    PENDING = "pending"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Erasure:
    """A wish to be forgotten, and its receipt; `erased` counts the rows that went, by table."""

    id: UUID
    identity_id: UUID
    requested_at: datetime
    requested_by: str
    status_before: Status
    erase_after: datetime
    cancelled_at: datetime | None
    completed_at: datetime | None
    erased: dict[str, Any]

    @property
    def external_id(self) -> str:
        """The id as it is shown outside, `ers_…`."""
        return format_id(ERASURE_PREFIX, self.id)

    @property
    def state(self) -> ErasureState:
        """What became of it."""
        if self.cancelled_at is not None:
            return ErasureState.CANCELLED
        return ErasureState.PENDING if self.completed_at is None else ErasureState.COMPLETED


class ErasureNotFound(OstiaryError):
    """No erasure has this id, or none that is still pending."""

    def __init__(self) -> None:
        super().__init__("There is no such deletion, or it was taken back or done already.")


class ErasuresFailed(OstiaryError):
    """Some could not be erased; they are tried again, and nobody else waited for them."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{number} could not be erased, and will be tried again: the log says why.")


class DeletionNotUndone(OstiaryError):
    """An address of the account has found another owner meanwhile; `field` says which."""

    def __init__(self, field: str) -> None:
        super().__init__(
            f"Another account uses this {field} by now, so this one cannot come back as it was. Sign in to the other "
            f"one and give it another {field} or delete it, then open the link again; or ask the operator."
        )
        self.field = field


# What an export says of each table: these columns, under these names. A secret is in none of them.


@dataclass(frozen=True, slots=True)
class IdentityData:
    """How somebody signs in."""

    id: UUID
    entity_type: str
    entity_id: str
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    password_changed_at: datetime | None
    must_change_password: bool
    status: str
    failed_login_attempts: int
    locked_until: datetime | None
    last_login_at: datetime | None
    locale: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RoleData:
    """A role that is held."""

    name: str
    granted_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionData:
    """A session, ended ones too while they are kept."""

    id: UUID
    linked_account_id: UUID | None
    provider_session_id: str | None
    ip_address: str | None
    user_agent: str | None
    device_label: str | None
    amr: list[Any]
    authenticated_at: datetime
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class LoginData:
    """An attempt to sign in."""

    id: UUID
    session_id: UUID | None
    occurred_at: datetime
    provider: str
    method: str
    success: bool
    failure_reason: str | None
    ip_address: str | None
    user_agent: str | None
    session_ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChallengeData:
    """A link or code that was sent."""

    id: UUID
    purpose: str
    destination: str
    format: str
    attempts: int
    created_at: datetime
    expires_at: datetime
    consumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TotpData:
    """An authenticator app."""

    id: UUID
    label: str
    created_at: datetime
    confirmed_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecoveryCodeData:
    """That there is a recovery code, and when it was used."""

    id: UUID
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class MessageFactorData:
    """An address that codes are sent to as a second factor."""

    id: UUID
    channel: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class LinkedAccountData:
    """An account at a provider; its tokens are for this installation alone."""

    id: UUID
    provider: str
    provider_account_id: str
    profile: dict[str, Any]
    linked_by: str
    scope: str | None
    token_type: str | None
    access_token_expires_at: datetime | None
    refresh_token_expires_at: datetime | None
    needs_reconnection: bool
    last_token_refresh_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PasskeyData:
    """A passkey; its private half is with its owner alone."""

    id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    transports: list[Any]
    backup_eligible: bool
    backed_up: bool
    label: str
    created_at: datetime
    last_used_at: datetime | None
    clone_suspected_at: datetime | None


@dataclass(frozen=True, slots=True)
class FlowData:
    """A sign-in that was begun and not finished."""

    id: UUID
    provider: str
    method: str
    completed: list[Any]
    required: list[Any]
    linked_account_id: UUID | None
    provider_session_id: str | None
    created_at: datetime
    expires_at: datetime
    consumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeviceData:
    """A device that needs no second factor."""

    id: UUID
    label: str
    ip_address: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FactorResetData:
    """A wish to be rid of lost factors."""

    id: UUID
    requested_at: datetime
    approved_at: datetime | None
    takes_effect_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None


@dataclass(frozen=True, slots=True)
class OnboardingData:
    """What was asked after registering, and answered."""

    id: UUID
    flow: str
    current_step: str | None
    step_data: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ServiceCredentialData:
    """A credential of a service."""

    id: UUID
    scopes: list[Any]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class RevocationData:
    """That tokens were ended."""

    kind: str
    subject: str
    not_before: datetime | None
    expires_at: datetime
    reason: str | None
    revoked_at: datetime


@dataclass(frozen=True, slots=True)
class ErasureData:
    """A wish to be forgotten."""

    id: UUID
    requested_at: datetime
    erase_after: datetime
    cancelled_at: datetime | None
    completed_at: datetime | None
