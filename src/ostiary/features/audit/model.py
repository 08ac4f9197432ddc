"""What an audit event and a line of login history say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

from ostiary.foundation.ids import InvalidId, format_id, parse_id

EVENT_PREFIX: Final = "evt"

OSTIARY: Final = "ostiary"
"""The provider of whoever proves themselves here."""
IDENTITY: Final = "identity"
IDENTITY_PREFIX: Final = "idn"
_USER_AGENT_LENGTH: Final = 400


class Action(StrEnum):
    """What was done, as `subject:object:verb`."""

    IDENTITY_REGISTERED = "identity:account:registered"
    PROVIDER_ACCOUNT_REGISTERED = "identity:provider_account:registered"
    PROVIDER_ACCOUNT_CONFIRMED = "identity:provider_account:confirmed"
    IDENTITY_APPROVED = "identity:account:approved"
    IDENTITY_REJECTED = "identity:account:rejected"
    IDENTITY_INVITED = "identity:invitation:issued"
    INVITATION_WITHDRAWN = "identity:invitation:withdrawn"
    INVITATION_ACCEPTED = "identity:invitation:accepted"
    ADDRESS_VERIFIED = "identity:address:verified"
    ADDRESS_VERIFICATION_FAILED = "identity:address:verification_refused"
    ADDRESS_CHANGE_REQUESTED = "identity:address:change_requested"
    ADDRESS_CHANGED = "identity:address:changed"
    ADDRESS_CHANGE_UNDONE = "identity:address:change_undone"
    ADDRESS_LOST = "identity:address:lost"
    APPLICATION_RECORDED = "application:record:added"
    IDENTITY_SIGNED_IN = "identity:session:started"
    IDENTITY_FACTOR_REQUIRED = "identity:session:factor_required"
    IDENTITY_SIGN_IN_FAILED = "identity:session:refused"
    IDENTITY_REAUTHENTICATED = "identity:session:reauthenticated"
    IDENTITY_REAUTHENTICATION_FAILED = "identity:session:reauthentication_refused"
    ACCOUNT_LINKED = "identity:linked_account:linked"
    ACCOUNT_LINK_REFUSED = "identity:linked_account:link_refused"
    ACCOUNT_UNLINKED = "identity:linked_account:unlinked"
    IDENTITIES_MERGED = "identity:account:merged"
    DEVICE_REMEMBERED = "identity:device:remembered"
    DEVICE_FORGOTTEN = "identity:device:forgotten"
    LEGACY_SESSION_EXCHANGED = "identity:legacy_session:exchanged"
    LEGACY_LINK_EXCHANGED = "identity:legacy_link:exchanged"
    SIGN_IN_LINK_REQUESTED = "identity:sign_in_link:requested"
    SIGN_IN_CODE_REQUESTED = "identity:sign_in_code:requested"
    PASSWORD_RESET_REQUESTED = "identity:password:reset_requested"  # noqa: S105 - the name of an event
    PASSWORD_RESET = "identity:password:reset"  # noqa: S105 - the name of an event
    PASSWORD_RESET_REFUSED = "identity:password:reset_refused"  # noqa: S105 - the name of an event
    PASSWORD_ADOPTED = "identity:password:adopted"  # noqa: S105 - the name of an event
    IDENTITY_PASSWORD_CHANGED = "identity:password:changed"  # noqa: S105 - the name of an event
    IDENTITY_PASSWORD_CHANGE_FAILED = "identity:password:change_refused"  # noqa: S105 - the name of an event
    IDENTITY_PROFILE_CHANGED = "identity:profile:changed"
    IDENTITY_EXPORTED = "identity:account:exported"
    IDENTITY_DELETED = "identity:account:deleted"
    IDENTITY_RESTORED = "identity:account:restored"
    IDENTITY_ERASED = "identity:account:erased"
    IDENTITY_SUSPENDED = "identity:account:suspended"
    IDENTITY_REACTIVATED = "identity:account:reactivated"
    IDENTITY_UNLOCKED = "identity:account:unlocked"
    PASSWORD_CHANGE_REQUIRED = "identity:password:change_required"  # noqa: S105 - the name of an event
    PASSWORD_LINK_SENT = "identity:password:link_sent"  # noqa: S105 - the name of an event
    PASSKEY_RENAMED = "identity:passkey:renamed"
    PASSKEY_CLONE_SUSPECTED = "identity:passkey:clone_suspected"
    FACTOR_BEGUN = "identity:factor:begun"
    FACTOR_ADDED = "identity:factor:added"
    FACTOR_REFUSED = "identity:factor:refused"
    FACTOR_REMOVED = "identity:factor:removed"
    RECOVERY_CODES_RENEWED = "identity:recovery_codes:renewed"
    FACTOR_RESET_REQUESTED = "identity:factor_reset:requested"
    FACTOR_RESET_APPROVED = "identity:factor_reset:approved"
    FACTOR_RESET_REJECTED = "identity:factor_reset:rejected"
    FACTOR_RESET_CANCELLED = "identity:factor_reset:cancelled"
    FACTORS_RESET = "identity:factors:reset"
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
    ONBOARDING_STARTED = "identity:onboarding:started"
    ONBOARDING_STEP_SAVED = "identity:onboarding:step_saved"
    ONBOARDING_COMPLETED = "identity:onboarding:completed"
    IDENTITY_READ = "identity:account:read"
    AUDIT_READ = "audit:events:read"
    SIGNING_KEY_PUBLISHED = "signing_key:key:published"
    SIGNING_KEY_BROUGHT_FORWARD = "signing_key:key:brought_forward"
    SIGNING_KEY_ACTIVATED = "signing_key:key:activated"
    SIGNING_KEY_RETIRING = "signing_key:key:retiring"
    SIGNING_KEY_RETIRED = "signing_key:key:retired"
    LINKED_ACCOUNTS_READ = "identity:linked_accounts:read"
    LINKED_ACCOUNT_TOKEN_READ = "linked_account:token:read"  # noqa: S105 - the name of an event
    LINKED_ACCOUNT_CLEARED = "linked_account:tokens:cleared"
    LINKED_ACCOUNT_GRANT_ENDED = "linked_account:grant:ended"
    LINKED_ACCOUNT_REFRESH_REFUSED = "linked_account:refresh:refused"
    DATA_KEY_CREATED = "data_key:key:created"
    DATA_KEY_REWRAPPED = "data_key:key:rewrapped"
    DATA_KEY_RETIRED = "data_key:key:retired"
    DATA_KEY_DELETED = "data_key:key:deleted"
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

    def facts(self) -> dict[str, str]:
        """What is known of it; a user agent is the caller's text, of which what helps a reader is kept."""
        known = {
            "ip_address": self.ip_address,
            "user_agent": self.user_agent and self.user_agent[:_USER_AGENT_LENGTH],
        }
        return {name: value for name, value in known.items() if value}


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
        return cls(IDENTITY, identity_id, origin)


SYSTEM: Final = Actor("system")
APPLICATION: Final = Actor("application")
"""The application that Ostiary is embedded in, by its own code."""
NOBODY: Final = Actor("anonymous")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `metadata` holds allow-listed facts, never a secret or an address.

    What `personal` holds, addresses included, is kept under a key of the target's, as `origin` is under one of the
    actor's: both are erased with the identity. Neither is told to webhooks.
    """

    action: Action
    actor: Actor
    target_kind: str | None = None
    target_id: str | None = None
    session_id: UUID | None = None
    origin: Origin = NOWHERE
    success: bool = True
    reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    personal: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def target_identity(self) -> UUID | None:
        """The identity it was done to, if it was done to one."""
        return _identity(self.target_kind, self.target_id)

    @property
    def origin_owner(self) -> UUID | None:
        """Whose data the origin is: whoever did it, or to whom it was done if that is nobody we know."""
        return _identity(self.actor.kind, self.actor.id) or self.target_identity

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
class EventFilter:
    """Which events: by or to the identity `idn_…`, or of one session, or of an actor or a target; of one action; when.

    A target is its kind and its id. Raises `ValueError` for an identity and a session at once.
    """

    identity_id: str | None = None
    session_id: UUID | None = None
    actor_id: str | None = None
    target: tuple[str, str] | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.identity_id is not None and self.session_id is not None:
            raise ValueError("Events are looked for by an identity or by a session, not by both.")


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it is read, with what is personal in it; `is_erased` where no key opens that any more."""

    id: UUID
    occurred_at: datetime
    action: str
    actor: Actor
    target_kind: str | None
    target_id: str | None
    session_id: UUID | None
    origin: Origin
    success: bool
    reason: str | None
    metadata: dict[str, Any]
    personal: dict[str, Any] = field(repr=False)
    is_erased: bool

    @property
    def external_id(self) -> str:
        """The id as it is shown outside, `evt_…`."""
        return format_id(EVENT_PREFIX, self.id)

    def as_seen_by(self, identity_id: str) -> Self:
        """Return what one whom it concerns, `idn_…`, may see: not who else acted and from where, nor what is another's."""
        is_another = self.actor.kind == IDENTITY and self.actor.id != identity_id
        return replace(
            self,
            actor=replace(self.actor, id=None) if is_another else self.actor,
            origin=NOWHERE if is_another else self.origin,
            personal=self.personal if self.target_id == identity_id else {},
        )


@dataclass(frozen=True, slots=True)
class Login:
    """One attempt to sign in, successful or not; `device` is what its owner would call it."""

    identity_id: UUID | None
    session_id: UUID | None
    method: str
    success: bool
    failure_reason: str | None = None
    provider: str = OSTIARY
    origin: Origin = NOWHERE
    device: str | None = None

    @classmethod
    def refused(
        cls, identity_id: UUID | None, method: str, reason: str, origin: Origin, *, provider: str = OSTIARY
    ) -> Self:
        """An attempt that failed, of an identity or of nobody we know."""
        return cls(
            identity_id,
            None,
            method=method,
            success=False,
            failure_reason=reason,
            provider=provider,
            origin=origin,
        )


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

    @property
    def session_seconds(self) -> int | None:
        """How long the session lasted, in whole seconds; None for one that has not ended, or never began."""
        if self.session_ended_at is None:
            return None
        return int((self.session_ended_at - self.occurred_at).total_seconds())


def _identity(kind: str | None, external_id: str | None) -> UUID | None:
    if kind != IDENTITY or external_id is None:
        return None
    try:
        return parse_id(IDENTITY_PREFIX, external_id)
    except InvalidId:
        return None
