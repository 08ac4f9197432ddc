"""Registering, at once or when an address is proven, and the first administrator."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, Struct, UnsetType, field

from ostiary.entrypoints.api.bodies import Delivery, IdentityBody, SignInBody, sign_in_answer
from ostiary.entrypoints.api.callers import locale_of, origin_of, signed_in_as
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route
from ostiary.features.provisioning import AwaitsApproval
from ostiary.features.registration import AwaitsProof, NewAccount, PasswordChoice
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.flows import FactorRequired, SignedIn
    from ostiary.features.identities import Identities
    from ostiary.features.outbox import Renderer
    from ostiary.features.registration import Registration, VerifyFirst

_TAG: Final = "Registration and sign-in"


class RegisterBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Register with an e-mail address, a phone number, or both."""

    email: str | None = None
    phone: str | None = None
    password: str | None = None
    entity_type: str = "user"
    profile: dict[str, Any] = field(default_factory=dict)
    delivery: Delivery = "body"


class ConfirmRegistrationBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The token of a link, or the code sent to a phone; and the flow of the client that registered.

    `password` is needed where the flow is not known; null is to have none, and to sign in by link or passkey.
    """

    token: str | None = None
    code: str | None = None
    flow: str | None = None
    password: str | UnsetType | None = UNSET
    delivery: Delivery = "body"


class BootstrapBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The one-time token from the server's first start, and the administrator's credentials."""

    token: str
    email: str
    password: str
    delivery: Delivery = "body"


class ProofAwaitedBody(Struct, frozen=True, tag_field="status", tag="proof_awaited"):
    """Something was sent to the address; `flow` is for the client that registered, to be shown with the proof."""

    flow: str


class ApprovalAwaitedBody(Struct, frozen=True, tag_field="status", tag="approval_awaited"):
    """The account exists, and an operator has yet to approve it."""

    identity: IdentityBody


async def arrival_answer(
    outcome: SignedIn | FactorRequired | AwaitsApproval,
    identities: Identities,
    delivery: Delivery,
    *,
    status: int,
) -> Answer:
    """Answer somebody whose account was just made."""
    if isinstance(outcome, AwaitsApproval):
        return Answer(202, ApprovalAwaitedBody(IdentityBody.of(await identities.get(outcome.identity_id))))
    return sign_in_answer(outcome, await signed_in_as(outcome, identities), delivery, status=status)


class RegistrationDoor:
    """The door newcomers use."""

    def __init__(
        self,
        registration: Registration,
        verify_first: VerifyFirst,
        identities: Identities,
        renderer: Renderer,
    ) -> None:
        self._registration = registration
        self._renderer = renderer
        self._verify_first = verify_first
        self._identities = identities

    async def register(self, request: Request) -> Answer:
        """Register and sign in, or ask for the proof of an address."""
        body: RegisterBody = request.body
        if body.delivery == "cookie":
            request.require_same_site()
        account = NewAccount(
            entity_type=body.entity_type,
            email=body.email,
            phone=body.phone,
            password=Secret(body.password) if body.password is not None else None,
            profile=body.profile,
            locale=locale_of(request, self._renderer.knows),
        )
        outcome = await self._registration.register(account, origin=origin_of(request), now=request.now)
        if isinstance(outcome, AwaitsProof):
            return Answer(202, ProofAwaitedBody(outcome.flow.reveal()))
        return await arrival_answer(outcome, self._identities, body.delivery, status=201)

    async def confirm(self, request: Request) -> Answer:
        """Make the account whose address was proven, and sign in."""
        body: ConfirmRegistrationBody = request.body
        if body.delivery == "cookie":
            request.require_same_site()
        flow = Secret(body.flow) if body.flow is not None else None
        choice = PasswordChoice(
            Secret(body.password) if isinstance(body.password, str) else None, declined=body.password is None
        )
        about: dict[str, Any] = {"choice": choice, "origin": origin_of(request), "now": request.now}
        if body.token is not None and body.code is None:
            outcome = await self._verify_first.confirm(Secret(body.token), flow=flow, **about)
        elif body.code is not None and body.token is None and flow is not None:
            outcome = await self._verify_first.confirm_code(Secret(body.code), flow=flow, **about)
        else:
            detail = "Send the token of the link, or the code together with the flow."
            raise HttpProblem(ProblemCode.INVALID_REQUEST, errors=[FieldError("token", "missing", detail)])
        return await arrival_answer(outcome, self._identities, body.delivery, status=200)

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
        return await arrival_answer(outcome, self._identities, body.delivery, status=201)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="POST",
                path="/v1/register",
                handler=self.register,
                guard=PUBLIC,
                summary="Register and sign in",
                description=(
                    "Where addresses are proven first, the answer is 202 for known and unknown addresses alike."
                ),
                tag=_TAG,
                body=RegisterBody,
                answers={201: SignInBody, 202: ProofAwaitedBody | ApprovalAwaitedBody},
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
                path="/v1/register/confirm",
                handler=self.confirm,
                guard=PUBLIC,
                summary="Prove the address one registered with, and sign in",
                tag=_TAG,
                body=ConfirmRegistrationBody,
                answers={200: SignInBody, 202: ApprovalAwaitedBody},
                problems=(
                    ProblemCode.INVALID_CREDENTIALS,
                    ProblemCode.PASSWORD_NEEDED,
                    ProblemCode.PASSWORD_UNACCEPTABLE,
                    ProblemCode.IDENTIFIER_TAKEN,
                ),
                limit=AddressLimit("confirm registration", Rate(60, timedelta(minutes=1))),
            ),
            Route(
                method="POST",
                path="/v1/bootstrap",
                handler=self.bootstrap,
                guard=PUBLIC,
                summary="Make the first administrator",
                description="Takes the one-time token that the server printed when it first started.",
                tag=_TAG,
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
