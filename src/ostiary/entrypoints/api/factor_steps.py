"""The steps between a first proof and a session: enrolling, asking for a code, showing a second factor."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct

from ostiary.entrypoints.api.bodies import Delivery, FactorMethod, SignedInBody, shown_factor, sign_in_answer
from ostiary.entrypoints.api.callers import origin_of, signed_in_as
from ostiary.entrypoints.api.factors import EnrolmentBody
from ostiary.entrypoints.api.passkeys import CeremonyBody
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route
from ostiary.features.flows import Factor, Step, StepRefused
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.flows import FactorSteps
    from ostiary.features.identities import Identities

_TAG: Final = "Registration and sign-in"
_PER_MINUTE: Final = timedelta(minutes=1)
_PROBLEMS: Final = (ProblemCode.INVALID_CREDENTIALS, ProblemCode.TOO_MANY_ATTEMPTS)


class FactorStepBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The flow, and the factor it waits for: its `code`, or a passkey's `ceremony` and `credential`.

    `remember_device` asks not to be asked again on this one for a while.
    """

    flow: str
    method: FactorMethod
    code: str | None = None
    ceremony: str | None = None
    credential: dict[str, Any] | None = None
    remember_device: bool = False
    delivery: Delivery = "body"


class SendFactorBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The flow, and which way the code shall go."""

    flow: str
    method: Literal["email", "sms"]


class FlowBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The flow that waits for a passkey, or for another factor."""

    flow: str


class EnrolBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The flow of somebody who must have a second factor, and what it shall be."""

    flow: str
    method: Literal["totp"]


class FactorStepsDoor:
    """The door for whoever has given a first proof."""

    def __init__(self, steps: FactorSteps, identities: Identities) -> None:
        self._steps = steps
        self._identities = identities

    async def finish(self, request: Request) -> Answer:
        """Show a second factor."""
        body: FactorStepBody = request.body
        if body.delivery == "cookie":
            request.require_same_site()
        step = Step(
            Secret(body.flow),
            shown_factor(body.method, body.code, body.ceremony, body.credential),
            body.remember_device,
        )
        outcome = await self._steps.finish(step, origin=origin_of(request), now=request.now)
        if isinstance(outcome, StepRefused):
            raise _refusal(outcome)
        return sign_in_answer(outcome, await signed_in_as(outcome, self._identities), body.delivery)

    async def send(self, request: Request) -> Answer:
        """Send a code."""
        body: SendFactorBody = request.body
        refused = await self._steps.send(
            Secret(body.flow), Factor(body.method), origin=origin_of(request), now=request.now
        )
        if refused is not None:
            raise _refusal(refused)
        return Answer(202)

    async def passkey(self, request: Request) -> Answer:
        """Begin to use a passkey."""
        body: FlowBody = request.body
        outcome = await self._steps.begin_passkey(Secret(body.flow), now=request.now)
        if isinstance(outcome, StepRefused):
            raise _refusal(outcome)
        return Answer(200, CeremonyBody.of(outcome))

    async def enrol(self, request: Request) -> Answer:
        """Begin an authenticator app."""
        body: EnrolBody = request.body
        outcome = await self._steps.enrol(Secret(body.flow), Factor(body.method), now=request.now)
        if isinstance(outcome, StepRefused):
            raise _refusal(outcome)
        return Answer(200, EnrolmentBody.of(outcome))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="POST",
                path="/v1/login/factor",
                handler=self.finish,
                guard=PUBLIC,
                summary="Show a second factor",
                description=(
                    "Finishes a sign-in that answered `factor_required`. A wrong code leaves the flow open for another"
                    " try; it ends after ten minutes, and with whatever changes the account's proofs."
                ),
                tag=_TAG,
                body=FactorStepBody,
                answers={200: SignedInBody},
                problems=_PROBLEMS,
                limit=AddressLimit("login factor", Rate(120, _PER_MINUTE)),
            ),
            Route(
                method="POST",
                path="/v1/login/factor/send",
                handler=self.send,
                guard=PUBLIC,
                summary="Send a code as second factor",
                tag=_TAG,
                body=SendFactorBody,
                answers={202: None},
                problems=_PROBLEMS,
                limit=AddressLimit("sign-in messages", Rate(60, _PER_MINUTE)),
            ),
            Route(
                method="POST",
                path="/v1/login/factor/passkey",
                handler=self.passkey,
                guard=PUBLIC,
                summary="Begin to use a passkey as second factor",
                tag=_TAG,
                body=FlowBody,
                answers={200: CeremonyBody},
                problems=_PROBLEMS,
                limit=AddressLimit("login factor", Rate(120, _PER_MINUTE)),
            ),
            Route(
                method="POST",
                path="/v1/login/enrol",
                handler=self.enrol,
                guard=PUBLIC,
                summary="Make the second factor that is demanded",
                description=(
                    "For a sign-in that answered `factor_required` with something to `enrol`. The factor counts once its"
                    " first code is shown at /v1/login/factor."
                ),
                tag=_TAG,
                body=EnrolBody,
                answers={200: EnrolmentBody},
                problems=_PROBLEMS,
                limit=AddressLimit("login factor", Rate(120, _PER_MINUTE)),
            ),
        )


def _refusal(refused: StepRefused) -> HttpProblem:
    """Say no, in the same words whatever was wrong with the flow or the factor."""
    code = ProblemCode.TOO_MANY_ATTEMPTS if refused.retry_after else ProblemCode.INVALID_CREDENTIALS
    return HttpProblem(code, retry_after=refused.retry_after)
