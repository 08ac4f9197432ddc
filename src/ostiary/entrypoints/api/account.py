"""The signed-in account."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from ostiary.entrypoints.api.bodies import (
    Delivery,
    FactorMethod,
    IdentityBody,
    ProfileBody,
    SessionBody,
    TokensBody,
    shown_factor,
    tokens_answer,
)
from ostiary.entrypoints.api.callers import caller_of, principal_of
from ostiary.entrypoints.api.events import EventsBody
from ostiary.entrypoints.api.passkeys import CeremonyBody
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import Route, signed_in
from ostiary.features.account import ProofRefused
from ostiary.features.audit import EVENT_PREFIX, EventFilter
from ostiary.features.flows import Factor, Shown
from ostiary.features.profiles import ProfileChange
from ostiary.features.sessions import external_session_id, parse_session_id
from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.account import Account
    from ostiary.features.audit import Audit, AuditLog, LoginRecord
    from ostiary.features.identities import Identities
    from ostiary.features.profiles import Profiles
    from ostiary.features.sessions import Sessions, Tokens

_TAG: Final = "The signed-in account"
_LOGIN_PREFIX: Final = "lgn"


class MeBody(Struct, frozen=True):
    """Who is signed in; `profile` is null for a kind of account whose profiles are the application's own."""

    identity: IdentityBody
    profile: ProfileBody | None
    roles: list[str]
    permissions: list[str]
    session: SessionBody | None


class PasswordBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The password that is, and the one that shall be."""

    current_password: str
    new_password: str


class ReauthenticateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The password, a second factor, or both: a factor's `code`, or a passkey's `ceremony` and `credential`."""

    password: str | None = None
    method: FactorMethod | None = None
    code: str | None = None
    ceremony: str | None = None
    credential: dict[str, Any] | None = None


class SendCodeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Which way the code shall go."""

    method: Literal["email", "sms"]


class SessionsBody(Struct, frozen=True):
    """The live sessions, the last used one first."""

    sessions: list[SessionBody]


class HistoryQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of a history: the newest `limit` entries before the one with id `before`."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    before: str | None = None


class LoginBody(Struct, frozen=True):
    """One attempt to sign in to this account."""

    id: str
    session_id: str | None
    occurred_at: datetime
    provider: str
    method: str
    success: bool
    failure_reason: str | None
    ip_address: str | None
    user_agent: str | None
    session_ended_at: datetime | None
    session_seconds: int | None
    """How long the session lasted, once it has ended."""

    @classmethod
    def of(cls, record: LoginRecord) -> LoginBody:
        """Write a line of history as its owner sees it."""
        return cls(
            id=format_id(_LOGIN_PREFIX, record.id),
            session_id=external_session_id(record.session_id) if record.session_id else None,
            occurred_at=record.occurred_at,
            provider=record.provider,
            method=record.method,
            success=record.success,
            failure_reason=record.failure_reason,
            ip_address=record.ip_address,
            user_agent=record.user_agent,
            session_ended_at=record.session_ended_at,
            session_seconds=record.session_seconds,
        )


class LoginHistoryBody(Struct, frozen=True):
    """The newest attempts first; ask again with `before` set to the last id for older ones."""

    logins: list[LoginBody]


class AccountDoor:
    """The door to one's own account."""

    def __init__(
        self,
        account: Account,
        identities: Identities,
        profiles: Profiles,
        sessions: Sessions,
        audit: Audit,
        log: AuditLog,
    ) -> None:
        self._account = account
        self._identities = identities
        self._profiles = profiles
        self._sessions = sessions
        self._audit = audit
        self._log = log

    async def me(self, request: Request) -> Answer:
        """Show who is signed in."""
        principal, caller = principal_of(request), caller_of(request)
        identity = await self._identities.get(caller.identity_id)
        profile = await self._profiles.find(caller.entity_type, caller.identity_id)
        session = await self._sessions.find(caller.identity_id, caller.session_id, now=request.now)
        return Answer(
            200,
            MeBody(
                identity=IdentityBody.of(identity),
                profile=ProfileBody.of(caller.entity_type, profile) if profile else None,
                roles=sorted(principal.roles),
                permissions=sorted(principal.permissions),
                session=SessionBody.of(session, current=principal.session_id) if session else None,
            ),
        )

    async def change_profile(self, request: Request) -> Answer:
        """Change the profile."""
        caller = caller_of(request)
        profile = await self._account.change_profile(caller, request.body, now=request.now)
        return Answer(200, ProfileBody.of(caller.entity_type, profile))

    async def sessions(self, request: Request) -> Answer:
        """List the live sessions."""
        principal = principal_of(request)
        sessions = await self._sessions.list(caller_of(request).identity_id, now=request.now)
        return Answer(
            200,
            SessionsBody([SessionBody.of(session, current=principal.session_id) for session in sessions]),
        )

    async def end_session(self, request: Request) -> Answer:
        """End one of one's own sessions."""
        session_id = parse_session_id(request.parameters["id"])
        if not await self._account.end_session(caller_of(request), session_id, now=request.now):
            raise HttpProblem(ProblemCode.NOT_FOUND)
        return Answer(204)

    async def login_history(self, request: Request) -> Answer:
        """Show who signed in, or tried to."""
        query: HistoryQuery = request.query
        before = parse_id(_LOGIN_PREFIX, query.before) if query.before else None
        records = await self._audit.logins(caller_of(request).identity_id, limit=query.limit, before=before)
        return Answer(200, LoginHistoryBody([LoginBody.of(record) for record in records]))

    async def events(self, request: Request) -> Answer:
        """Show what was done by this account, and to it."""
        query: HistoryQuery = request.query
        owner = principal_of(request).identity_id
        before = parse_id(EVENT_PREFIX, query.before) if query.before else None
        found = await self._log.list(EventFilter(identity_id=owner), limit=query.limit + 1, before=before)
        return Answer(200, EventsBody.of([event.as_seen_by(owner) for event in found], query.limit))

    async def change_password(self, request: Request) -> Answer:
        """Set a new password."""
        body: PasswordBody = request.body
        outcome = await self._account.change_password(
            caller_of(request),
            current=Secret(body.current_password),
            new=Secret(body.new_password),
            now=request.now,
        )
        return _renewed(outcome, request)

    async def reauthenticate(self, request: Request) -> Answer:
        """Prove again who one is."""
        body: ReauthenticateBody = request.body
        outcome = await self._account.reauthenticate(
            caller_of(request),
            password=Secret(body.password) if body.password is not None else None,
            factor=_factor(body),
            now=request.now,
        )
        return _renewed(outcome, request)

    async def send_code(self, request: Request) -> Answer:
        """Send a code to prove oneself again with."""
        body: SendCodeBody = request.body
        await self._account.send_code(caller_of(request), Factor(body.method), now=request.now)
        return Answer(202)

    async def passkey(self, request: Request) -> Answer:
        """Begin to use a passkey to prove oneself again with."""
        ceremony = await self._account.begin_passkey(caller_of(request), now=request.now)
        return Answer(200, CeremonyBody.of(ceremony))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        proof_problems = (ProblemCode.INVALID_CREDENTIALS, ProblemCode.TOO_MANY_ATTEMPTS)
        return (
            Route(
                method="GET",
                path="/v1/me",
                handler=self.me,
                guard=signed_in(),
                summary="Who is signed in",
                tag=_TAG,
                answers={200: MeBody},
            ),
            Route(
                method="PATCH",
                path="/v1/me",
                handler=self.change_profile,
                guard=signed_in(),
                summary="Change the profile",
                description="Absent fields stay; null clears one. Keys of `metadata` are merged, null removes a key.",
                tag=_TAG,
                body=ProfileChange,
                answers={200: ProfileBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="GET",
                path="/v1/me/sessions",
                handler=self.sessions,
                guard=signed_in(),
                summary="List the live sessions",
                tag=_TAG,
                answers={200: SessionsBody},
            ),
            Route(
                method="DELETE",
                path="/v1/me/sessions/{id}",
                handler=self.end_session,
                guard=signed_in(recent=True),
                summary="End one session",
                tag=_TAG,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="GET",
                path="/v1/me/login-history",
                handler=self.login_history,
                guard=signed_in(),
                summary="Who signed in, or tried to",
                tag=_TAG,
                query=HistoryQuery,
                answers={200: LoginHistoryBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="GET",
                path="/v1/me/audit",
                handler=self.events,
                guard=signed_in(),
                summary="What was done by this account, and to it",
                description="The newest event first. Of what somebody else did, it is not said who, or from where.",
                tag=_TAG,
                query=HistoryQuery,
                answers={200: EventsBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="POST",
                path="/v1/me/password",
                handler=self.change_password,
                guard=signed_in(),
                summary="Change the password",
                description="Ends every session; the answer holds the tokens of a new one.",
                tag=_TAG,
                body=PasswordBody,
                answers={200: TokensBody},
                problems=(
                    *proof_problems,
                    ProblemCode.PASSWORD_UNACCEPTABLE,
                    ProblemCode.SECOND_FACTOR_REQUIRED,
                ),
            ),
            Route(
                method="POST",
                path="/v1/me/reauthenticate",
                handler=self.reauthenticate,
                guard=signed_in(),
                summary="Prove again who you are",
                description=(
                    "Replaces the session by one that was authenticated just now. Where the account has a second"
                    " factor, it is shown as well, or alone."
                ),
                tag=_TAG,
                body=ReauthenticateBody,
                answers={200: TokensBody},
                problems=(*proof_problems, ProblemCode.SECOND_FACTOR_REQUIRED),
            ),
            Route(
                method="POST",
                path="/v1/me/reauthenticate/send",
                handler=self.send_code,
                guard=signed_in(),
                summary="Send a code to prove again who you are",
                tag=_TAG,
                body=SendCodeBody,
                answers={202: None},
            ),
            Route(
                method="POST",
                path="/v1/me/reauthenticate/passkey",
                handler=self.passkey,
                guard=signed_in(),
                summary="Begin to use a passkey to prove again who you are",
                tag=_TAG,
                answers={200: CeremonyBody},
            ),
        )


def _factor(body: ReauthenticateBody) -> Shown | None:
    """Read the second factor of a body, if it names one beside the password or instead of it."""
    if body.method is not None:
        return shown_factor(body.method, body.code, body.ceremony, body.credential)
    if body.password is not None and not (body.code or body.ceremony or body.credential):
        return None
    expected = "Send the password, a second factor by its method, or both."
    error = FieldError("method", ProblemCode.INVALID_REQUEST.value, expected)
    raise HttpProblem(ProblemCode.INVALID_REQUEST, errors=[error])


def _renewed(outcome: Tokens | ProofRefused, request: Request) -> Answer:
    """Hand over a new session the way the old one came, or say that the proof failed."""
    if isinstance(outcome, ProofRefused):
        if outcome.needs_factor:
            raise HttpProblem(ProblemCode.SECOND_FACTOR_REQUIRED)
        code = ProblemCode.TOO_MANY_ATTEMPTS if outcome.retry_after else ProblemCode.INVALID_CREDENTIALS
        raise HttpProblem(code, retry_after=outcome.retry_after)
    delivery: Delivery = "cookie" if request.credential == "cookie" else "body"
    return tokens_answer(outcome, delivery)
