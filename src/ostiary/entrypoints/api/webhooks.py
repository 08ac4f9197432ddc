"""Which other systems are told what happens."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from ostiary.entrypoints.api.callers import caller_of
from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.entrypoints.http.routes import Route
from ostiary.features.outbox import ENDPOINT_PREFIX
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from uuid import UUID

    from ostiary.entrypoints.http.request import Request
    from ostiary.features.administration import Messaging
    from ostiary.features.outbox import Endpoint, Webhooks

_TAG: Final = "Operators"
_PATH: Final = "/v1/admin/webhook-endpoints"


class AddEndpointBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to, of which events: `identity.account.registered`, all that begin alike (`identity.*`), or all (`*`)."""

    url: Annotated[str, Meta(max_length=2000)]
    events: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(min_length=1, max_length=100)]
    description: Annotated[str, Meta(max_length=500)] | None = None


class ChangeEndpointBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it is told nothing for the time being."""

    disabled: bool


class EndpointBody(Struct, frozen=True):
    """Where events are told."""

    id: str
    url: str
    description: str | None
    events: list[str]
    created_at: datetime
    created_by: str | None
    disabled_at: datetime | None

    @classmethod
    def of(cls, endpoint: Endpoint) -> EndpointBody:
        """Write an endpoint as operators see it."""
        return cls(
            id=endpoint.external_id,
            url=endpoint.url,
            description=endpoint.description,
            events=endpoint.events,
            created_at=endpoint.created_at,
            created_by=endpoint.created_by,
            disabled_at=endpoint.disabled_at,
        )


class NewEndpointBody(Struct, frozen=True):
    """A new endpoint, and the secret that its receiver checks signatures with, which is shown this one time."""

    endpoint: EndpointBody
    secret: str


class SecretBody(Struct, frozen=True):
    """A new secret, shown this one time; the one before signs as well for a day."""

    secret: str


class EndpointsBody(Struct, frozen=True):
    """Every endpoint, the oldest first."""

    endpoints: list[EndpointBody]


class CalledBody(Struct, frozen=True):
    """Whether an endpoint took a call, and if not, why."""

    delivered: bool
    error: str | None


class WebhooksDoor:
    """The door to the endpoints of webhooks."""

    def __init__(self, messaging: Messaging, webhooks: Webhooks) -> None:
        self._messaging = messaging
        self._webhooks = webhooks

    async def add(self, request: Request) -> Answer:
        """Add an endpoint."""
        body: AddEndpointBody = request.body
        endpoint, secret = await self._messaging.add_endpoint(
            body.url,
            events=body.events,
            description=body.description,
            by=caller_of(request).actor,
            now=request.now,
        )
        return Answer(201, NewEndpointBody(EndpointBody.of(endpoint), secret.reveal()))

    async def list(self, _request: Request) -> Answer:
        """List the endpoints."""
        endpoints = await self._webhooks.list()
        return Answer(200, EndpointsBody([EndpointBody.of(endpoint) for endpoint in endpoints]))

    async def change(self, request: Request) -> Answer:
        """Disable or enable an endpoint."""
        body: ChangeEndpointBody = request.body
        change = self._messaging.disable_endpoint if body.disabled else self._messaging.enable_endpoint
        endpoint = await change(_id_in(request), by=caller_of(request).actor, now=request.now)
        return Answer(200, EndpointBody.of(endpoint))

    async def remove(self, request: Request) -> Answer:
        """Forget an endpoint."""
        await self._messaging.remove_endpoint(_id_in(request), by=caller_of(request).actor, now=request.now)
        return Answer(204)

    async def rotate(self, request: Request) -> Answer:
        """Give an endpoint a new secret."""
        secret = await self._messaging.rotate_secret(
            _id_in(request), by=caller_of(request).actor, now=request.now
        )
        return Answer(200, SecretBody(secret.reveal()))

    async def test(self, request: Request) -> Answer:
        """Call an endpoint."""
        error = await self._messaging.test_endpoint(_id_in(request), now=request.now)
        return Answer(200, CalledBody(delivered=error is None, error=error))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (*self._of_all(), *self._of_one())

    def _of_all(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path=_PATH,
                handler=self.add,
                guard=OPERATORS,
                summary="Tell another system what happens",
                description=(
                    "Events are posted in the form of Standard Webhooks from now on. The secret is shown this one time."
                ),
                tag=_TAG,
                body=AddEndpointBody,
                answers={201: NewEndpointBody},
            ),
            Route(
                method="GET",
                path=_PATH,
                handler=self.list,
                guard=OPERATORS,
                summary="List the endpoints of webhooks",
                tag=_TAG,
                answers={200: EndpointsBody},
            ),
        )

    def _of_one(self) -> tuple[Route, ...]:
        missing = (ProblemCode.NOT_FOUND,)
        return (
            Route(
                method="PATCH",
                path=_PATH + "/{id}",
                handler=self.change,
                guard=OPERATORS,
                summary="Disable or enable an endpoint",
                tag=_TAG,
                body=ChangeEndpointBody,
                answers={200: EndpointBody},
                problems=missing,
            ),
            Route(
                method="DELETE",
                path=_PATH + "/{id}",
                handler=self.remove,
                guard=OPERATORS,
                summary="Forget an endpoint",
                description="What waits for it is forgotten as well.",
                tag=_TAG,
                answers={204: None},
                problems=missing,
            ),
            Route(
                method="POST",
                path=_PATH + "/{id}/rotate",
                handler=self.rotate,
                guard=OPERATORS,
                summary="Give an endpoint a new secret",
                description="Both the new and the old one sign for a day.",
                tag=_TAG,
                answers={200: SecretBody},
                problems=missing,
            ),
            Route(
                method="POST",
                path=_PATH + "/{id}/test",
                handler=self.test,
                guard=OPERATORS,
                summary="Call an endpoint now",
                description="With an event of the type `webhook.endpoint.tested`.",
                tag=_TAG,
                answers={200: CalledBody},
                problems=missing,
            ),
        )


def _id_in(request: Request) -> UUID:
    return parse_id(ENDPOINT_PREFIX, request.parameters["id"])
