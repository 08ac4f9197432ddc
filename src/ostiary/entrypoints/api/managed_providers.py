"""Providers that keep passwords: registering there, confirming, and signing in with what they keep."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from ostiary.entrypoints.api.bodies import SignInBody
from ostiary.entrypoints.api.callers import origin_of
from ostiary.entrypoints.api.sign_in import SIGN_IN_PROBLEMS, LoginBody, answer_sign_in, attempt_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route
from ostiary.features.managed_registration import NewManagedAccount
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.identities import Identities
    from ostiary.features.managed_registration import ManagedRegistration
    from ostiary.features.sign_in import ManagedSignIn, SignIn

_TAG = "Upstream providers and the vault"
_MINUTE = timedelta(minutes=1)
_LONGEST_CODE = 512


class ManagedRegisterBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An address and a password for an account at the provider, and names for it."""

    email: str
    password: str
    entity_type: str = "user"
    profile: dict[str, Any] = field(default_factory=dict)


class ManagedConfirmBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An address, and the code that the provider sent there."""

    email: str
    code: str
    entity_type: str = "user"


class ManagedResendBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An address that has yet to be confirmed; Firebase wants the password as well."""

    email: str
    entity_type: str = "user"
    password: str | None = None


class ManagedRegisteredBody(Struct, frozen=True):
    """Whether the address has to be confirmed before anybody signs in."""

    needs_confirmation: bool


class ManagedProvidersDoor:
    """The door to passwords that providers keep."""

    def __init__(
        self,
        registration: ManagedRegistration,
        managed_sign_in: ManagedSignIn,
        sign_in: SignIn,
        identities: Identities,
    ) -> None:
        self._registration = registration
        self._managed_sign_in = managed_sign_in
        self._sign_in = sign_in
        self._identities = identities

    async def register(self, request: Request) -> Answer:
        """Make an account at the provider."""
        body: ManagedRegisterBody = request.body
        wish = NewManagedAccount(
            request.parameters["name"], body.entity_type, body.email, Secret(body.password), body.profile
        )
        made = await self._registration.register(wish, origin=origin_of(request), now=request.now)
        return Answer(202, ManagedRegisteredBody(made.needs_confirmation))

    async def confirm(self, request: Request) -> Answer:
        """Confirm an address at the provider."""
        body: ManagedConfirmBody = request.body
        if len(body.code) > _LONGEST_CODE:
            raise HttpProblem(ProblemCode.INVALID_CREDENTIALS)
        wait = await self._registration.confirm(
            request.parameters["name"],
            body.entity_type,
            body.email,
            Secret(body.code),
            origin=origin_of(request),
            now=request.now,
        )
        if wait is not None:
            raise HttpProblem(ProblemCode.TOO_MANY_ATTEMPTS, retry_after=wait)
        return Answer(204)

    async def resend(self, request: Request) -> Answer:
        """Have the provider send again what confirms an address."""
        body: ManagedResendBody = request.body
        await self._registration.resend(
            request.parameters["name"],
            body.entity_type,
            body.email,
            Secret(body.password) if body.password is not None else None,
            origin=origin_of(request),
            now=request.now,
        )
        return Answer(202)

    async def login(self, request: Request) -> Answer:
        """Sign in with the password that the provider keeps."""
        body: LoginBody = request.body
        provider, attempt = request.parameters["name"], attempt_of(request, body)
        origin, now = origin_of(request), request.now
        if provider == self._managed_sign_in.managed_by:
            # Who has a password here by now signs in with that at both doors, and with no other.
            outcome = await self._sign_in.with_password(attempt, origin=origin, now=now)
        else:
            outcome = await self._managed_sign_in.with_password(provider, attempt, origin=origin, now=now)
        return await answer_sign_in(outcome, self._identities, body.delivery)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="POST",
                path="/v1/providers/{name}/register",
                handler=self.register,
                guard=PUBLIC,
                summary="Register at a provider that keeps passwords",
                description=(
                    "The provider makes the account, and sends what confirms its address. Nobody is made here before they"
                    " sign in. Where registration proves addresses first, an address that is taken is answered like a new"
                    " one."
                ),
                tag=_TAG,
                body=ManagedRegisterBody,
                answers={202: ManagedRegisteredBody},
                problems=(
                    ProblemCode.NOT_FOUND,
                    ProblemCode.REGISTRATION_CLOSED,
                    ProblemCode.IDENTIFIER_TAKEN,
                    ProblemCode.PASSWORD_UNACCEPTABLE,
                    ProblemCode.TOO_MANY_ATTEMPTS,
                ),
                limit=AddressLimit("register at a provider", Rate(30, _MINUTE)),
            ),
            Route(
                method="POST",
                path="/v1/providers/{name}/register/confirm",
                handler=self.confirm,
                guard=PUBLIC,
                summary="Confirm an address at a provider that keeps passwords",
                description="The code is the provider's: Cognito's digits, or the `oobCode` of Firebase's link.",
                tag=_TAG,
                body=ManagedConfirmBody,
                answers={204: None},
                problems=(
                    ProblemCode.NOT_FOUND,
                    ProblemCode.REGISTRATION_CLOSED,
                    ProblemCode.INVALID_CREDENTIALS,
                    ProblemCode.WRONG_STATE,
                    ProblemCode.TOO_MANY_ATTEMPTS,
                ),
                limit=AddressLimit("confirm at a provider", Rate(60, _MINUTE)),
            ),
            Route(
                method="POST",
                path="/v1/providers/{name}/register/resend",
                handler=self.resend,
                guard=PUBLIC,
                summary="Have a provider send again what confirms an address",
                description="The answer is the same, whether the provider knows the address or not.",
                tag=_TAG,
                body=ManagedResendBody,
                answers={202: None},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.REGISTRATION_CLOSED),
                limit=AddressLimit("resend at a provider", Rate(30, _MINUTE)),
            ),
            Route(
                method="POST",
                path="/v1/providers/{name}/login",
                handler=self.login,
                guard=PUBLIC,
                summary="Sign in with a password that a provider keeps",
                description=(
                    "Counted against the same budget as every other proof, and refused alike for every identifier. At the"
                    " provider that keeps the passwords of accounts without one here, this is `POST /v1/login`."
                ),
                tag=_TAG,
                body=LoginBody,
                answers={200: SignInBody},
                problems=(ProblemCode.NOT_FOUND, *SIGN_IN_PROBLEMS),
                limit=AddressLimit("login", Rate(120, _MINUTE)),
            ),
        )
