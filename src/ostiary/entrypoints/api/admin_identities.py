"""Operators: other people's accounts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct, field

from ostiary.entrypoints.api.account import HistoryQuery, LoginBody, LoginHistoryBody
from ostiary.entrypoints.api.bodies import ProfileBody
from ostiary.entrypoints.api.callers import origin_of
from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.api.operators import TAG, Limit, named, operator_of, page_of, somebody
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import ProblemCode
from ostiary.entrypoints.http.routes import Route
from ostiary.features.identities import (
    IDENTITY_PREFIX,
    IdentityFilter,
    Status,
    parse_email,
    parse_phone,
)
from ostiary.features.registration import NewAccount
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ostiary.entrypoints.http.request import Request
    from ostiary.features.administration import Administration
    from ostiary.features.audit import Audit
    from ostiary.features.identities import Identities, Identity
    from ostiary.features.profiles import Profiles
    from ostiary.features.registration import Registration
    from ostiary.features.roles import Grant, Roles
    from ostiary.foundation.storage import Database

_LOGIN_PREFIX: Final = "lgn"
_MOST_ROLES: Final = 50
_Moment = Annotated[datetime, Meta(tz=True)]


class IdentitiesQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to look for: by address, kind, state, and when they came; up to `limit` after the one with the id `after`."""

    id: str | None = None
    email: str | None = None
    phone: str | None = None
    entity_type: str | None = None
    status: Status | None = None
    created_from: _Moment | None = None
    created_before: _Moment | None = None
    limit: Limit = 50
    after: str | None = None


class AccountBody(Struct, frozen=True):
    """An account as operators see it: nothing of its credentials, but whether there is something to do about them."""

    id: str
    entity_type: str
    entity_id: str
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    status: Status
    locale: str | None
    must_change_password: bool
    failed_login_attempts: int
    locked_until: datetime | None
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, identity: Identity) -> AccountBody:
        """Write an identity."""
        return cls(
            id=identity.external_id,
            entity_type=identity.entity_type,
            entity_id=identity.entity_id,
            email=identity.email,
            email_verified_at=identity.email_verified_at,
            phone=identity.phone,
            phone_verified_at=identity.phone_verified_at,
            status=identity.status,
            locale=identity.locale,
            must_change_password=identity.must_change_password,
            failed_login_attempts=identity.failed_login_attempts,
            locked_until=identity.locked_until,
            last_login_at=identity.last_login_at,
            created_at=identity.created_at,
            updated_at=identity.updated_at,
        )


class AccountsBody(Struct, frozen=True):
    """Accounts in the order they were made; ask again with `after` set to `next`, if there is one."""

    identities: list[AccountBody]
    next: str | None


class HeldRoleBody(Struct, frozen=True):
    """A role somebody has, since when, by whom, until when, and what it allows."""

    role: str
    permissions: list[str]
    granted_by: str | None
    granted_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, grant: Grant) -> HeldRoleBody:
        """Write a grant."""
        return cls(grant.role, grant.permissions, grant.granted_by, grant.granted_at, grant.expires_at)


class HeldRolesBody(Struct, frozen=True):
    """The roles somebody has."""

    roles: list[HeldRoleBody]


class AccountDetailsBody(Struct, frozen=True):
    """An account with its profile, null where the application keeps it, and its roles."""

    identity: AccountBody
    profile: ProfileBody | None
    roles: list[HeldRoleBody]


class NewIdentityBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An account to make. Its password is its owner's business: they are sent a link to set one (ADM-04)."""

    email: str | None = None
    phone: str | None = None
    entity_type: str = "user"
    profile: dict[str, Any] = field(default_factory=dict)
    roles: Annotated[list[str], Meta(max_length=_MOST_ROLES)] = []


class AdminIdentitiesDoor:
    """The door to other people's accounts."""

    def __init__(
        self,
        database: Database,
        administration: Administration,
        registration: Registration,
        *,
        identities: Identities,
        profiles: Profiles,
        roles: Roles,
        audit: Audit,
    ) -> None:
        self._database = database
        self._administration = administration
        self._registration = registration
        self._identities = identities
        self._profiles = profiles
        self._roles = roles
        self._audit = audit

    async def search(self, request: Request) -> Answer:
        """Look for accounts."""
        query: IdentitiesQuery = request.query
        if query.id is not None:
            with somebody():
                found = await self._identities.get(parse_id(IDENTITY_PREFIX, query.id))
            return Answer(200, AccountsBody([AccountBody.of(found)], None))
        matching = IdentityFilter(
            entity_type=query.entity_type,
            status=query.status,
            email_normalized=parse_email(query.email).normalized if query.email else None,
            phone=parse_phone(query.phone).e164 if query.phone else None,
            made_from=query.created_from,
            made_before=query.created_before,
        )
        after = parse_id(IDENTITY_PREFIX, query.after) if query.after else None
        page, more = page_of(
            await self._identities.list(matching, limit=query.limit + 1, after=after), query.limit
        )
        body = AccountsBody([AccountBody.of(one) for one in page], page[-1].external_id if more else None)
        return Answer(200, body)

    async def create(self, request: Request) -> Answer:
        """Make an account, and send its owner a link to set a password with."""
        body: NewIdentityBody = request.body
        by, now = operator_of(request), request.now
        for role in body.roles:
            await self._roles.get(self._database, role)
        account = NewAccount(body.entity_type, body.email, body.phone, None, body.profile)
        made = await self._registration.create(
            account, roles=body.roles, by=by, origin=origin_of(request), now=now
        )
        await self._administration.send_password_link(made.id, by=by, now=now)
        return Answer(201, AccountBody.of(await self._identities.get(made.id)))

    async def read(self, request: Request) -> Answer:
        """Show one account; that it was looked at is recorded."""
        with somebody():
            identity = await self._administration.read(
                named(request), by=operator_of(request), now=request.now
            )
        profile = await self._profiles.find(identity.entity_type, identity.id)
        grants = await self._roles.granted(self._database, identity.id, now=request.now)
        return Answer(
            200,
            AccountDetailsBody(
                AccountBody.of(identity),
                ProfileBody.of(identity.entity_type, profile) if profile else None,
                [HeldRoleBody.of(grant) for grant in grants],
            ),
        )

    async def login_history(self, request: Request) -> Answer:
        """Show who signed in to an account, or tried to; that it was looked at is recorded."""
        query: HistoryQuery = request.query
        before = parse_id(_LOGIN_PREFIX, query.before) if query.before else None
        with somebody():
            identity = await self._administration.read(
                named(request), by=operator_of(request), now=request.now
            )
        records = await self._audit.logins(identity.id, limit=query.limit, before=before)
        return Answer(200, LoginHistoryBody([LoginBody.of(record) for record in records]))

    async def roles(self, request: Request) -> Answer:
        """Show the roles somebody has."""
        identity_id = named(request)
        with somebody():
            await self._identities.get(identity_id)
        grants = await self._roles.granted(self._database, identity_id, now=request.now)
        return Answer(200, HeldRolesBody([HeldRoleBody.of(grant) for grant in grants]))

    def _acting(self, act: Callable[..., Awaitable[None]]) -> Callable[[Request], Awaitable[Answer]]:
        """Return the handler that does something of `Administration` to the account a path names."""

        async def handler(request: Request) -> Answer:
            with somebody():
                await act(named(request), by=operator_of(request), now=request.now)
            return Answer(204)

        return handler

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (*self._reading(), *self._actions())

    def _reading(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/admin/identities",
                handler=self.search,
                guard=OPERATORS,
                summary="Look for accounts",
                description="In the order they were made. Addresses are compared as they are stored, whole.",
                tag=TAG,
                query=IdentitiesQuery,
                answers={200: AccountsBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="POST",
                path="/v1/admin/identities",
                handler=self.create,
                guard=OPERATORS,
                summary="Make an account",
                description=(
                    "Without a password: its owner is sent a link, or a code to their phone, to set one with. When that "
                    "has expired, they ask for another, as whoever forgot theirs does."
                ),
                tag=TAG,
                body=NewIdentityBody,
                answers={201: AccountBody},
                problems=(ProblemCode.IDENTIFIER_TAKEN, ProblemCode.NOT_FOUND),
            ),
            Route(
                method="GET",
                path="/v1/admin/identities/{id}",
                handler=self.read,
                guard=OPERATORS,
                summary="Show an account",
                tag=TAG,
                answers={200: AccountDetailsBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="GET",
                path="/v1/admin/identities/{id}/login-history",
                handler=self.login_history,
                guard=OPERATORS,
                summary="Who signed in to an account, or tried to",
                tag=TAG,
                query=HistoryQuery,
                answers={200: LoginHistoryBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="GET",
                path="/v1/admin/identities/{id}/roles",
                handler=self.roles,
                guard=OPERATORS,
                summary="The roles somebody has",
                tag=TAG,
                answers={200: HeldRolesBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
        )

    def _actions(self) -> tuple[Route, ...]:
        do = self._administration
        return (
            self._action(
                "suspend",
                do.suspend,
                "Keep somebody out from their next request on",
                ProblemCode.OWN_ACCOUNT,
                ProblemCode.LAST_OPERATOR,
            ),
            self._action("reactivate", do.reactivate, "Let somebody sign in again", ProblemCode.WRONG_STATE),
            self._action("unlock", do.unlock, "Give somebody their attempts at the password back"),
            self._action(
                "require-password-change",
                do.require_password_change,
                "Demand a new password at the next sign-in",
            ),
            self._action("end-sessions", do.end_sessions, "End every session and token somebody has"),
            self._action(
                "send-password-link",
                do.send_password_link,
                "Send somebody a link to set a password with",
                ProblemCode.WRONG_STATE,
            ),
        )

    def _action(
        self, name: str, act: Callable[..., Awaitable[None]], summary: str, *problems: ProblemCode
    ) -> Route:
        return Route(
            method="POST",
            path=f"/v1/admin/identities/{{id}}/{name}",
            handler=self._acting(act),
            guard=OPERATORS,
            summary=summary,
            tag=TAG,
            answers={204: None},
            problems=(ProblemCode.NOT_FOUND, *problems),
        )
