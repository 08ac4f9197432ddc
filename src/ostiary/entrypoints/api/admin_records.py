"""Operators: the log."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ostiary.entrypoints.api.events import EventsBody
from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.api.operators import TAG, Limit, operator_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.entrypoints.http.routes import Route
from ostiary.features.audit import EVENT_PREFIX, Action, Event, EventFilter
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.audit import Audit, AuditLog

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
        before = parse_id(EVENT_PREFIX, query.before) if query.before else None
        found = await self._log.list(matching, limit=query.limit + 1, before=before)
        target_kind = query.target_kind if query.target is not None else None
        read = Event(Action.AUDIT_READ, operator_of(request), target_kind=target_kind, target_id=query.target)
        await self._audit.record_read(read, now=request.now)
        return Answer(200, EventsBody.of(found, query.limit))

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
