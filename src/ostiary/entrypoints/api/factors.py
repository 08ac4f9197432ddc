"""One's own second factors, and the way back for whoever lost theirs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from ostiary.entrypoints.api.callers import caller_of, origin_of
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route, signed_in
from ostiary.features.factors import ResetRequest, WrongCode
from ostiary.features.mfa import (
    FactorKind,
    external_message_factor_id,
    external_totp_factor_id,
    parse_totp_factor_id,
)
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.entrypoints.http.request import Request
    from ostiary.features.factors import FactorManagement, FactorOverview, LostFactors
    from ostiary.features.mfa import Enrolment

_TAG: Final = "Second factors"
_ASK_AGAIN: Final = timedelta(hours=1)
_CHANGES: Final = (ProblemCode.SECOND_FACTOR_REQUIRED,)
_RESET_LIMIT: Final = AddressLimit("lost factors", Rate(30, timedelta(minutes=1)))

Label = Annotated[str, Meta(min_length=1, max_length=64)]


class FactorBody(Struct, frozen=True):
    """A second factor, without what is secret about it."""

    id: str
    kind: str
    label: str | None
    created_at: datetime
    last_used_at: datetime | None


class FactorsBody(Struct, frozen=True):
    """The second factors of an account.

    `usable` are the kinds that a sign-in takes now, passkeys included; `offered` those that can be added here;
    `required` says whether the account must have one.
    """

    factors: list[FactorBody]
    recovery_codes: int
    usable: list[str]
    offered: list[str]
    required: bool

    @classmethod
    def of(cls, overview: FactorOverview) -> FactorsBody:
        """Write the factors as their owner sees them."""
        return cls(
            factors=[
                *(
                    FactorBody(
                        external_totp_factor_id(app.id),
                        FactorKind.TOTP,
                        app.label,
                        app.created_at,
                        app.last_used_at,
                    )
                    for app in overview.factors.totp
                ),
                *(
                    FactorBody(external_message_factor_id(way.id), way.kind, None, way.created_at, None)
                    for way in overview.factors.messages
                ),
            ],
            recovery_codes=overview.factors.recovery_codes,
            usable=sorted(overview.usable),
            offered=sorted(overview.offered),
            required=overview.demanded,
        )


class NewTotpBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What to call the authenticator app; its owner's word, such as `phone`."""

    label: Label | None = None


class EnrolmentBody(Struct, frozen=True):
    """What an authenticator app needs to know, shown this one time: as a QR code, an address, and text to type."""

    id: str
    secret: str
    otpauth_uri: str
    qr_svg: str

    @classmethod
    def of(cls, begun: Enrolment) -> EnrolmentBody:
        """Write out what is shown once."""
        return cls(
            external_totp_factor_id(begun.id),
            begun.secret.reveal(),
            begun.otpauth_uri.reveal(),
            begun.qr_svg.reveal(),
        )


class CodeBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The six digits the app shows now."""

    code: str


class RecoveryCodesBody(Struct, frozen=True):
    """New recovery codes, shown this one time; none where some of an earlier set are left."""

    recovery_codes: list[str]

    @classmethod
    def of(cls, codes: Sequence[Secret]) -> RecoveryCodesBody:
        """Write codes out."""
        return cls([code.reveal() for code in codes])


class LostBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The sign-in that waits for a factor."""

    flow: str


class ObjectionBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The secret of the link in the message."""

    token: str


class FactorsDoor:
    """The door to one's own second factors."""

    def __init__(self, factors: FactorManagement, lost: LostFactors) -> None:
        self._factors = factors
        self._lost = lost

    async def overview(self, request: Request) -> Answer:
        """Show the factors."""
        overview = await self._factors.overview(caller_of(request), now=request.now)
        return Answer(200, FactorsBody.of(overview))

    async def begin_totp(self, request: Request) -> Answer:
        """Begin to add an authenticator app."""
        body: NewTotpBody = request.body
        begun = await self._factors.begin_totp(caller_of(request), label=body.label, now=request.now)
        return Answer(200, EnrolmentBody.of(begun))

    async def confirm_totp(self, request: Request) -> Answer:
        """Show that the app works."""
        body: CodeBody = request.body
        factor_id = parse_totp_factor_id(request.parameters["id"])
        outcome = await self._factors.confirm_totp(
            caller_of(request), factor_id, Secret(body.code), now=request.now
        )
        if isinstance(outcome, WrongCode):
            code = ProblemCode.TOO_MANY_ATTEMPTS if outcome.retry_after else ProblemCode.INVALID_CREDENTIALS
            raise HttpProblem(code, retry_after=outcome.retry_after)
        return Answer(200, RecoveryCodesBody.of(outcome.recovery_codes))

    async def remove(self, request: Request) -> Answer:
        """Remove an authenticator app."""
        factor_id = parse_totp_factor_id(request.parameters["id"])
        await self._factors.remove_totp(caller_of(request), factor_id, now=request.now)
        return Answer(204)

    async def renew_recovery_codes(self, request: Request) -> Answer:
        """Make new recovery codes."""
        codes = await self._factors.renew_recovery_codes(caller_of(request), now=request.now)
        return Answer(200, RecoveryCodesBody.of(codes))

    async def add_email(self, request: Request) -> Answer:
        """Make the e-mail address a factor."""
        await self._factors.add_message(caller_of(request), FactorKind.EMAIL, now=request.now)
        return Answer(204)

    async def remove_email(self, request: Request) -> Answer:
        """Make the e-mail address no factor any more."""
        await self._factors.remove_message(caller_of(request), FactorKind.EMAIL, now=request.now)
        return Answer(204)

    async def add_sms(self, request: Request) -> Answer:
        """Make the phone number a factor."""
        await self._factors.add_message(caller_of(request), FactorKind.SMS, now=request.now)
        return Answer(204)

    async def remove_sms(self, request: Request) -> Answer:
        """Make the phone number no factor any more."""
        await self._factors.remove_message(caller_of(request), FactorKind.SMS, now=request.now)
        return Answer(204)

    async def lost(self, request: Request) -> Answer:
        """Say that the factors are lost."""
        body: LostBody = request.body
        outcome = await self._lost.request(Secret(body.flow), origin=origin_of(request), now=request.now)
        if outcome is ResetRequest.NO_FLOW:
            raise HttpProblem(
                ProblemCode.INVALID_CREDENTIALS,
                "No sign-in waits for a factor here: begin again at /v1/login.",
            )
        if outcome is ResetRequest.TOO_OFTEN:
            raise HttpProblem(ProblemCode.TOO_MANY_ATTEMPTS, retry_after=_ASK_AGAIN)
        return Answer(202)

    async def object(self, request: Request) -> Answer:
        """Keep the factors."""
        body: ObjectionBody = request.body
        if not await self._lost.object(Secret(body.token), origin=origin_of(request), now=request.now):
            raise HttpProblem(
                ProblemCode.INVALID_CREDENTIALS,
                "This link was used, is too old, or there is nothing to stop.",
            )
        return Answer(204)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (*self._of_apps(), *self._of_messages(), *self._of_loss())

    def _of_apps(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/me/factors",
                handler=self.overview,
                guard=signed_in(),
                summary="List the second factors",
                tag=_TAG,
                answers={200: FactorsBody},
            ),
            Route(
                method="POST",
                path="/v1/me/factors/totp",
                handler=self.begin_totp,
                guard=signed_in(recent=True),
                summary="Begin to add an authenticator app",
                description=(
                    "The secret is shown this one time. The app counts from its first code on, which it has 15 minutes "
                    "for. An account that has a factor needs a session that was proven with one."
                ),
                tag=_TAG,
                body=NewTotpBody,
                answers={200: EnrolmentBody},
                problems=(*_CHANGES, ProblemCode.FACTOR_UNAVAILABLE),
            ),
            Route(
                method="POST",
                path="/v1/me/factors/totp/{id}/confirm",
                handler=self.confirm_totp,
                guard=signed_in(recent=True),
                summary="Show that the authenticator app works",
                description=(
                    "Ends every other session. The answer holds recovery codes if none are left, as with the first "
                    "factor; otherwise the list is empty and the earlier ones stay good."
                ),
                tag=_TAG,
                body=CodeBody,
                answers={200: RecoveryCodesBody},
                problems=(
                    *_CHANGES,
                    ProblemCode.NOT_FOUND,
                    ProblemCode.INVALID_CREDENTIALS,
                    ProblemCode.TOO_MANY_ATTEMPTS,
                ),
            ),
            Route(
                method="DELETE",
                path="/v1/me/factors/{id}",
                handler=self.remove,
                guard=signed_in(recent=True),
                summary="Remove an authenticator app",
                description="Ends every other session. Recovery codes go with the last factor.",
                tag=_TAG,
                answers={204: None},
                problems=(*_CHANGES, ProblemCode.NOT_FOUND, ProblemCode.FACTOR_DEMANDED),
            ),
            Route(
                method="POST",
                path="/v1/me/recovery-codes",
                handler=self.renew_recovery_codes,
                guard=signed_in(recent=True),
                summary="Make new recovery codes",
                description="They are shown this one time, and every earlier one is dead. Ends every other session.",
                tag=_TAG,
                answers={200: RecoveryCodesBody},
                problems=(*_CHANGES, ProblemCode.FACTOR_UNAVAILABLE),
            ),
        )

    def _of_messages(self) -> tuple[Route, ...]:
        ways = (
            ("email", "e-mail address", self.add_email, self.remove_email),
            ("sms", "phone number", self.add_sms, self.remove_sms),
        )
        return tuple(
            route
            for name, address, add, remove in ways
            for route in (
                Route(
                    method="PUT",
                    path=f"/v1/me/factors/{name}",
                    handler=add,
                    guard=signed_in(recent=True),
                    summary=f"Make the {address} a second factor",
                    description="Only where the operator offers it, and only once the address is verified.",
                    tag=_TAG,
                    answers={204: None},
                    problems=(*_CHANGES, ProblemCode.FACTOR_UNAVAILABLE),
                ),
                Route(
                    method="DELETE",
                    path=f"/v1/me/factors/{name}",
                    handler=remove,
                    guard=signed_in(recent=True),
                    summary=f"Make the {address} no second factor any more",
                    tag=_TAG,
                    answers={204: None},
                    problems=(*_CHANGES, ProblemCode.NOT_FOUND, ProblemCode.FACTOR_DEMANDED),
                ),
            )
        )

    def _of_loss(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/v1/login/factor/lost",
                handler=self.lost,
                guard=PUBLIC,
                summary="Say that the second factors are lost",
                description=(
                    "An operator decides about it, the owner of the account is told on every address and may object, and "
                    "what is approved takes effect after a waiting time. Repeating it changes nothing."
                ),
                tag=_TAG,
                body=LostBody,
                answers={202: None},
                problems=(
                    ProblemCode.INVALID_CREDENTIALS,
                    ProblemCode.FACTOR_UNAVAILABLE,
                    ProblemCode.TOO_MANY_ATTEMPTS,
                ),
                limit=_RESET_LIMIT,
            ),
            Route(
                method="POST",
                path="/v1/factor-reset/cancel",
                handler=self.object,
                guard=PUBLIC,
                summary="Keep the second factors",
                description="With the link its owner was sent.",
                tag=_TAG,
                body=ObjectionBody,
                answers={204: None},
                problems=(ProblemCode.INVALID_CREDENTIALS,),
                limit=_RESET_LIMIT,
            ),
        )
