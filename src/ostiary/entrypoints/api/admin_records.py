"""Operators: the log."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct

from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.api.operators import TAG, Limit, operator_of, page_of, shown_id
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.entrypoints.http.routes import Route
from ostiary.features.audit import Action, Event, EventFilter
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.audit import Audit, AuditLog, RecordedEvent

_EVENT_PREFIX: Final = "evt"
_Moment = Annotated[datetime, Meta(tz=True)]


class EventsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The newest `limit` events: of an actor, about a target, of an action, from `since` on, before `until`.

    `actor` is an id; `target` is one, too, or whatever names a thing of the kind `target_kind`.
    """

    actor: str | None = None
    target: str | None = None
    target_kind: str = "identity"
    action: Action | None = None
    since: _Moment | None = None
    until: _Moment | None = None
    limit: Limit = 50
    before: str | None = None


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
        """Write an event as operators see it."""
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


class AdminRecordsDoor:
    """The door to the log."""

    def __init__(self, log: AuditLog, audit: Audit) -> None:
        self._log = log
        self._audit = audit

    async def events(self, request: Request) -> Answer:
        """List events; that they were read is one, too."""
        query: EventsQuery = request.query
        matching = EventFilter(
            actor_id=query.actor,
            target=(query.target_kind, query.target) if query.target is not None else None,
            action=query.action,
            since=query.since,
            until=query.until,
        )
        before = parse_id(_EVENT_PREFIX, query.before) if query.before else None
        found = await self._log.list(matching, limit=query.limit + 1, before=before)
        page, more = page_of(found, query.limit)
        target_kind = query.target_kind if query.target is not None else None
        read = Event(Action.AUDIT_READ, operator_of(request), target_kind=target_kind, target_id=query.target)
        await self._audit.record_read(read, now=request.now)
        body = EventsBody([EventBody.of(event) for event in page], page[-1].external_id if more else None)
        return Answer(200, body)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="GET",
                path="/v1/admin/audit",
                handler=self.events,
                guard=OPERATORS,
                summary="The log, the newest event first",
                description="Reading it is an event itself.",
                tag=TAG,
                query=EventsQuery,
                answers={200: EventsBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
        )
