"""Registering, and the first administrator."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from ostiary.entrypoints.api.bodies import Delivery, SignInBody, sign_in_answer
from ostiary.entrypoints.api.callers import origin_of, signed_in_as
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route
from ostiary.features.registration import NewAccount
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.answers import Answer
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.identities import Identities
    from ostiary.features.registration import Registration


class RegisterBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Register with an e-mail address, a phone number, or both."""

    email: str | None = None
    phone: str | None = None
    password: str | None = None
    entity_type: str = "user"
    profile: dict[str, Any] = field(default_factory=dict)
    delivery: Delivery = "body"


class BootstrapBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The one-time token from the server's first start, and the administrator's credentials."""

    token: str
    email: str
    password: str
    delivery: Delivery = "body"


class RegistrationDoor:
    """The door newcomers use."""

    def __init__(self, registration: Registration, identities: Identities) -> None:
        self._registration = registration
        self._identities = identities

    async def register(self, request: Request) -> Answer:
        """Register and sign in."""
        body: RegisterBody = request.body
        if body.delivery == "cookie":
            request.require_same_site()
        account = NewAccount(
            entity_type=body.entity_type,
            email=body.email,
            phone=body.phone,
            password=Secret(body.password) if body.password is not None else None,
            profile=body.profile,
        )
        outcome = await self._registration.register(account, origin=origin_of(request), now=request.now)
        identity = await signed_in_as(outcome, self._identities)
        return sign_in_answer(outcome, identity, body.delivery, status=201)

    async def bootstrap(self, request: Request) -> Answer:
        """Make the first administrator, once."""
        body: BootstrapBody = request.body
        if body.delivery == "cookie":
            request.require_same_site()
        outcome = await self._registration.bootstrap(
            Secret(body.token),
            email=body.email,
            password=Secret(body.password),
            origin=origin_of(request),
            now=request.now,
        )
        identity = await signed_in_as(outcome, self._identities)
        return sign_in_answer(outcome, identity, body.delivery, status=201)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="POST",
                path="/v1/register",
                handler=self.register,
                guard=PUBLIC,
                summary="Register and sign in",
                tag="Registration and sign-in",
                body=RegisterBody,
                answers={201: SignInBody},
                problems=(
                    ProblemCode.IDENTIFIER_TAKEN,
                    ProblemCode.PASSWORD_UNACCEPTABLE,
                    ProblemCode.REGISTRATION_CLOSED,
                    ProblemCode.INVALID_CREDENTIALS,
                ),
                limit=AddressLimit("register", Rate(120, timedelta(minutes=1))),
            ),
            Route(
                method="POST",
                path="/v1/bootstrap",
                handler=self.bootstrap,
                guard=PUBLIC,
                summary="Make the first administrator",
                description="Takes the one-time token that the server printed when it first started.",
                tag="Registration and sign-in",
                body=BootstrapBody,
                answers={201: SignInBody},
                problems=(
                    ProblemCode.INVALID_CREDENTIALS,
                    ProblemCode.IDENTIFIER_TAKEN,
                    ProblemCode.PASSWORD_UNACCEPTABLE,
                ),
                limit=AddressLimit("bootstrap", Rate(20, timedelta(minutes=10))),
            ),
        )
