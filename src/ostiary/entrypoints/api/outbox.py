"""What became of messages."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from ostiary.entrypoints.api.callers import caller_of
from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.entrypoints.http.routes import Route
from ostiary.features.outbox import ENDPOINT_PREFIX, MESSAGE_PREFIX, State, Topic
from ostiary.foundation.ids import format_id, parse_id

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.administration import Messaging
    from ostiary.features.outbox import Entry, Messages

_TAG: Final = "Operators"


class OutboxQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The newest `limit` messages in a state, of one topic if given, before the one with the id `before`."""

    state: State = State.PENDING
    topic: Topic | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    before: str | None = None


class EntryBody(Struct, frozen=True):
    """A message, without to whom it goes and what it says; `subject` is its template, or the event it tells."""

    id: str
    topic: Topic
    subject: str
    state: State
    endpoint_id: str | None
    created_at: datetime
    available_at: datetime
    expires_at: datetime | None
    attempts: int
    delivered_at: datetime | None
    failed_at: datetime | None
    last_error: str | None

    @classmethod
    def of(cls, entry: Entry) -> EntryBody:
        """Write a row of the outbox as operators see it."""
        return cls(
            id=entry.external_id,
            topic=entry.topic,
            subject=entry.subject,
            state=entry.state,
            endpoint_id=format_id(ENDPOINT_PREFIX, entry.endpoint_id) if entry.endpoint_id else None,
            created_at=entry.created_at,
            available_at=entry.available_at,
            expires_at=entry.expires_at,
            attempts=entry.attempts,
            delivered_at=entry.delivered_at,
            failed_at=entry.failed_at,
            last_error=entry.last_error,
        )


class OutboxBody(Struct, frozen=True):
    """The newest first; ask again with `before` set to the last id for older ones."""

    messages: list[EntryBody]


class OutboxDoor:
    """The door to the outbox."""

    def __init__(self, messaging: Messaging, messages: Messages) -> None:
        self._messaging = messaging
        self._messages = messages

    async def list(self, request: Request) -> Answer:
        """List messages."""
        query: OutboxQuery = request.query
        before = parse_id(MESSAGE_PREFIX, query.before) if query.before else None
        found = await self._messages.list(query.state, topic=query.topic, limit=query.limit, before=before)
        return Answer(200, OutboxBody([EntryBody.of(entry) for entry in found]))

    async def retry(self, request: Request) -> Answer:
        """Send a message again."""
        message_id = parse_id(MESSAGE_PREFIX, request.parameters["id"])
        entry = await self._messaging.retry(message_id, by=caller_of(request).actor, now=request.now)
        return Answer(202, EntryBody.of(entry))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="GET",
                path="/v1/admin/outbox",
                handler=self.list,
                guard=OPERATORS,
                summary="List messages that wait, were delivered, or are dead",
                description="What they say and to whom they go is sealed, and not shown to anybody.",
                tag=_TAG,
                query=OutboxQuery,
                answers={200: OutboxBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="POST",
                path="/v1/admin/outbox/{id}/retry",
                handler=self.retry,
                guard=OPERATORS,
                summary="Send a message that waits or is dead",
                description="It goes within seconds, and has all its attempts again.",
                tag=_TAG,
                answers={202: EntryBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
        )
