"""Refusals as the outside sees them: public codes, their wording, and the folding of our own errors.

One table says what each public code means; another folds every expected exception into one of those codes.
Whatever is in neither is `internal_error`: logged with its traceback, answered without a detail.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from ostiary.entrypoints.http.answers import Answer, Headers
from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.verifier import InvalidToken, RevokedToken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class ProblemCode(StrEnum):
    """Every public code; programs branch on these, so a code never changes its meaning."""

    MALFORMED_JSON = "malformed_json"
    INVALID_REQUEST = "invalid_request"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a public code, not a secret
    INVALID_CREDENTIALS = "invalid_credentials"
    INVALID_REFRESH_TOKEN = "invalid_refresh_token"  # noqa: S105 - a public code, not a secret
    FORBIDDEN = "forbidden"
    REAUTHENTICATION_REQUIRED = "reauthentication_required"
    SECOND_FACTOR_REQUIRED = "second_factor_required"
    CROSS_SITE_REQUEST = "cross_site_request"
    PASSWORD_CHANGE_REQUIRED = "password_change_required"  # noqa: S105 - a public code, not a secret
    PASSWORD_NEEDED = "password_needed"  # noqa: S105 - a public code, not a secret
    ACCOUNT_PENDING = "account_pending"
    PROVIDER_STEP_REQUIRED = "provider_step_required"
    REGISTRATION_CLOSED = "registration_closed"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    IDENTIFIER_TAKEN = "identifier_taken"
    SIGN_IN_FIRST = "sign_in_first"
    NOT_ADMITTED = "not_admitted"
    LAST_WAY_IN = "last_way_in"
    MERGE_REFUSED = "merge_refused"
    PASSKEY_REFUSED = "passkey_refused"
    FACTOR_UNAVAILABLE = "factor_unavailable"
    FACTOR_DEMANDED = "factor_demanded"
    NOT_PENDING = "not_pending"
    LAST_OPERATOR = "last_operator"
    OWN_ACCOUNT = "own_account"
    ROLE_DECLARED = "role_declared"
    WRONG_STATE = "wrong_state"
    NO_TOKENS = "no_tokens"
    NEEDS_RECONNECTION = "needs_reconnection"
    SCOPE_NOT_GRANTED = "scope_not_granted"
    ONBOARDING_CONFLICT = "onboarding_conflict"
    ONBOARDING_INCOMPLETE = "onboarding_incomplete"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    PASSWORD_UNACCEPTABLE = "password_unacceptable"  # noqa: S105 - a public code, not a secret
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"

    @property
    def slug(self) -> str:
        """The code as it stands in an address."""
        return self.value.replace("_", "-")


class Problem(NamedTuple):
    """What a public code means: its HTTP status, its short title, and what to do about it."""

    status: int
    title: str
    detail: str


PROBLEMS: Final[Mapping[ProblemCode, Problem]] = MappingProxyType(
    {
        ProblemCode.MALFORMED_JSON: Problem(
            400,
            "Malformed JSON",
            "The body is not valid JSON: UTF-8, every name once in its object, whole numbers of at most 53 bits, "
            "at most 32 levels deep, no NUL character.",
        ),
        ProblemCode.INVALID_REQUEST: Problem(
            400, "Invalid request", "The request does not have the expected form; `errors` names the fields."
        ),
        ProblemCode.UNAUTHENTICATED: Problem(
            401, "Not signed in", "This address needs an access token: sign in, then send it."
        ),
        ProblemCode.INVALID_TOKEN: Problem(
            401,
            "Invalid access token",
            "The access token is expired, ended or not ours: refresh it or sign in again.",
        ),
        ProblemCode.INVALID_CREDENTIALS: Problem(
            401, "Invalid credentials", "The identifier and the proof do not belong together."
        ),
        ProblemCode.INVALID_REFRESH_TOKEN: Problem(
            401, "Invalid refresh token", "The refresh token is expired, spent or not ours: sign in again."
        ),
        ProblemCode.FORBIDDEN: Problem(403, "Forbidden", "This account may not do that."),
        ProblemCode.REAUTHENTICATION_REQUIRED: Problem(
            403,
            "Recent sign-in needed",
            "Prove again who you are at /v1/me/reauthenticate, then repeat the request.",
        ),
        ProblemCode.SECOND_FACTOR_REQUIRED: Problem(
            403,
            "Second factor needed",
            "Prove a second factor at /v1/me/reauthenticate, then repeat the request; "
            "enrol one at /v1/me/factors first if there is none.",
        ),
        ProblemCode.CROSS_SITE_REQUEST: Problem(
            403,
            "Request from another site",
            "The request did not come from this site or an allowed origin, or did not say where it came from: "
            "send an Origin header, and list other origins in OSTIARY_ALLOWED_ORIGINS.",
        ),
        ProblemCode.PASSWORD_CHANGE_REQUIRED: Problem(
            403,
            "New password needed",
            "The password must be changed: sign in with it and a `new_password`, or use the password reset.",
        ),
        ProblemCode.PASSWORD_NEEDED: Problem(
            403,
            "Password needed",
            "This client did not register the account: send a `password`, or null to have none.",
        ),
        ProblemCode.ACCOUNT_PENDING: Problem(
            403, "Awaiting approval", "An operator has yet to approve this account."
        ),
        ProblemCode.PROVIDER_STEP_REQUIRED: Problem(
            403,
            "The provider asks for more",
            "The provider that keeps this password asks for another step, such as a second factor or a new password: "
            "sign in on its own pages, or reset the password.",
        ),
        ProblemCode.REGISTRATION_CLOSED: Problem(
            403,
            "Registration is closed",
            "Accounts are made by invitation only: ask an administrator for one.",
        ),
        ProblemCode.NOT_ADMITTED: Problem(
            403,
            "Not let in",
            "The provider knows who this is, and there is no account here that it opens: ask the operator.",
        ),
        ProblemCode.SIGN_IN_FIRST: Problem(
            409,
            "Sign in first",
            "There is an account with this address here: sign in to it the way you did before, then link the provider "
            "in its settings.",
        ),
        ProblemCode.LAST_WAY_IN: Problem(
            409, "Last way in", "Without this account its owner could not sign in any more."
        ),
        ProblemCode.MERGE_REFUSED: Problem(
            409, "Accounts not merged", "These two accounts do not become one; nothing was changed."
        ),
        ProblemCode.NOT_FOUND: Problem(404, "Not found", "There is nothing at this address."),
        ProblemCode.METHOD_NOT_ALLOWED: Problem(
            405, "Method not allowed", "The Allow header names the methods of this address."
        ),
        ProblemCode.IDENTIFIER_TAKEN: Problem(
            409,
            "Address already in use",
            "Another account uses this address: sign in, or choose another one.",
        ),
        ProblemCode.PASSKEY_REFUSED: Problem(
            400,
            "Passkey not accepted",
            "The passkey failed a check, which `errors` names, and its ceremony is used up: ask for new options.",
        ),
        ProblemCode.FACTOR_UNAVAILABLE: Problem(
            409,
            "Factor not available",
            "This account cannot have, or has not, the second factor that this is about; the detail says why.",
        ),
        ProblemCode.FACTOR_DEMANDED: Problem(
            409,
            "Last second factor",
            "This account must have a second factor, and this is its last one: add another one first.",
        ),
        ProblemCode.LAST_OPERATOR: Problem(
            409,
            "The last operator",
            "Nobody else would be left who may administer this installation for as long: give another administrator the "
            "role ostiary:operator first, then repeat this.",
        ),
        ProblemCode.OWN_ACCOUNT: Problem(
            409, "Your own account", "You would shut yourself out: let another operator do it."
        ),
        ProblemCode.ROLE_DECLARED: Problem(
            409,
            "Declared in the configuration",
            "The configuration names this role: change it there, and start the application again.",
        ),
        ProblemCode.WRONG_STATE: Problem(
            409, "Not possible as things are", "What was asked for does not fit the state things are in."
        ),
        ProblemCode.NO_TOKENS: Problem(
            409,
            "No token to be had",
            "No token is kept for this account: none was given, or no live session of its owner uses it.",
        ),
        ProblemCode.NEEDS_RECONNECTION: Problem(
            409,
            "Account must be connected again",
            "The provider takes what is kept no more: the account's owner has to connect it again.",
        ),
        ProblemCode.SCOPE_NOT_GRANTED: Problem(
            409,
            "Scope not granted",
            "The account's owner did not grant what was asked for: they have to connect it again with that scope.",
        ),
        ProblemCode.NOT_PENDING: Problem(
            409, "Not awaiting approval", "This account was decided upon already, or needs no approval."
        ),
        ProblemCode.ONBOARDING_CONFLICT: Problem(
            409,
            "Onboarding cannot be changed so",
            "Another onboarding is under way, or this one is complete: read it at /v1/onboarding.",
        ),
        ProblemCode.ONBOARDING_INCOMPLETE: Problem(
            409,
            "Onboarding is not complete",
            "`errors` names the steps that are open, or whose address is not verified yet.",
        ),
        ProblemCode.BODY_TOO_LARGE: Problem(413, "Body too large", "A body may have at most 64 KiB."),
        ProblemCode.UNSUPPORTED_MEDIA_TYPE: Problem(
            415,
            "Unsupported media type",
            "The body has another type than this address reads, or is compressed: JSON goes as "
            "`Content-Type: application/json`, in UTF-8.",
        ),
        ProblemCode.PASSWORD_UNACCEPTABLE: Problem(
            422, "Password not acceptable", "Choose another password; `errors` says why."
        ),
        ProblemCode.TOO_MANY_ATTEMPTS: Problem(
            429, "Too many attempts", "Wait as long as the Retry-After header says, then try again."
        ),
        ProblemCode.INTERNAL_ERROR: Problem(
            500, "Internal error", "Something went wrong on our side; it has been recorded."
        ),
        ProblemCode.UNAVAILABLE: Problem(
            503,
            "Temporarily unavailable",
            "A part we depend on does not answer: try again after Retry-After.",
        ),
    }
)

# RFC 6749 §5.2 knows few words; these are chosen by the status of the problem they stand for.
_OAUTH_ERRORS: Final = MappingProxyType(
    {
        401: "invalid_client",
        403: "unauthorized_client",
        429: "temporarily_unavailable",
        500: "server_error",
        503: "temporarily_unavailable",
    }
)
_NEEDS_RETRY_AFTER: Final = frozenset({429, 503})

Fold: TypeAlias = "ProblemCode | Callable[[Any], HttpProblem]"
FOLDS: Final[Mapping[type[Exception], Fold]] = MappingProxyType(
    {
        InvalidToken: ProblemCode.INVALID_TOKEN,
        RevokedToken: ProblemCode.INVALID_TOKEN,
        Unavailable: ProblemCode.UNAVAILABLE,
    }
)


class FieldError(Struct, frozen=True):
    """What is wrong with one field: its dotted path, a stable code, and what is expected."""

    field: str
    code: str
    detail: str


class ProblemBody(Struct, frozen=True, omit_defaults=True):
    """A refusal as `application/problem+json` (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()


class OAuthError(Struct, frozen=True):
    """A refusal as OAuth endpoints write it (RFC 6749 §5.2)."""

    error: str
    error_description: str


class HttpProblem(OstiaryError):
    """A refusal that already knows its public code; `detail` replaces the code's own wording."""

    def __init__(
        self,
        code: ProblemCode,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: timedelta | None = None,
        headers: Headers = (),
    ) -> None:
        self.code = code
        self.detail = detail or PROBLEMS[code].detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.headers = headers
        super().__init__(self.detail)


def fold(error: Exception, folds: Mapping[type[Exception], Fold]) -> HttpProblem | None:
    """Find the public form of an exception by its nearest class, or None when nobody expected it."""
    if isinstance(error, HttpProblem):
        return error
    for kind in type(error).__mro__:
        if kind in folds:
            found = folds[kind]
            if isinstance(found, ProblemCode):
                return HttpProblem(found, retry_after=getattr(error, "retry_after", None))
            return found(error)
    return None


def problem_answer(problem: HttpProblem, issuer: str) -> Answer:
    """Write a refusal as RFC 9457 asks; its `type` is an address that explains the code."""
    known = PROBLEMS[problem.code]
    body = ProblemBody(
        f"{issuer}/errors/{problem.code.slug}",
        known.title,
        known.status,
        problem.code.value,
        problem.detail,
        problem.errors,
    )
    return Answer(known.status, body, headers=_headers(problem), media_type=b"application/problem+json")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal for any framework to write: `document` is the problem (RFC 9457), and `content` the same as bytes."""

    status: int
    headers: dict[str, str]
    document: dict[str, Any]
    media_type: str

    @classmethod
    def of(cls, problem: HttpProblem, issuer: str) -> Refusal:
        """Write a refusal the way our own routes do."""
        answer = problem_answer(problem, issuer)
        headers = {name.decode(): value.decode() for name, value in answer.headers}
        return cls(answer.status, headers, msgspec.to_builtins(answer.body), answer.media_type.decode())

    @property
    def content(self) -> bytes:
        """The body."""
        return msgspec.json.encode(self.document)


def oauth_answer(problem: HttpProblem) -> Answer:
    """Write a refusal as RFC 6749 §5.2 asks."""
    status = PROBLEMS[problem.code].status
    error = _OAUTH_ERRORS.get(status, "invalid_request")
    if problem.code is ProblemCode.INVALID_REFRESH_TOKEN:
        status, error = 400, "invalid_grant"
    return Answer(status, OAuthError(error, problem.detail), headers=_headers(problem))


def _headers(problem: HttpProblem) -> Headers:
    headers = list(problem.headers)
    status = PROBLEMS[problem.code].status
    if status == 401:  # noqa: PLR2004 - a status code is its own name; RFC 9110 §11.6.1 wants a challenge
        expired = problem.code is ProblemCode.INVALID_TOKEN
        challenge = b'Bearer error="invalid_token"' if expired else b"Bearer"  # RFC 6750 §3
        headers.append((b"www-authenticate", challenge))
    if status in _NEEDS_RETRY_AFTER:
        wait = problem.retry_after or timedelta(seconds=1)
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(wait.total_seconds()))))
    return tuple(headers)
