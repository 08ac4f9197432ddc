"""What somebody may demand about their own data: to see it, to have it forgotten, and to take that back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ostiary.entrypoints.api.bodies import FORGET_COOKIES
from ostiary.entrypoints.api.callers import caller_of, origin_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route, signed_in
from ostiary.features.privacy import ERASURE_PREFIX, Export
from ostiary.foundation.ids import parse_id
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.privacy import Erasure, PersonalExport, Privacy

_TAG: Final = "Your data"
_MINUTE: Final = timedelta(minutes=1)


class ErasureBody(Struct, frozen=True):
    """The receipt of a deletion: what became of it. It names nobody; keep its id, nobody is signed in to ask again."""

    id: str
    state: str
    requested_at: datetime
    erase_after: datetime
    cancelled_at: datetime | None
    completed_at: datetime | None

    @classmethod
    def of(cls, erasure: Erasure) -> ErasureBody:
        """Write a receipt."""
        return cls(
            id=erasure.external_id,
            state=erasure.state,
            requested_at=erasure.requested_at,
            erase_after=erasure.erase_after,
            cancelled_at=erasure.cancelled_at,
            completed_at=erasure.completed_at,
        )


class UndoDeletionBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What the link of the message holds."""

    token: str


class PrivacyDoor:
    """The door to one's own data."""

    def __init__(self, privacy: Privacy, exports: PersonalExport) -> None:
        self._privacy = privacy
        self._exports = exports

    async def export(self, request: Request) -> Answer:
        """Write out everything that is known about the caller."""
        pieces = await self._exports.export(caller_of(request), now=request.now)
        return Answer(
            200,
            stream=pieces,
            headers=((b"content-disposition", b'attachment; filename="export.json"'),),
        )

    async def delete(self, request: Request) -> Answer:
        """Delete the account."""
        erasure = await self._privacy.delete(caller_of(request), now=request.now)
        return Answer(202, ErasureBody.of(erasure), cookies=FORGET_COOKIES if request.cookies.carried else ())

    async def undo(self, request: Request) -> Answer:
        """Take a deletion back."""
        body: UndoDeletionBody = request.body
        undone = await self._privacy.undo(Secret(body.token), origin=origin_of(request), now=request.now)
        if undone is None:
            raise HttpProblem(ProblemCode.INVALID_CREDENTIALS)
        return Answer(204)

    async def receipt(self, request: Request) -> Answer:
        """Show what became of a deletion."""
        erasure_id = parse_id(ERASURE_PREFIX, request.parameters["id"])
        return Answer(200, ErasureBody.of(await self._privacy.get(erasure_id)))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (
            Route(
                method="GET",
                path="/v1/me/export",
                handler=self.export,
                guard=signed_in(recent=True),
                summary="Everything that is known about you",
                description="All that is stored about the account and what the application adds, without secrets.",
                tag=_TAG,
                answers={200: Export},
                limit=AddressLimit("export", Rate(10, _MINUTE)),
                streams="application/json",
            ),
            Route(
                method="DELETE",
                path="/v1/me",
                handler=self.delete,
                guard=signed_in(recent=True),
                summary="Delete the account",
                description=(
                    "Ends every session at once. Until `erase_after` the link in the message takes it back; then everything"
                    " is erased."
                ),
                tag=_TAG,
                answers={202: ErasureBody},
                problems=(ProblemCode.LAST_OPERATOR,),
            ),
            Route(
                method="POST",
                path="/v1/account-deletion/cancel",
                handler=self.undo,
                guard=PUBLIC,
                summary="Keep a deleted account",
                description=(
                    "The account is as it was, except that nobody is signed in and the password has to be set anew."
                    " `identifier_taken` when somebody else uses its address by now; the link stays good then."
                ),
                tag=_TAG,
                body=UndoDeletionBody,
                answers={204: None},
                problems=(
                    ProblemCode.INVALID_CREDENTIALS,
                    ProblemCode.IDENTIFIER_TAKEN,
                    ProblemCode.NOT_FOUND,
                ),
                limit=AddressLimit("keep an account", Rate(60, _MINUTE)),
            ),
            Route(
                method="GET",
                path="/v1/erasures/{id}",
                handler=self.receipt,
                guard=PUBLIC,
                summary="What became of a deletion",
                description="For whoever holds the receipt: its id cannot be guessed, and it names nobody.",
                tag=_TAG,
                answers={200: ErasureBody},
                problems=(ProblemCode.NOT_FOUND,),
                limit=AddressLimit("receipts", Rate(60, _MINUTE)),
            ),
        )
