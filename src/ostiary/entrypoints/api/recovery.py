"""A way back for whoever forgot their password."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ostiary.entrypoints.api.callers import origin_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route
from ostiary.features.recovery import CodeReset, LinkReset
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.recovery import Recovery

_TAG: Final = "Verification and recovery"


class ForgotBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The e-mail address or phone number whose owner forgot the password."""

    identifier: str
    entity_type: str = "user"


class ResetBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The new password, and what was sent: the `token` of a link, or a `code` with the identifier it was sent to."""

    new_password: str
    token: str | None = None
    identifier: str | None = None
    entity_type: str = "user"
    code: str | None = None


class RecoveryDoor:
    """The door for whoever forgot."""

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery

    async def forgot(self, request: Request) -> Answer:
        """Send a link or a code, if there is somebody to send it to."""
        body: ForgotBody = request.body
        await self._recovery.ask(
            body.entity_type, body.identifier, origin=origin_of(request), now=request.now
        )
        return Answer(202)

    async def reset(self, request: Request) -> Answer:
        """Set a new password."""
        body: ResetBody = request.body
        refused = await self._recovery.reset(
            _proof(body),
            new_password=Secret(body.new_password),
            origin=origin_of(request),
            now=request.now,
        )
        if refused is None:
            return Answer(204)
        code = ProblemCode.TOO_MANY_ATTEMPTS if refused.retry_after else ProblemCode.INVALID_CREDENTIALS
        raise HttpProblem(code, retry_after=refused.retry_after)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="POST",
                path="/v1/password/forgot",
                handler=self.forgot,
                guard=PUBLIC,
                summary="Forgot the password",
                description=(
                    "An e-mail address is sent a link, a phone number a code. The answer is the same, whether the"
                    " identifier is known, unknown or disabled."
                ),
                tag=_TAG,
                body=ForgotBody,
                answers={202: None},
                limit=AddressLimit("forgot password", Rate(60, timedelta(minutes=1))),
            ),
            Route(
                method="POST",
                path="/v1/password/reset",
                handler=self.reset,
                guard=PUBLIC,
                summary="Set a new password",
                description=(
                    "Ends every session and signs nobody in; second factors stay. A password that is not acceptable"
                    " leaves the link as it was."
                ),
                tag=_TAG,
                body=ResetBody,
                answers={204: None},
                problems=(
                    ProblemCode.INVALID_CREDENTIALS,
                    ProblemCode.TOO_MANY_ATTEMPTS,
                    ProblemCode.PASSWORD_UNACCEPTABLE,
                ),
                limit=AddressLimit("reset password", Rate(60, timedelta(minutes=1))),
            ),
        )


def _proof(body: ResetBody) -> LinkReset | CodeReset:
    """Read which proof a body brings: one of the two, and no half of the other."""
    if body.token is not None and body.code is None and body.identifier is None:
        return LinkReset(Secret(body.token))
    if body.token is None and body.code is not None and body.identifier is not None:
        return CodeReset(body.entity_type, body.identifier, Secret(body.code))
    expected = "Send the token of the link, or the code together with the identifier it was sent to."
    error = FieldError("token", ProblemCode.INVALID_REQUEST.value, expected)
    raise HttpProblem(ProblemCode.INVALID_REQUEST, errors=[error])
