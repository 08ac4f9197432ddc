"""Signing in, refreshing, signing out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from ostiary.entrypoints.api.bodies import (
    FORGET_COOKIES,
    Delivery,
    SignInBody,
    TokensBody,
    sign_in_answer,
    tokens_answer,
)
from ostiary.entrypoints.api.callers import caller_of, device_of, origin_of, signed_in_as
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route, signed_in
from ostiary.features.sessions import Refusal as SessionRefusal
from ostiary.features.sessions import Refused as RefreshRefused
from ostiary.features.sign_in import PasswordSignIn, Refusal, Refused
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.account import Account
    from ostiary.features.flows import FactorRequired, SignedIn
    from ostiary.features.identities import Identities
    from ostiary.features.sessions import Sessions
    from ostiary.features.sign_in import SignIn

_TAG = "Registration and sign-in"
_FACTOR_MISSING = "This account needs a second factor by now: sign in again, and prove one."
_CODES = {
    Refusal.LOCKED: ProblemCode.TOO_MANY_ATTEMPTS,
    Refusal.AWAITS_APPROVAL: ProblemCode.ACCOUNT_PENDING,
    Refusal.PASSWORD_CHANGE_REQUIRED: ProblemCode.PASSWORD_CHANGE_REQUIRED,
    Refusal.PROVIDER_WANTS_MORE: ProblemCode.PROVIDER_STEP_REQUIRED,
    Refusal.NOT_ADMITTED: ProblemCode.NOT_ADMITTED,
    Refusal.SIGN_IN_FIRST: ProblemCode.SIGN_IN_FIRST,
}
SIGN_IN_PROBLEMS = (
    ProblemCode.INVALID_CREDENTIALS,
    ProblemCode.TOO_MANY_ATTEMPTS,
    ProblemCode.ACCOUNT_PENDING,
    ProblemCode.NOT_ADMITTED,
    ProblemCode.SIGN_IN_FIRST,
    ProblemCode.PASSWORD_CHANGE_REQUIRED,
    ProblemCode.PROVIDER_STEP_REQUIRED,
    ProblemCode.PASSWORD_UNACCEPTABLE,
)
"""What a sign-in with a password is refused with; three of them only where a provider keeps passwords."""


class LoginBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An e-mail address or phone number and its password.

    `new_password` where a change is demanded; `device` is the secret of a remembered device.
    """

    identifier: str
    password: str
    entity_type: str = "user"
    new_password: str | None = None
    device: str | None = None
    delivery: Delivery = "body"


class RefreshBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token, unless a cookie carries it."""

    refresh_token: str | None = None


class LogoutBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A refresh token whose session is to end too, if it is another one."""

    refresh_token: str | None = None


class LogoutAllBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the session that asks goes on."""

    keep_current: bool = False


def attempt_of(request: Request, body: LoginBody) -> PasswordSignIn:
    """Read an attempt to sign in. Raises `HttpProblem` when another site asks for cookies (SES-09)."""
    return PasswordSignIn(
        entity_type=body.entity_type,
        identifier=body.identifier,
        password=Secret(body.password),
        new_password=Secret(body.new_password) if body.new_password is not None else None,
        device=device_of(request, body.device, body.delivery),
    )


async def answer_sign_in(
    outcome: SignedIn | FactorRequired | Refused, identities: Identities, delivery: Delivery
) -> Answer:
    """Answer an attempt to sign in. Raises `HttpProblem` for one that was refused."""
    if isinstance(outcome, Refused):
        code = _CODES.get(outcome.reason, ProblemCode.INVALID_CREDENTIALS)
        raise HttpProblem(code, retry_after=outcome.retry_after)
    return sign_in_answer(outcome, await signed_in_as(outcome, identities), delivery)


class SignInDoor:
    """The door people sign in and out by."""

    def __init__(self, sign_in: SignIn, sessions: Sessions, account: Account, identities: Identities) -> None:
        self._sign_in = sign_in
        self._sessions = sessions
        self._account = account
        self._identities = identities

    async def login(self, request: Request) -> Answer:
        """Sign in with a password."""
        body: LoginBody = request.body
        attempt = attempt_of(request, body)
        outcome = await self._sign_in.with_password(attempt, origin=origin_of(request), now=request.now)
        return await answer_sign_in(outcome, self._identities, body.delivery)

    async def refresh(self, request: Request) -> Answer:
        """Exchange a refresh token."""
        body: RefreshBody = request.body
        presented, delivery = body.refresh_token, "body"
        if presented is None:
            presented, delivery = request.cookies.refresh, "cookie"
            request.require_same_site()
        if presented is None:
            raise HttpProblem(ProblemCode.INVALID_REFRESH_TOKEN)
        outcome = await self._sessions.rotate(Secret(presented), origin=origin_of(request), now=request.now)
        if isinstance(outcome, RefreshRefused):
            missing = outcome.reason is SessionRefusal.FACTOR_MISSING
            raise HttpProblem(ProblemCode.INVALID_REFRESH_TOKEN, _FACTOR_MISSING if missing else None)
        return tokens_answer(outcome.tokens, "body" if delivery == "body" else "cookie")

    async def logout(self, request: Request) -> Answer:
        """End the session that asks."""
        body: LogoutBody = request.body
        presented = body.refresh_token or request.cookies.refresh
        await self._account.log_out(
            caller_of(request), refresh_token=Secret(presented) if presented else None, now=request.now
        )
        return Answer(204, cookies=FORGET_COOKIES if request.cookies.carried else ())

    async def logout_all(self, request: Request) -> Answer:
        """End every session, or every other one."""
        body: LogoutAllBody = request.body
        await self._account.log_out_everywhere(
            caller_of(request), keep_current=body.keep_current, now=request.now
        )
        forget = request.cookies.carried and not body.keep_current
        return Answer(204, cookies=FORGET_COOKIES if forget else ())

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="POST",
                path="/v1/login",
                handler=self.login,
                guard=PUBLIC,
                summary="Sign in with a password",
                description=(
                    "Every refusal of a proof looks the same, whether the identifier is known, unknown or disabled."
                ),
                tag=_TAG,
                body=LoginBody,
                answers={200: SignInBody},
                problems=SIGN_IN_PROBLEMS,
                limit=AddressLimit("login", Rate(120, timedelta(minutes=1))),
            ),
            Route(
                method="POST",
                path="/v1/refresh",
                handler=self.refresh,
                guard=PUBLIC,
                summary="Exchange a refresh token",
                description=(
                    "Repeating the request within the grace time gives the same successor; replaying a spent token"
                    " after it ends the session."
                ),
                tag=_TAG,
                body=RefreshBody,
                answers={200: TokensBody},
                problems=(ProblemCode.INVALID_REFRESH_TOKEN,),
                limit=AddressLimit("refresh", Rate(6000, timedelta(minutes=1)), in_memory=True),
            ),
            Route(
                method="POST",
                path="/v1/logout",
                handler=self.logout,
                guard=signed_in(),
                summary="Sign out",
                description="The access token is refused from the next request on.",
                tag=_TAG,
                body=LogoutBody,
                answers={204: None},
            ),
            Route(
                method="POST",
                path="/v1/logout-all",
                handler=self.logout_all,
                guard=signed_in(recent=True),
                summary="Sign out everywhere",
                tag=_TAG,
                body=LogoutAllBody,
                answers={204: None},
            ),
        )
