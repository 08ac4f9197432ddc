"""What an audit event and a line of login history say."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from ostiary.foundation.ids import format_id


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
    SESSION_ENDED = "session:session:ended"
    SESSIONS_ENDED = "identity:sessions:ended"
    REFRESH_TOKEN_REUSED = "session:refresh_token:reused"  # noqa: S105 - the name of an event
    TOKEN_REVOKED = "token:access_token:revoked"  # noqa: S105 - the name of an event
    ROLE_GRANTED = "role:grant:added"
    ROLE_REMOVED = "role:grant:removed"
    BOOTSTRAP_ISSUED = "installation:bootstrap:issued"
    BOOTSTRAP_USED = "installation:bootstrap:used"
    SERVICE_CREDENTIAL_ISSUED = "service:credential:issued"
    SERVICE_CREDENTIAL_REVOKED = "service:credential:revoked"
    EVERYTHING_ENDED = "installation:tokens:ended"
    IDENTITY_READ = "identity:account:read"
    SIGNING_KEY_PUBLISHED = "signing_key:key:published"
    SIGNING_KEY_BROUGHT_FORWARD = "signing_key:key:brought_forward"
    SIGNING_KEY_ACTIVATED = "signing_key:key:activated"
    SIGNING_KEY_RETIRING = "signing_key:key:retiring"
    SIGNING_KEY_RETIRED = "signing_key:key:retired"
    WEBHOOK_ADDED = "webhook:endpoint:added"
    WEBHOOK_REMOVED = "webhook:endpoint:removed"
    WEBHOOK_DISABLED = "webhook:endpoint:disabled"
    WEBHOOK_ENABLED = "webhook:endpoint:enabled"
    WEBHOOK_GONE = "webhook:endpoint:gone"
    WEBHOOK_SECRET_ROTATED = "webhook:secret:rotated"  # noqa: S105 - the name of an event
    MESSAGE_RETRIED = "outbox:message:retried"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, as far as we can vouch for it."""

    ip_address: str | None = None
    user_agent: str | None = None


NOWHERE: Final = Origin()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: an identity, the system itself, or nobody we know."""

    kind: str
    id: str | None = None

    @classmethod
    def identity(cls, identity_id: str) -> Actor:
        """The identity with the external id `idn_…`."""
        return cls("identity", identity_id)


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
