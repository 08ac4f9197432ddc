"""Audit events as they travel in bodies."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ostiary.entrypoints.api.operators import page_of, shown_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.features.audit import RecordedEvent


class WhoBody(Struct, frozen=True):
    """Who did it, or what it was done to."""

    kind: str | None
    id: str | None


class EventBody(Struct, frozen=True):
    """An event. `erased` says that what was personal in it is gone with whom it belonged to."""

    id: str
    occurred_at: datetime
    action: str
    actor: WhoBody
    target: WhoBody
    session_id: str | None
    ip_address: str | None
    user_agent: str | None
    success: bool
    reason: str | None
    metadata: dict[str, Any]
    personal: dict[str, Any]
    erased: bool

    @classmethod
    def of(cls, event: RecordedEvent) -> EventBody:
        """Write an event as whoever reads the log sees it."""
        return cls(
            id=event.external_id,
            occurred_at=event.occurred_at,
            action=event.action,
            actor=WhoBody(event.actor.kind, event.actor.id),
            target=WhoBody(event.target_kind, event.target_id),
            session_id=shown_id("ses", event.session_id),
            ip_address=event.origin.ip_address,
            user_agent=event.origin.user_agent,
            success=event.success,
            reason=event.reason,
            metadata=event.metadata,
            personal=event.personal,
            erased=event.is_erased,
        )


class EventsBody(Struct, frozen=True):
    """Events, the newest first; ask again with `before` set to `next`, if there is one."""

    events: list[EventBody]
    next: str | None

    @classmethod
    def of(cls, found: Sequence[RecordedEvent], limit: int) -> EventsBody:
        """Write a page of so many; one more than that was looked for."""
        page, more = page_of(found, limit)
        return cls([EventBody.of(event) for event in page], page[-1].external_id if more else None)
