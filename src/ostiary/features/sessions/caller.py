"""Who is acting on their own account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ostiary.features.audit import Actor, Event, Origin
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.sessions.model import parse_session_id
from ostiary.foundation.ids import format_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.audit import Action
    from ostiary.verifier import Principal


@dataclass(frozen=True, slots=True)
class Caller:
    """The identity and session a verified access token names, how it was proven, and where the request came from."""

    identity_id: UUID
    session_id: UUID
    entity_type: str
    amr: tuple[str, ...]
    authenticated_at: datetime
    origin: Origin

    @classmethod
    def of(cls, principal: Principal, origin: Origin) -> Caller:
        """Read the ids of a verified principal."""
        return cls(
            parse_id(IDENTITY_PREFIX, principal.identity_id),
            parse_session_id(principal.session_id),
            principal.entity_type,
            principal.amr,
            principal.authenticated_at,
            origin,
        )

    @property
    def external_id(self) -> str:
        """The caller's identity as it is shown outside."""
        return format_id(IDENTITY_PREFIX, self.identity_id)

    @property
    def showed_two_factors(self) -> bool:
        """Whether the session began with two different factors, or one that counts as both (RFC 8176)."""
        return "mfa" in self.amr

    @property
    def actor(self) -> Actor:
        """The caller as the records name them, and from where they act."""
        return Actor.identity(self.external_id, self.origin)

    def event(
        self,
        action: Action,
        *,
        success: bool = True,
        reason: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Event:
        """Return the event that the caller did, or tried, something about their own account."""
        return Event(
            action,
            self.actor,
            target_kind="identity",
            target_id=self.external_id,
            session_id=self.session_id,
            origin=self.origin,
            success=success,
            reason=reason,
            metadata=dict(metadata or {}),
        )
