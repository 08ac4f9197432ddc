"""What operators do about messages: the endpoints of webhooks, and messages that could not be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.features.audit import SYSTEM, Action, Actor, Event
from ostiary.features.outbox import InvalidEndpoint, matches
from ostiary.foundation.errors import Undelivered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.outbox import Endpoint, Entry, Messages, Topic, Webhooks
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction


class Messaging:
    """The operators' side of messages; whatever is changed is recorded."""

    def __init__(self, database: Database, *, webhooks: Webhooks, messages: Messages, audit: Audit) -> None:
        self._database = database
        self._webhooks = webhooks
        self._messages = messages
        self._audit = audit

    async def add_endpoint(
        self, url: str, *, events: Sequence[str], description: str | None = None, by: Actor, now: datetime
    ) -> tuple[Endpoint, Secret]:
        """Tell a URL of events from now on; return the endpoint and the secret it checks signatures with, shown once.

        Raises `InvalidEndpoint`.
        """
        names = [action.replace(":", ".") for action in Action]
        for pattern in events:
            if not any(matches(pattern, name) for name in names):
                raise InvalidEndpoint(
                    "events", "No event has one of these names: see docs/reference/events.md."
                )
        async with self._database.transaction() as tx:
            endpoint, secret = await self._webhooks.add(
                tx, url, events=events, description=description, by=by.id or by.kind, now=now
            )
            self._record(tx, Action.WEBHOOK_ADDED, endpoint, by, now, events=list(events))
        return endpoint, secret

    async def rotate_secret(self, endpoint_id: UUID, *, by: Actor, now: datetime) -> Secret:
        """Give an endpoint a new secret; the old one signs as well for a day. Raises `EndpointNotFound`."""
        async with self._database.transaction() as tx:
            endpoint, secret = await self._webhooks.rotate(tx, endpoint_id, now=now)
            self._record(tx, Action.WEBHOOK_SECRET_ROTATED, endpoint, by, now)
        return secret

    async def disable_endpoint(self, endpoint_id: UUID, *, by: Actor, now: datetime) -> Endpoint:
        """Tell an endpoint nothing any more; what waits for it dies. Raises `EndpointNotFound`."""
        async with self._database.transaction() as tx:
            endpoint = await self._webhooks.disable(tx, endpoint_id, now=now)
            if endpoint is not None:
                self._record(tx, Action.WEBHOOK_DISABLED, endpoint, by, now)
        return endpoint or await self._webhooks.get(endpoint_id)

    async def enable_endpoint(self, endpoint_id: UUID, *, by: Actor, now: datetime) -> Endpoint:
        """Tell an endpoint again what happens from now on. Raises `EndpointNotFound`."""
        async with self._database.transaction() as tx:
            endpoint = await self._webhooks.enable(tx, endpoint_id)
            if endpoint is not None:
                self._record(tx, Action.WEBHOOK_ENABLED, endpoint, by, now)
        return endpoint or await self._webhooks.get(endpoint_id)

    async def remove_endpoint(self, endpoint_id: UUID, *, by: Actor, now: datetime) -> None:
        """Forget an endpoint and what waits for it. Raises `EndpointNotFound`."""
        async with self._database.transaction() as tx:
            endpoint = await self._webhooks.remove(tx, endpoint_id)
            self._record(tx, Action.WEBHOOK_REMOVED, endpoint, by, now)

    async def test_endpoint(self, endpoint_id: UUID, *, now: datetime) -> str | None:
        """Call an endpoint now; return why it did not take the call, or None. Raises `EndpointNotFound`."""
        try:
            await self._webhooks.test(endpoint_id, now=now)
        except Undelivered as error:
            return str(error)
        return None

    def gone(self, tx: Transaction, endpoint: Endpoint, now: datetime) -> None:
        """Record that an endpoint said that it is gone, and is told nothing any more."""
        self._record(tx, Action.WEBHOOK_GONE, endpoint, SYSTEM, now)

    async def retry(self, message_id: UUID, *, by: Actor, now: datetime) -> Entry:
        """Send a message that waits or is dead, soon. Raises `MessageNotFound`."""
        async with self._database.transaction() as tx:
            entry = await self._messages.retry(tx, message_id, now=now)
            event = Event(Action.MESSAGE_RETRIED, by, target_kind="message", target_id=entry.external_id)
            self._audit.record(tx, event, now=now)
        return entry

    async def retry_dead(self, topic: Topic | None, *, by: Actor, now: datetime) -> int:
        """Send every dead message that still says something, soon; return how many those are."""
        async with self._database.transaction() as tx:
            retried = await self._messages.retry_dead(tx, topic, now=now)
            if retried:
                more = {"messages": retried, "topic": topic}
                self._audit.record(tx, Event(Action.MESSAGE_RETRIED, by, metadata=more), now=now)
        return retried

    def _record(
        self, tx: Transaction, action: Action, endpoint: Endpoint, by: Actor, now: datetime, **more: Any
    ) -> None:
        event = Event(
            action, by, target_kind="webhook_endpoint", target_id=endpoint.external_id, metadata=more
        )
        self._audit.record(tx, event, now=now)
