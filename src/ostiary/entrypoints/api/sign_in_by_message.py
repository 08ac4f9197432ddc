"""Signing in by a link or a code."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ostiary.entrypoints.api.bodies import Delivery, SignInBody, sign_in_answer
from ostiary.entrypoints.api.callers import device_of, origin_of, signed_in_as
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route
from ostiary.features.sign_in import CodeSignIn, Refusal, Refused
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.flows import FactorRequired, SignedIn
    from ostiary.features.identities import Identities
    from ostiary.features.sign_in import SignInByMessage

_TAG: Final = "Registration and sign-in"
_SENDING: Final = AddressLimit("sign-in messages", Rate(60, timedelta(minutes=1)))
CONFIRMING: Final = AddressLimit("login confirm", Rate(120, timedelta(minutes=1)))
_PROBLEMS: Final = (ProblemCode.INVALID_CREDENTIALS, ProblemCode.TOO_MANY_ATTEMPTS)


class SendBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to send it."""

    identifier: str
    entity_type: str = "user"


class LinkBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The token of the link; `device` is the secret of a remembered device."""

    token: str
    device: str | None = None
    delivery: Delivery = "body"


class CodeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The code, and where it was sent; `device` is the secret of a remembered device."""

    identifier: str
    code: str
    entity_type: str = "user"
    device: str | None = None
    delivery: Delivery = "body"


class SignInByMessageDoor:
    """The door for links and codes."""

    def __init__(self, sign_in: SignInByMessage, identities: Identities) -> None:
        self._sign_in = sign_in
        self._identities = identities

    async def send_link(self, request: Request) -> Answer:
        """Send a link, if there is somebody to send it to."""
        body: SendBody = request.body
        await self._sign_in.send_link(
            body.entity_type, body.identifier, origin=origin_of(request), now=request.now
        )
        return Answer(202)

    async def send_code(self, request: Request) -> Answer:
        """Send a code, if there is somebody to send it to."""
        body: SendBody = request.body
        await self._sign_in.send_code(
            body.entity_type, body.identifier, origin=origin_of(request), now=request.now
        )
        return Answer(202)

    async def confirm_link(self, request: Request) -> Answer:
        """Sign in with a link."""
        body: LinkBody = request.body
        device = device_of(request, body.device, body.delivery)
        outcome = await self._sign_in.with_link(
            Secret(body.token), device=device, origin=origin_of(request), now=request.now
        )
        return await self._answer(outcome, body.delivery)

    async def confirm_code(self, request: Request) -> Answer:
        """Sign in with a code."""
        body: CodeBody = request.body
        device = device_of(request, body.device, body.delivery)
        attempt = CodeSignIn(body.entity_type, body.identifier, Secret(body.code), device)
        outcome = await self._sign_in.with_code(attempt, origin=origin_of(request), now=request.now)
        return await self._answer(outcome, body.delivery)

    async def _answer(self, outcome: SignedIn | FactorRequired | Refused, delivery: Delivery) -> Answer:
        if isinstance(outcome, Refused):
            locked = outcome.reason is Refusal.LOCKED
            code = ProblemCode.TOO_MANY_ATTEMPTS if locked else ProblemCode.INVALID_CREDENTIALS
            raise HttpProblem(code, retry_after=outcome.retry_after)
        return sign_in_answer(outcome, await signed_in_as(outcome, self._identities), delivery)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        sends = (
            ("link", self.send_link, "Send a link to sign in with", "An e-mail address"),
            ("code", self.send_code, "Send a code to sign in with", "An e-mail address or phone number"),
        )
        confirms = (
            ("link", self.confirm_link, LinkBody, "Sign in with a link"),
            ("code", self.confirm_code, CodeBody, "Sign in with a code"),
        )
        return (
            *(
                Route(
                    method="POST",
                    path=f"/v1/login/{kind}",
                    handler=send,
                    guard=PUBLIC,
                    summary=summary,
                    description=(
                        f"{where} gets it only when its owner has proven that it is theirs. The answer is the same,"
                        " whether it is known, unknown, unproven or disabled."
                    ),
                    tag=_TAG,
                    body=SendBody,
                    answers={202: None},
                    limit=_SENDING,
                )
                for kind, send, summary, where in sends
            ),
            *(
                Route(
                    method="POST",
                    path=f"/v1/login/{kind}/confirm",
                    handler=confirm,
                    guard=PUBLIC,
                    summary=summary,
                    tag=_TAG,
                    body=body,
                    answers={200: SignInBody},
                    problems=_PROBLEMS,
                    limit=CONFIRMING,
                )
                for kind, confirm, body, summary in confirms
            ),
        )
