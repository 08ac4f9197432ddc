"""Passkeys: adding them to one's account, and signing in with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct

from ostiary.entrypoints.api.bodies import Delivery, SignInBody, sign_in_answer
from ostiary.entrypoints.api.callers import caller_of, device_of, origin_of, signed_in_as
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import FieldError, HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, Route, signed_in
from ostiary.features.passkeys import Refused as PasskeyRefused
from ostiary.features.passkeys import external_passkey_id, parse_passkey_id
from ostiary.features.sign_in import Refused
from ostiary.foundation.limits import Rate
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.factors import PasskeyManagement
    from ostiary.features.identities import Identities
    from ostiary.features.passkeys import Ceremony, Passkey
    from ostiary.features.sign_in import PasskeySignIn

_TAG: Final = "Passkeys"
_SIGN_IN_TAG: Final = "Registration and sign-in"
_PER_ADDRESS: Final = Rate(120, timedelta(minutes=1))

Label = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\S")]


class NothingBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object."""


class CeremonyBody(Struct, frozen=True):
    """What a browser needs: `options` as `parse…OptionsFromJSON` reads them, and what to come back with within five minutes."""

    ceremony: str
    options: dict[str, Any]

    @classmethod
    def of(cls, ceremony: Ceremony) -> CeremonyBody:
        """Write a ceremony for the browser that asked for it."""
        return cls(ceremony.token.reveal(), ceremony.options)


class NewPasskeyBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The `toJSON()` of the credential a browser has made, and what to call it."""

    ceremony: str
    credential: dict[str, Any]
    label: Label | None = None


class PasskeyLoginBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The `toJSON()` of the credential a browser has used; `device` is the secret of a remembered device."""

    ceremony: str
    credential: dict[str, Any]
    device: str | None = None
    delivery: Delivery = "body"


class LabelBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What to call a passkey."""

    label: Label


class PasskeyBody(Struct, frozen=True):
    """A passkey; `backed_up` says that it is copied to other devices of its owner."""

    id: str
    label: str
    aaguid: str
    transports: list[str]
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None
    clone_suspected_at: datetime | None

    @classmethod
    def of(cls, passkey: Passkey) -> PasskeyBody:
        """Write a passkey as its owner sees it."""
        return cls(
            id=external_passkey_id(passkey.id),
            label=passkey.label,
            aaguid=passkey.aaguid,
            transports=passkey.transports,
            backed_up=passkey.backed_up,
            created_at=passkey.created_at,
            last_used_at=passkey.last_used_at,
            clone_suspected_at=passkey.clone_suspected_at,
        )


class PasskeysBody(Struct, frozen=True):
    """The passkeys of the account, the oldest first."""

    passkeys: list[PasskeyBody]


class PasskeyDoor:
    """The door to one's own passkeys, and in by them."""

    def __init__(self, management: PasskeyManagement, sign_in: PasskeySignIn, identities: Identities) -> None:
        self._management = management
        self._sign_in = sign_in
        self._identities = identities

    async def options(self, request: Request) -> Answer:
        """Begin to add a passkey."""
        ceremony = await self._management.begin(caller_of(request), now=request.now)
        return Answer(200, CeremonyBody.of(ceremony))

    async def add(self, request: Request) -> Answer:
        """Add a passkey."""
        body: NewPasskeyBody = request.body
        outcome = await self._management.add(
            caller_of(request),
            Secret(body.ceremony),
            body.credential,
            label=body.label,
            now=request.now,
        )
        if isinstance(outcome, PasskeyRefused):
            # Whoever is signed in may know at which step their own device failed.
            why = FieldError("credential", outcome.reason.value, "This step of the ceremony failed.")
            raise HttpProblem(ProblemCode.PASSKEY_REFUSED, errors=[why])
        return Answer(201, PasskeyBody.of(outcome))

    async def passkeys(self, request: Request) -> Answer:
        """List the passkeys."""
        passkeys = await self._management.list(caller_of(request))
        return Answer(200, PasskeysBody([PasskeyBody.of(passkey) for passkey in passkeys]))

    async def rename(self, request: Request) -> Answer:
        """Give a passkey another label."""
        body: LabelBody = request.body
        passkey_id = parse_passkey_id(request.parameters["id"])
        renamed = await self._management.rename(caller_of(request), passkey_id, body.label, now=request.now)
        if renamed is None:
            raise HttpProblem(ProblemCode.NOT_FOUND)
        return Answer(200, PasskeyBody.of(renamed))

    async def remove(self, request: Request) -> Answer:
        """Remove a passkey."""
        passkey_id = parse_passkey_id(request.parameters["id"])
        removed = await self._management.remove(caller_of(request), passkey_id, now=request.now)
        if not removed:
            raise HttpProblem(ProblemCode.NOT_FOUND)
        return Answer(204)

    async def login_options(self, request: Request) -> Answer:
        """Begin a sign-in with a passkey."""
        return Answer(200, CeremonyBody.of(await self._sign_in.begin(now=request.now)))

    async def login(self, request: Request) -> Answer:
        """Sign in with a passkey."""
        body: PasskeyLoginBody = request.body
        device = device_of(request, body.device, body.delivery)
        outcome = await self._sign_in.with_passkey(
            Secret(body.ceremony),
            body.credential,
            device=device,
            origin=origin_of(request),
            now=request.now,
        )
        if isinstance(outcome, Refused):
            raise HttpProblem(ProblemCode.INVALID_CREDENTIALS)
        return sign_in_answer(outcome, await signed_in_as(outcome, self._identities), body.delivery)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (*self._own(), *self._for_everybody())

    def _own(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/v1/me/passkeys/options",
                handler=self.options,
                guard=signed_in(recent=True),
                summary="Begin to add a passkey",
                description="The answer is for this session, and good for five minutes and one try.",
                tag=_TAG,
                body=NothingBody,
                answers={200: CeremonyBody},
                problems=(ProblemCode.SECOND_FACTOR_REQUIRED, ProblemCode.FACTOR_UNAVAILABLE),
            ),
            Route(
                method="POST",
                path="/v1/me/passkeys",
                handler=self.add,
                guard=signed_in(recent=True),
                summary="Add a passkey",
                description="Ends every other session, and tells the owner.",
                tag=_TAG,
                body=NewPasskeyBody,
                answers={201: PasskeyBody},
                problems=(ProblemCode.SECOND_FACTOR_REQUIRED, ProblemCode.PASSKEY_REFUSED),
            ),
            Route(
                method="GET",
                path="/v1/me/passkeys",
                handler=self.passkeys,
                guard=signed_in(),
                summary="List the passkeys",
                tag=_TAG,
                answers={200: PasskeysBody},
            ),
            Route(
                method="PATCH",
                path="/v1/me/passkeys/{id}",
                handler=self.rename,
                guard=signed_in(recent=True),
                summary="Rename a passkey",
                tag=_TAG,
                body=LabelBody,
                answers={200: PasskeyBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="DELETE",
                path="/v1/me/passkeys/{id}",
                handler=self.remove,
                guard=signed_in(recent=True),
                summary="Remove a passkey",
                description="Ends every other session, and tells the owner.",
                tag=_TAG,
                answers={204: None},
                problems=(
                    ProblemCode.SECOND_FACTOR_REQUIRED,
                    ProblemCode.NOT_FOUND,
                    ProblemCode.FACTOR_DEMANDED,
                ),
            ),
        )

    def _for_everybody(self) -> tuple[Route, ...]:
        return (
            Route(
                method="POST",
                path="/v1/login/passkey/options",
                handler=self.login_options,
                guard=PUBLIC,
                summary="Begin a sign-in with a passkey",
                description=(
                    "Names nobody and no passkey, so that a page may ask for it before anybody typed anything and offer"
                    " passkeys in the browser's autofill."
                ),
                tag=_SIGN_IN_TAG,
                body=NothingBody,
                answers={200: CeremonyBody},
                limit=AddressLimit("passkey options", _PER_ADDRESS),
            ),
            Route(
                method="POST",
                path="/v1/login/passkey",
                handler=self.login,
                guard=PUBLIC,
                summary="Sign in with a passkey",
                description="Every refusal looks the same, and uses the ceremony up as a success does.",
                tag=_SIGN_IN_TAG,
                body=PasskeyLoginBody,
                answers={200: SignInBody},
                problems=(ProblemCode.INVALID_CREDENTIALS,),
                limit=AddressLimit("passkey login", _PER_ADDRESS),
            ),
        )
