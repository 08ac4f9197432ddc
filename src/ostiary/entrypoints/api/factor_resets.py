"""Lost factors, from the operator's side."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from ostiary.entrypoints.api.callers import caller_of
from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.entrypoints.http.routes import Route
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.mfa import parse_reset_id
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.factors import LostFactors
    from ostiary.features.mfa import FactorReset

_TAG: Final = "Operators"


class FactorResetsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of the list: at most `limit`, after the one with id `after`."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    after: str | None = None


class FactorResetBody(Struct, frozen=True):
    """Somebody's wish to be rid of lost factors; without `takes_effect_at` it waits for an operator."""

    id: str
    identity_id: str
    requested_at: datetime
    approved_at: datetime | None
    approved_by: str | None
    takes_effect_at: datetime | None

    @classmethod
    def of(cls, reset: FactorReset) -> FactorResetBody:
        """Write a wish."""
        return cls(
            reset.external_id,
            format_id(IDENTITY_PREFIX, reset.identity_id),
            reset.requested_at,
            reset.approved_at,
            reset.approved_by,
            reset.takes_effect_at,
        )


class FactorResetsBody(Struct, frozen=True):
    """The open wishes, the oldest first."""

    factor_resets: list[FactorResetBody]


class ApprovedBody(Struct, frozen=True):
    """When the factors will be removed."""

    takes_effect_at: datetime


class FactorResetsDoor:
    """The door to other people's lost factors."""

    def __init__(self, lost: LostFactors) -> None:
        self._lost = lost

    async def list(self, request: Request) -> Answer:
        """List the open wishes."""
        query: FactorResetsQuery = request.query
        after = parse_reset_id(query.after) if query.after else None
        resets = await self._lost.list_open(limit=query.limit, after=after, now=request.now)
        return Answer(200, FactorResetsBody([FactorResetBody.of(reset) for reset in resets]))

    async def approve(self, request: Request) -> Answer:
        """Approve a wish."""
        reset_id = parse_reset_id(request.parameters["id"])
        moment = await self._lost.approve(reset_id, by=caller_of(request).actor, now=request.now)
        return Answer(200, ApprovedBody(moment))

    async def reject(self, request: Request) -> Answer:
        """Reject a wish."""
        reset_id = parse_reset_id(request.parameters["id"])
        await self._lost.reject(reset_id, by=caller_of(request).actor, now=request.now)
        return Answer(204)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="GET",
                path="/v1/admin/factor-resets",
                handler=self.list,
                guard=OPERATORS,
                summary="List who wants to be rid of lost factors",
                tag=_TAG,
                query=FactorResetsQuery,
                answers={200: FactorResetsBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="POST",
                path="/v1/admin/factor-resets/{id}/approve",
                handler=self.approve,
                guard=OPERATORS,
                summary="Approve the removal of lost factors",
                description=(
                    "Make sure elsewhere that it is the owner who asks. It takes effect after a waiting time in which the "
                    "owner may object; nobody decides about their own."
                ),
                tag=_TAG,
                answers={200: ApprovedBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="POST",
                path="/v1/admin/factor-resets/{id}/reject",
                handler=self.reject,
                guard=OPERATORS,
                summary="Reject the removal of lost factors",
                description="Also of one that was approved and has not taken effect.",
                tag=_TAG,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND,),
            ),
        )
