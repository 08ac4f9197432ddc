"""Exchanging what another system handed out."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from ostiary.entrypoints.api.bodies import Delivery, FactorRequiredBody, SignedInBody, sign_in_answer
from ostiary.entrypoints.api.callers import device_of, origin_of, signed_in_as
from ostiary.entrypoints.api.sign_in_by_message import CONFIRMING
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, Route
from ostiary.features.challenges import Reissued
from ostiary.features.sign_in import Refused
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.identities import Identities
    from ostiary.features.sign_in import LegacySignIn


class LegacyTokenBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The token as the other system gave it; `device` is the secret of a remembered device."""

    token: str
    device: str | None = None
    delivery: Delivery = "body"


class ReissuedBody(Struct, frozen=True):
    """What the link was for, and the token that takes the place of its own, to be sent to the route for that."""

    purpose: str
    token: str
    expires_at: datetime


class LinkExchangedBody(Struct, frozen=True, tag_field="status", tag="challenge"):
    """The token was of a link: nobody is signed in."""

    challenge: ReissuedBody


class LegacyDoor:
    """The door for whoever comes from another system."""

    def __init__(self, sign_in: LegacySignIn, identities: Identities) -> None:
        self._sign_in = sign_in
        self._identities = identities

    async def exchange(self, request: Request) -> Answer:
        """Exchange a token of another system."""
        body: LegacyTokenBody = request.body
        outcome = await self._sign_in.exchange(
            Secret(body.token),
            device=device_of(request, body.device, body.delivery),
            origin=origin_of(request),
            now=request.now,
        )
        if isinstance(outcome, Refused):
            raise HttpProblem(ProblemCode.INVALID_CREDENTIALS)
        if isinstance(outcome, Reissued):
            reissued = ReissuedBody(outcome.purpose, outcome.token.reveal(), outcome.expires_at)
            return Answer(200, LinkExchangedBody(reissued))
        return sign_in_answer(outcome, await signed_in_as(outcome, self._identities), body.delivery)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="POST",
                path="/v1/legacy/exchange",
                handler=self.exchange,
                guard=PUBLIC,
                summary="Exchange a token of the system before",
                description=(
                    "For sessions and links that were taken over from another system, once each. The token of a session"
                    " gives a session here, which was proven when that one was and lives no longer; where a second factor"
                    " is asked for, it is asked for here too. The token of a link gives the token of a link here, for the"
                    " route of its purpose. Every refusal looks the same: unknown, used, expired or ended."
                ),
                tag="Registration and sign-in",
                body=LegacyTokenBody,
                answers={200: SignedInBody | FactorRequiredBody | LinkExchangedBody},
                problems=(ProblemCode.INVALID_CREDENTIALS,),
                limit=CONFIRMING,
            ),
        )
