"""What sessions and refresh tokens are, and the pure decisions about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.audit import OSTIARY, Origin
from ostiary.features.outbox import Recipient
from ostiary.features.roles import Grant
from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.features.identities import Credentials

SESSION_PREFIX: Final = "ses"
REFRESH_KIND: Final = "refresh"


class Refusal(StrEnum):
    """Why a refresh token may not be exchanged; the answer outside is one and the same."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    SESSION_ENDED = "session_ended"
    SESSION_EXPIRED = "session_expired"
    SESSION_IDLE = "session_idle"
    IDENTITY_INACTIVE = "identity_inactive"
    REUSED = "reused"
    FACTOR_MISSING = "factor_missing"


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things live. `refresh` is absolute: rotation never moves it (RT-03)."""

    access: timedelta
    refresh: timedelta
    idle: timedelta
    grace: timedelta
    touch: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Session:
    """One session as its owner sees it."""

    id: UUID
    ip_address: str | None
    user_agent: str | None
    device_label: str | None
    amr: list[str]
    authenticated_at: datetime
    created_at: datetime
    last_used_at: datetime
    idle_expires_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Via:
    """The linked account that somebody came in with, and what its provider calls its own session, if it says so."""

    account_id: UUID
    provider_session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Continued:
    """When a session that another one goes on for was proven, and when it would have ended."""

    authenticated_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A session that another system began and that was just ended, so that one of ours goes on for it."""

    amr: list[str]
    authenticated_at: datetime
    expires_at: datetime
    linked_account_id: UUID | None
    provider_session_id: str | None

    @property
    def via(self) -> Via | None:
        """The linked account it began with."""
        account_id = self.linked_account_id
        return Via(account_id, self.provider_session_id) if account_id else None

    @property
    def continued(self) -> Continued:
        """What the session that goes on for it keeps of it."""
        return Continued(self.authenticated_at, self.expires_at)


@dataclass(frozen=True, slots=True)
class Authentication:
    """A finished authentication from which a session starts, proven just now or at `authenticated_at`.

    `epoch` is the token epoch that was read together with the credentials: if it has moved since, the sign-in has
    been overtaken. Losing a role moves it, so `grants` may have been read at any time after that.
    """

    identity_id: UUID
    entity_type: str
    entity_id: str
    epoch: int
    method: str
    amr: tuple[str, ...]
    grants: Sequence[Grant]
    origin: Origin
    provider: str = OSTIARY
    authenticated_at: datetime | None = None
    owner: Recipient | None = None
    """Who is told if the device is a new one; nobody where a session only follows another."""
    via: Via | None = None
    follows: UUID | None = None
    """The session this one replaces; it goes on with the account at a provider that one began with."""
    expires_by: datetime | None = None
    """When the session ends at the latest, if that is sooner than a new one would."""

    def expires_at(self, latest: datetime) -> datetime:
        """Return when the session ends, `latest` being when a new one would."""
        return latest if self.expires_by is None else min(latest, self.expires_by)

    @classmethod
    def of(
        cls,
        credentials: Credentials,
        grants: Sequence[Grant],
        origin: Origin,
        *,
        method: str = "password",
        amr: tuple[str, ...] = ("pwd",),
    ) -> Authentication:
        """The owner of `credentials` proved themselves: with their password, or as is said."""
        return cls(
            identity_id=credentials.id,
            entity_type=credentials.entity_type,
            entity_id=credentials.entity_id,
            epoch=credentials.token_epoch,
            method=method,
            amr=amr,
            grants=grants,
            origin=origin,
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets for a session. The access token's lifetime is in whole seconds."""

    access_token: Secret
    expires_in: int
    refresh_token: Secret
    refresh_expires_in: int
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Rotated:
    """A refresh token was exchanged, or its exchange repeated within the grace time."""

    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Refused:
    """A refresh token was not exchanged."""

    reason: Refusal


@dataclass(frozen=True, slots=True)
class Rotation:
    """What the one rotation statement answers: the presented token, its session, and its identity's grants.

    `spent_now` says that this very statement spent the token and stored its successor.
    """

    spent_now: bool
    token_expires_at: datetime
    consumed_at: datetime | None
    successor_sealed: bytes | None
    session_id: UUID
    session_ended_at: datetime | None
    session_expires_at: datetime
    idle_expires_at: datetime
    authenticated_at: datetime
    amr: list[str]
    identity_id: UUID
    entity_type: str
    entity_id: str
    identity_status: str
    token_epoch: int
    roles: list[str]
    roles_expire_at: datetime | None
    permissions: list[str]

    def refusal(self, *, grace: timedelta, now: datetime) -> Refusal | None:
        """Say why this token may not be exchanged, or None if it was, or may be exchanged again.

        A spent token is good once more only for a client that retries: within the grace time, and while its
        successor is itself unspent (its sealed copy is erased by the statement that spends it).
        """
        if self.session_ended_at is not None:
            return Refusal.SESSION_ENDED
        if self.spent_now:
            return None
        if self.consumed_at is not None and not self._is_retry(grace, now):
            return Refusal.REUSED
        return self._lapse(now)

    def _is_retry(self, grace: timedelta, now: datetime) -> bool:
        return (
            self.consumed_at is not None
            and self.successor_sealed is not None
            and now - self.consumed_at < grace
        )

    def _lapse(self, now: datetime) -> Refusal | None:
        if self.identity_status != "active":
            return Refusal.IDENTITY_INACTIVE
        if now >= self.session_expires_at:
            return Refusal.SESSION_EXPIRED
        if now >= self.idle_expires_at:
            return Refusal.SESSION_IDLE
        return Refusal.EXPIRED if now >= self.token_expires_at else None


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was just ended, and the account at a provider it began with, if it did."""

    id: UUID
    linked_account_id: UUID | None


@dataclass(frozen=True, slots=True)
class Owned:
    """A session and whose it is."""

    id: UUID
    identity_id: UUID


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as operators see it, ended or not."""

    id: UUID
    identity_id: UUID
    ip_address: str | None
    user_agent: str | None
    device_label: str | None
    amr: list[str]
    authenticated_at: datetime
    created_at: datetime
    last_used_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None

    def is_live(self, now: datetime) -> bool:
        """Say whether it can still be refreshed."""
        return self.ended_at is None and now < min(self.idle_expires_at, self.expires_at)


@dataclass(frozen=True, slots=True)
class RevocationRecord:
    """A revocation as operators see it: what it ends, why, by whom, and until when that matters."""

    seq: int
    kind: str
    subject: str
    identity_id: UUID | None
    min_epoch: int | None
    not_before: datetime | None
    reason: str | None
    revoked_by: str | None
    revoked_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Purged:
    """A session whose row was just deleted. Only if it had ended does its history say already when it was over."""

    id: UUID
    ended_at: datetime | None
    expires_at: datetime
    idle_expires_at: datetime

    @property
    def over_at(self) -> datetime:
        """When it was over: ended, idle for too long, or expired."""
        return self.ended_at or min(self.expires_at, self.idle_expires_at)


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """How many sessions there are: all, those that can still be refreshed, those used within seven days."""

    total: int
    active: int
    recent: int


def external_session_id(session_id: UUID) -> str:
    """Write a session's id as it is shown outside, `ses_…`."""
    return format_id(SESSION_PREFIX, session_id)


def parse_session_id(text: str) -> UUID:
    """Read a session's id. Raises `InvalidId`."""
    return parse_id(SESSION_PREFIX, text)


_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
# Order matters: most browsers also name the ones they descend from.
_CLIENTS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-", "Python"),
    ("okhttp/", "Android app"),
)


def device_label(user_agent: str | None) -> str:
    """Name a device for its owner, "Firefox on Linux"; a hint for people, never a fact to decide by."""
    text = user_agent or ""
    client = next((name for mark, name in _CLIENTS if mark in text), None)
    system = next((name for mark, name in _SYSTEMS if mark in text), None)
    if client and system:
        return f"{client} on {system}"
    return client or system or "Unknown device"
