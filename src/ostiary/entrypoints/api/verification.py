"""Proving addresses, changing them, and undoing a change."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ostiary.entrypoints.api.callers import caller_of, locale_of, origin_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route, anybody, signed_in
from ostiary.features.challenges import Format
from ostiary.features.identities import Channel
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.outbox import Renderer
    from ostiary.features.verification import NotVerified, Verification

_TAG: Final = "Verification and recovery"
_PROOF: Final = (
    ProblemCode.INVALID_CREDENTIALS,
    ProblemCode.TOO_MANY_ATTEMPTS,
    ProblemCode.IDENTIFIER_TAKEN,
)


class AskBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a link or a code of six digits is sent."""

    format: Format = Format.LINK


class ProofBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The token of a link, from anybody; or a code, from whoever is signed in."""

    token: str | None = None
    code: str | None = None


class CodeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The code that was sent to the phone."""

    code: str


class EmailBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The e-mail address the account shall have, and how it is to be proven."""

    email: str
    format: Format = Format.LINK


class PhoneBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The phone number the account shall have."""

    phone: str


class UndoBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The token of the link that undoes a change."""

    token: str


class VerificationDoor:
    """The door to what proves an address."""

    def __init__(self, verification: Verification, renderer: Renderer) -> None:
        self._verification = verification
        self._renderer = renderer

    async def ask_email(self, request: Request) -> Answer:
        """Send a proof to one's own e-mail address."""
        body: AskBody = request.body
        await self._verification.ask(
            caller_of(request),
            Channel.EMAIL,
            form=body.format,
            locale=locale_of(request, self._renderer.knows),
            now=request.now,
        )
        return Answer(202)

    async def confirm_email(self, request: Request) -> Answer:
        """Take the proof of an e-mail address."""
        body: ProofBody = request.body
        if body.token is not None and body.code is None:
            refused = await self._verification.confirm_link(
                Secret(body.token),
                caller=caller_of(request) if request.principal is not None else None,
                origin=origin_of(request),
                now=request.now,
            )
        elif body.code is not None and body.token is None:
            refused = await self._verification.confirm_code(
                caller_of(request), Channel.EMAIL, Secret(body.code), now=request.now
            )
        else:
            detail = "Send either the token of the link or the code."
            raise HttpProblem(ProblemCode.INVALID_REQUEST, errors=[FieldError("token", "missing", detail)])
        return _proven(refused)

    async def ask_phone(self, request: Request) -> Answer:
        """Send a code to one's own phone number."""
        await self._verification.ask(
            caller_of(request),
            Channel.PHONE,
            form=Format.CODE,
            locale=locale_of(request, self._renderer.knows),
            now=request.now,
        )
        return Answer(202)

    async def confirm_phone(self, request: Request) -> Answer:
        """Take the proof of a phone number."""
        body: CodeBody = request.body
        return _proven(
            await self._verification.confirm_code(
                caller_of(request), Channel.PHONE, Secret(body.code), now=request.now
            )
        )

    async def change_email(self, request: Request) -> Answer:
        """Ask another e-mail address to prove itself."""
        body: EmailBody = request.body
        await self._verification.change(
            caller_of(request),
            Channel.EMAIL,
            body.email,
            form=body.format,
            locale=locale_of(request, self._renderer.knows),
            now=request.now,
        )
        return Answer(202)

    async def change_phone(self, request: Request) -> Answer:
        """Ask another phone number to prove itself."""
        body: PhoneBody = request.body
        await self._verification.change(
            caller_of(request),
            Channel.PHONE,
            body.phone,
            form=Format.CODE,
            locale=locale_of(request, self._renderer.knows),
            now=request.now,
        )
        return Answer(202)

    async def undo(self, request: Request) -> Answer:
        """Put an address back."""
        body: UndoBody = request.body
        return _proven(
            await self._verification.undo(Secret(body.token), origin=origin_of(request), now=request.now)
        )

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (*self._verification_routes(), *self._change_routes())

    def _verification_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/v1/verification/email",
                handler=self.ask_email,
                guard=signed_in(),
                summary="Send a proof to one's e-mail address",
                description="The same answer whether or not something was sent.",
                tag=_TAG,
                body=AskBody,
                answers={202: None},
            ),
            Route(
                method="POST",
                path="/v1/verification/email/confirm",
                handler=self.confirm_email,
                guard=anybody(),
                summary="Prove an e-mail address",
                description="A link also proves an address that shall replace the present one.",
                tag=_TAG,
                body=ProofBody,
                answers={204: None},
                problems=(ProblemCode.UNAUTHENTICATED, *_PROOF),
                limit=AddressLimit("confirm address", Rate(60, timedelta(minutes=1))),
            ),
            Route(
                method="POST",
                path="/v1/verification/phone",
                handler=self.ask_phone,
                guard=signed_in(),
                summary="Send a code to one's phone number",
                description="The same answer whether or not something was sent.",
                tag=_TAG,
                answers={202: None},
                problems=(ProblemCode.INVALID_REQUEST,),
            ),
            Route(
                method="POST",
                path="/v1/verification/phone/confirm",
                handler=self.confirm_phone,
                guard=signed_in(),
                summary="Prove a phone number",
                description="The code may be of the present number, or of one that shall replace it.",
                tag=_TAG,
                body=CodeBody,
                answers={204: None},
                problems=_PROOF,
            ),
        )

    def _change_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/v1/me/email",
                handler=self.change_email,
                guard=signed_in(recent=True),
                summary="Change the e-mail address",
                description=(
                    "Nothing changes until the new address is proven. The old one is told, and told again when it has "
                    "changed, with a link that undoes it."
                ),
                tag=_TAG,
                body=EmailBody,
                answers={202: None},
            ),
            Route(
                method="POST",
                path="/v1/me/phone",
                handler=self.change_phone,
                guard=signed_in(recent=True),
                summary="Change the phone number",
                description="Nothing changes until the code sent to it comes back.",
                tag=_TAG,
                body=PhoneBody,
                answers={202: None},
            ),
            Route(
                method="POST",
                path="/v1/address-change/undo",
                handler=self.undo,
                guard=PUBLIC,
                summary="Put an address back that was changed",
                description="Ends every session, and everything that is under way.",
                tag=_TAG,
                body=UndoBody,
                answers={204: None},
                problems=_PROOF,
                limit=AddressLimit("undo address change", Rate(60, timedelta(minutes=1))),
            ),
        )


def _proven(refused: NotVerified | None) -> Answer:
    if refused is None:
        return Answer(204)
    if refused.retry_after is not None:
        raise HttpProblem(ProblemCode.TOO_MANY_ATTEMPTS, retry_after=refused.retry_after)
    raise HttpProblem(ProblemCode.INVALID_CREDENTIALS, "The link or code is wrong, was used, or has expired.")
