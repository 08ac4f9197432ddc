"""Operators: sessions, and what makes tokens dead early."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.api.operators import TAG, Limit, named, operator_of, page_of, shown_id, somebody
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import Route
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.sessions import external_session_id, parse_session_id
from ostiary.foundation.ids import format_id, parse_id
from ostiary.verifier import InvalidToken

if TYPE_CHECKING:
    from uuid import UUID

    from ostiary.entrypoints.http.request import Request
    from ostiary.features.administration import Administration
    from ostiary.features.sessions import RevocationRecord, SessionReading, SessionRecord
    from ostiary.verifier import AccessTokenVerifier

_EVERYTHING = "everything"


class AnySessionBody(Struct, frozen=True):
    """A session, whoever's; `live` says that it can still be refreshed."""

    id: str
    identity_id: str
    live: bool
    device_label: str | None
    ip_address: str | None
    user_agent: str | None
    amr: list[str]
    authenticated_at: datetime
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None

    @classmethod
    def of(cls, session: SessionRecord, *, now: datetime) -> AnySessionBody:
        """Write a session as operators see it."""
        return cls(
            id=external_session_id(session.id),
            identity_id=format_id(IDENTITY_PREFIX, session.identity_id),
            live=session.is_live(now),
            device_label=session.device_label,
            ip_address=session.ip_address,
            user_agent=session.user_agent,
            amr=session.amr,
            authenticated_at=session.authenticated_at,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            expires_at=min(session.expires_at, session.idle_expires_at),
            ended_at=session.ended_at,
            end_reason=session.end_reason,
        )


class SessionsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The newest `limit` sessions, of one identity if it is named, older than the one with the id `before`."""

    identity_id: str | None = None
    limit: Limit = 50
    before: str | None = None


class AccountSessionsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The newest `limit` sessions older than the one with the id `before`."""

    limit: Limit = 50
    before: str | None = None


class AnySessionsBody(Struct, frozen=True):
    """Sessions, the newest first, ended ones too; ask again with `before` set to `next`, if there is one."""

    sessions: list[AnySessionBody]
    next: str | None


class RevocationsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The newest `limit` revocations older than number `before`."""

    limit: Limit = 50
    before: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None


class RevocationRecordBody(Struct, frozen=True):
    """What was revoked, why, by whom, and until when that matters."""

    seq: int
    kind: str
    subject: str
    identity_id: str | None
    min_epoch: int | None
    not_before: datetime | None
    reason: str | None
    revoked_by: str | None
    revoked_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, record: RevocationRecord) -> RevocationRecordBody:
        """Write a revocation."""
        return cls(
            seq=record.seq,
            kind=record.kind,
            subject=record.subject,
            identity_id=shown_id(IDENTITY_PREFIX, record.identity_id),
            min_epoch=record.min_epoch,
            not_before=record.not_before,
            reason=record.reason,
            revoked_by=record.revoked_by,
            revoked_at=record.revoked_at,
            expires_at=record.expires_at,
        )


class RevocationRecordsBody(Struct, frozen=True):
    """Revocations, the newest first; ask again with `before` set to `next`, if there is one."""

    revocations: list[RevocationRecordBody]
    next: int | None


class RevokeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What to end: an access token (`token`), all an identity has (`identity_id`), or everything (`confirm`)."""

    end: Literal["token", "identity", "everything"]
    token: str | None = None
    identity_id: str | None = None
    confirm: str | None = None
    """`everything`, spelt out, when everything is meant."""
    reason: Annotated[str, Meta(min_length=1, max_length=100)] = "operator"


class AdminSessionsDoor:
    """The door to sessions and revocations."""

    def __init__(
        self, administration: Administration, reading: SessionReading, verifier: AccessTokenVerifier
    ) -> None:
        self._administration = administration
        self._reading = reading
        self._verifier = verifier

    async def list(self, request: Request) -> Answer:
        """List sessions, the newest first."""
        query: SessionsQuery = request.query
        of = parse_id(IDENTITY_PREFIX, query.identity_id) if query.identity_id else None
        return await self._page(of, query.limit, query.before, request.now)

    async def of_account(self, request: Request) -> Answer:
        """List somebody's sessions, the newest first; that it was looked at is recorded."""
        query: AccountSessionsQuery = request.query
        with somebody():
            identity = await self._administration.read(
                named(request), by=operator_of(request), now=request.now
            )
        return await self._page(identity.id, query.limit, query.before, request.now)

    async def _page(self, of: UUID | None, limit: int, before: str | None, now: datetime) -> Answer:
        earlier = parse_session_id(before) if before else None
        found = await self._reading.sessions(of=of, limit=limit + 1, before=earlier)
        page, more = page_of(found, limit)
        last = external_session_id(page[-1].id) if more else None
        return Answer(200, AnySessionsBody([AnySessionBody.of(one, now=now) for one in page], last))

    async def end(self, request: Request) -> Answer:
        """End a session, whoever's."""
        session_id = parse_session_id(request.parameters["id"])
        if not await self._administration.end_session(session_id, by=operator_of(request), now=request.now):
            raise HttpProblem(ProblemCode.NOT_FOUND)
        return Answer(204)

    async def revocations(self, request: Request) -> Answer:
        """List what was revoked, the newest first."""
        query: RevocationsQuery = request.query
        found = await self._reading.revocations(limit=query.limit + 1, before=query.before)
        page, more = page_of(found, query.limit)
        body = RevocationRecordsBody(
            [RevocationRecordBody.of(record) for record in page], page[-1].seq if more else None
        )
        return Answer(200, body)

    async def revoke(self, request: Request) -> Answer:
        """End a token, all an identity has, or everything."""
        body: RevokeBody = request.body
        by, now = operator_of(request), request.now
        match body.end:
            case "token":
                try:
                    principal = self._verifier.read(_given(body.token, "token"), now=now)
                except InvalidToken:
                    raise _invalid("token", "This is no live access token of this installation.") from None
                await self._administration.end_token(principal, by=by, now=now)
            case "identity":
                identity_id = parse_id(IDENTITY_PREFIX, _given(body.identity_id, "identity_id"))
                with somebody():
                    await self._administration.end_sessions(identity_id, by=by, now=now)
            case "everything":
                if body.confirm != _EVERYTHING:
                    raise _invalid("confirm", "Everybody has to sign in again: write everything to confirm.")
                await self._administration.end_everything(reason=body.reason, by=by, now=now)
        return Answer(204)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (*self._session_routes(), *self._revocation_routes())

    def _session_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/admin/sessions",
                handler=self.list,
                guard=OPERATORS,
                summary="List sessions, the newest first",
                tag=TAG,
                query=SessionsQuery,
                answers={200: AnySessionsBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="GET",
                path="/v1/admin/identities/{id}/sessions",
                handler=self.of_account,
                guard=OPERATORS,
                summary="List somebody's sessions, the newest first",
                tag=TAG,
                query=AccountSessionsQuery,
                answers={200: AnySessionsBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="DELETE",
                path="/v1/admin/sessions/{id}",
                handler=self.end,
                guard=OPERATORS,
                summary="End a session",
                tag=TAG,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND,),
            ),
        )

    def _revocation_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/admin/revocations",
                handler=self.revocations,
                guard=OPERATORS,
                summary="What was revoked, the newest first",
                tag=TAG,
                query=RevocationsQuery,
                answers={200: RevocationRecordsBody},
            ),
            Route(
                method="POST",
                path="/v1/admin/revocations",
                handler=self.revoke,
                guard=OPERATORS,
                summary="End a token, all an identity has, or everything",
                description="Everything is the operator's own session, too; `confirm` has to say `everything` then.",
                tag=TAG,
                body=RevokeBody,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND,),
            ),
        )


def _given(value: str | None, field: str) -> str:
    if value is None:
        raise _invalid(field, "This field is required to end such a thing.")
    return value


def _invalid(field: str, detail: str) -> HttpProblem:
    return HttpProblem(ProblemCode.INVALID_REQUEST, errors=[FieldError(field, "invalid", detail)])
