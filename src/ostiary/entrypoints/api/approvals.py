"""Who is let in: approving newcomers, and inviting them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct, field

from ostiary.entrypoints.api.bodies import Delivery, IdentityBody, SignInBody
from ostiary.entrypoints.api.callers import caller_of, origin_of
from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.api.registration import ApprovalAwaitedBody, arrival_answer
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import AddressLimit, Route, anybody
from ostiary.features.identities import IDENTITY_PREFIX, IdentityNotFound
from ostiary.features.registration import INVITATION_PREFIX, InvitationAccepted
from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.administration import Approvals
    from ostiary.features.challenges import Challenge
    from ostiary.features.identities import Identities
    from ostiary.features.registration import Invitations

_OPERATORS_TAG: Final = "Operators"
_LONGEST_REASON: Final = 500
_MOST_ROLES: Final = 50


class ApproveBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for the records and the newcomer, if there is something to say."""

    reason: Annotated[str, Meta(min_length=1, max_length=_LONGEST_REASON)] | None = None


class RejectBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for the records and the newcomer."""

    reason: Annotated[str, Meta(min_length=1, max_length=_LONGEST_REASON)]


class InviteBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to invite, as what, with which roles, and what is known of their profile."""

    email: str
    entity_type: str = "user"
    roles: Annotated[list[str], Meta(max_length=_MOST_ROLES)] = []
    profile: dict[str, Any] = field(default_factory=dict)


class InvitationsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to `limit` invitations that were made after the one with the id `after`."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    after: str | None = None


class InvitationBody(Struct, frozen=True):
    """An invitation that can still be accepted."""

    id: str
    email: str
    entity_type: str
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, challenge: Challenge) -> InvitationBody:
        """Write an invitation as operators see it."""
        return cls(
            id=format_id(INVITATION_PREFIX, challenge.id),
            email=challenge.destination,
            entity_type=challenge.entity_type,
            created_at=challenge.created_at,
            expires_at=challenge.expires_at,
        )


class InvitationsBody(Struct, frozen=True):
    """The open invitations in the order they were made."""

    invitations: list[InvitationBody]


class AcceptBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The token of the link; a password, unless one signs in by link or passkey; what the inviter has not said."""

    token: str
    password: str | None = None
    profile: dict[str, Any] = field(default_factory=dict)
    delivery: Delivery = "body"


class AcceptedBody(Struct, frozen=True, tag_field="status", tag="accepted"):
    """The account that was there already has the roles now; the next access token names them."""

    identity: IdentityBody


class ApprovalsDoor:
    """The door to who is let in."""

    def __init__(self, approvals: Approvals, invitations: Invitations, identities: Identities) -> None:
        self._approvals = approvals
        self._invitations = invitations
        self._identities = identities

    async def approve(self, request: Request) -> Answer:
        """Let a newcomer in."""
        body: ApproveBody = request.body
        try:
            await self._approvals.approve(
                parse_id(IDENTITY_PREFIX, request.parameters["id"]),
                reason=body.reason,
                by=caller_of(request).actor,
                origin=origin_of(request),
                now=request.now,
            )
        except IdentityNotFound:
            raise HttpProblem(ProblemCode.NOT_FOUND) from None
        return Answer(204)

    async def reject(self, request: Request) -> Answer:
        """Turn a newcomer away."""
        body: RejectBody = request.body
        try:
            await self._approvals.reject(
                parse_id(IDENTITY_PREFIX, request.parameters["id"]),
                reason=body.reason,
                by=caller_of(request).actor,
                origin=origin_of(request),
                now=request.now,
            )
        except IdentityNotFound:
            raise HttpProblem(ProblemCode.NOT_FOUND) from None
        return Answer(204)

    async def invite(self, request: Request) -> Answer:
        """Invite somebody."""
        body: InviteBody = request.body
        await self._invitations.invite(
            body.email,
            entity_type=body.entity_type,
            roles=body.roles,
            profile=body.profile,
            by=caller_of(request).actor,
            origin=origin_of(request),
            now=request.now,
        )
        return Answer(202)

    async def invitations(self, request: Request) -> Answer:
        """List the open invitations."""
        query: InvitationsQuery = request.query
        after = parse_id(INVITATION_PREFIX, query.after) if query.after else None
        found = await self._invitations.open(limit=query.limit, after=after, now=request.now)
        return Answer(200, InvitationsBody([InvitationBody.of(challenge) for challenge in found]))

    async def withdraw(self, request: Request) -> Answer:
        """Take an invitation back."""
        invitation_id = parse_id(INVITATION_PREFIX, request.parameters["id"])
        if not await self._invitations.withdraw(invitation_id, by=caller_of(request).actor, now=request.now):
            raise HttpProblem(ProblemCode.NOT_FOUND)
        return Answer(204)

    async def accept(self, request: Request) -> Answer:
        """Accept an invitation."""
        body: AcceptBody = request.body
        if body.delivery == "cookie":
            request.require_same_site()
        outcome = await self._invitations.accept(
            Secret(body.token),
            password=Secret(body.password) if body.password is not None else None,
            profile=body.profile,
            caller=caller_of(request) if request.principal is not None else None,
            origin=origin_of(request),
            now=request.now,
        )
        if isinstance(outcome, InvitationAccepted):
            identity = await self._identities.get(outcome.identity_id)
            return Answer(200, AcceptedBody(IdentityBody.of(identity)))
        return await arrival_answer(outcome, self._identities, body.delivery, status=200)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (*self._decisions(), *self._invitation_routes())

    def _decisions(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/v1/admin/identities/{id}/approve",
                handler=self.approve,
                guard=OPERATORS,
                summary="Let a newcomer in",
                tag=_OPERATORS_TAG,
                body=ApproveBody,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.NOT_PENDING),
            ),
            Route(
                method="POST",
                path="/v1/admin/identities/{id}/reject",
                handler=self.reject,
                guard=OPERATORS,
                summary="Turn a newcomer away",
                description="The account is suspended, so that it can be reactivated.",
                tag=_OPERATORS_TAG,
                body=RejectBody,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.NOT_PENDING),
            ),
        )

    def _invitation_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/v1/admin/invitations",
                handler=self.invite,
                guard=OPERATORS,
                summary="Invite somebody",
                description="A newer invitation of one kind to one address replaces the older.",
                tag=_OPERATORS_TAG,
                body=InviteBody,
                answers={202: None},
            ),
            Route(
                method="GET",
                path="/v1/admin/invitations",
                handler=self.invitations,
                guard=OPERATORS,
                summary="List the open invitations",
                tag=_OPERATORS_TAG,
                query=InvitationsQuery,
                answers={200: InvitationsBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="DELETE",
                path="/v1/admin/invitations/{id}",
                handler=self.withdraw,
                guard=OPERATORS,
                summary="Take an invitation back",
                tag=_OPERATORS_TAG,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="POST",
                path="/v1/invitations/accept",
                handler=self.accept,
                guard=anybody(),
                summary="Accept an invitation, and sign in",
                description=(
                    "Makes an account with the address it was sent to. Whoever has one signs in first, and gets the roles."
                ),
                tag="Registration and sign-in",
                body=AcceptBody,
                answers={200: SignInBody | AcceptedBody, 202: ApprovalAwaitedBody},
                problems=(
                    ProblemCode.INVALID_CREDENTIALS,
                    ProblemCode.IDENTIFIER_TAKEN,
                    ProblemCode.PASSWORD_UNACCEPTABLE,
                ),
                limit=AddressLimit("accept invitation", Rate(60, timedelta(minutes=1))),
            ),
        )
