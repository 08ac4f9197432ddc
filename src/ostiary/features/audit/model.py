"""What an audit event and a line of login history say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from ostiary.features.audit.errors import InvalidEventPlace
from ostiary.foundation.ids import InvalidId, decode, encode, format_id

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PLACE: Final = re.compile(r"(\d{1,18})\.([0-9a-z]{26})", re.ASCII)


class Action(StrEnum):
    """What was done, as `subject:object:verb`."""

    IDENTITY_REGISTERED = "identity:account:registered"
    IDENTITY_SIGNED_IN = "identity:session:started"
    IDENTITY_SIGN_IN_FAILED = "identity:session:refused"
    IDENTITY_REAUTHENTICATED = "identity:session:reauthenticated"
    IDENTITY_REAUTHENTICATION_FAILED = "identity:session:reauthentication_refused"
    IDENTITY_PASSWORD_CHANGED = "identity:password:changed"  # noqa: S105 - the name of an event
    IDENTITY_PASSWORD_CHANGE_FAILED = "identity:password:change_refused"  # noqa: S105 - the name of an event
    IDENTITY_PROFILE_CHANGED = "identity:profile:changed"
    IDENTITY_DELETED = "identity:account:deleted"
    IDENTITY_SUSPENDED = "identity:account:suspended"
    IDENTITY_REACTIVATED = "identity:account:reactivated"
    IDENTITY_UNLOCKED = "identity:account:unlocked"
    PASSWORD_CHANGE_REQUIRED = "identity:password:change_required"  # noqa: S105 - the name of an event
    PASSWORD_LINK_SENT = "identity:password:link_sent"  # noqa: S105 - the name of an event
    SESSION_ENDED = "session:session:ended"
    SESSIONS_ENDED = "identity:sessions:ended"
    REFRESH_TOKEN_REUSED = "session:refresh_token:reused"  # noqa: S105 - the name of an event
    TOKEN_REVOKED = "token:access_token:revoked"  # noqa: S105 - the name of an event
    ROLE_CREATED = "role:role:created"
    ROLE_DESCRIBED = "role:role:described"
    ROLE_DECLARED = "role:role:declared"
    ROLE_RELEASED = "role:role:released"
    ROLE_DELETED = "role:role:deleted"
    ROLE_PERMISSION_ADDED = "role:permission:added"
    ROLE_PERMISSION_REMOVED = "role:permission:removed"
    ROLE_GRANTED = "role:grant:added"
    ROLE_REMOVED = "role:grant:removed"
    BOOTSTRAP_ISSUED = "installation:bootstrap:issued"
    BOOTSTRAP_USED = "installation:bootstrap:used"
    SERVICE_CREDENTIAL_ISSUED = "service:credential:issued"
    SERVICE_CREDENTIAL_REVOKED = "service:credential:revoked"
    EVERYTHING_ENDED = "installation:tokens:ended"
    IDENTITY_READ = "identity:account:read"
    AUDIT_READ = "audit:events:read"
    SIGNING_KEY_PUBLISHED = "signing_key:key:published"
    SIGNING_KEY_BROUGHT_FORWARD = "signing_key:key:brought_forward"
    SIGNING_KEY_ACTIVATED = "signing_key:key:activated"
    SIGNING_KEY_RETIRING = "signing_key:key:retiring"
    SIGNING_KEY_RETIRED = "signing_key:key:retired"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, as far as we can vouch for it."""

    ip_address: str | None = None
    user_agent: str | None = None


NOWHERE: Final = Origin()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: an identity, the system itself, or nobody we know; and from where, if that is known."""

    kind: str
    id: str | None = None
    origin: Origin = field(default=NOWHERE, compare=False)

    @classmethod
    def identity(cls, identity_id: str, origin: Origin = NOWHERE) -> Actor:
        """The identity with the external id `idn_…`."""
        return cls("identity", identity_id, origin)


SYSTEM: Final = Actor("system")
NOBODY: Final = Actor("anonymous")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `metadata` holds allow-listed facts, never a secret or an address."""

    action: Action
    actor: Actor
    target_kind: str | None = None
    target_id: str | None = None
    session_id: UUID | None = None
    origin: Origin = NOWHERE
    success: bool = True
    reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def came_from(self) -> Origin:
        """Where it came from: said of the event itself, or of whoever did it."""
        return self.origin if self.origin != NOWHERE else self.actor.origin

    @property
    def told(self) -> dict[str, Any]:
        """What is told outside: who did it to what, and never from where."""
        return {
            "actor": {"kind": self.actor.kind, "id": self.actor.id},
            "target": {"kind": self.target_kind, "id": self.target_id},
            "session_id": format_id("ses", self.session_id) if self.session_id else None,
            "success": self.success,
            "reason": self.reason,
            "metadata": self.metadata,
        }


@dataclass(frozen=True, slots=True)
class Login:
    """One attempt to sign in, successful or not."""

    identity_id: UUID | None
    session_id: UUID | None
    method: str
    success: bool
    failure_reason: str | None = None
    provider: str = "ostiary"
    origin: Origin = NOWHERE


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """A line of login history as it is shown to its owner."""

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
class EventFilter:
    """Which events to read: of an actor, about a target, of an action, from a moment on, before another."""

    actor_id: str | None = None
    target: tuple[str, str] | None = None
    """Its kind and id."""
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it was written down."""

    id: UUID
    occurred_at: datetime
    action: str
    actor_kind: str | None
    actor_id: str | None
    target_kind: str | None
    target_id: str | None
    session_id: UUID | None
    ip_address: str | None
    user_agent: str | None
    success: bool
    reason: str | None
    metadata: dict[str, Any]

    @property
    def place(self) -> EventPlace:
        """Where it stands in the log, to read on from."""
        return EventPlace(self.occurred_at, self.id)


@dataclass(frozen=True, slots=True)
class EventPlace:
    """A place in the log: events of one moment are in the order of their ids."""

    occurred_at: datetime
    id: UUID

    @classmethod
    def parse(cls, text: str) -> EventPlace:
        """Read what `str` wrote. Raises `InvalidEventPlace`."""
        match = _PLACE.fullmatch(text)
        try:
            if match is not None:
                return cls(_EPOCH + timedelta(microseconds=int(match[1])), decode(match[2]))
        except (InvalidId, OverflowError):
            pass
        raise InvalidEventPlace

    def __str__(self) -> str:
        return f"{(self.occurred_at - _EPOCH) // _MICROSECOND}.{encode(self.id)}"
