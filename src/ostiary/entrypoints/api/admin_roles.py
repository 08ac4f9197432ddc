"""Operators: roles, what they allow, and who has them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ostiary.entrypoints.api.guards import OPERATORS
from ostiary.entrypoints.api.operators import TAG, Limit, named, operator_of, page_of, somebody
from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import HttpProblem, ProblemCode
from ostiary.entrypoints.http.routes import Route
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.foundation.ids import format_id, parse_id

if TYPE_CHECKING:
    from ostiary.entrypoints.http.request import Request
    from ostiary.features.administration import RoleAdministration
    from ostiary.features.roles import Holder, Role, Roles
    from ostiary.foundation.storage import Database


class RoleBody(Struct, frozen=True):
    """A role and what it allows; one that is `declared` is changed in the configuration and nowhere else."""

    name: str
    description: str | None
    declared: bool
    permissions: list[str]

    @classmethod
    def of(cls, role: Role) -> RoleBody:
        """Write a role."""
        return cls(role.name, role.description, role.declared, role.permissions)


class RolesQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to `limit` roles after the one with the name `after`."""

    limit: Limit = 50
    after: str = ""


class RolesBody(Struct, frozen=True):
    """Roles by name; ask again with `after` set to `next`, if there is one."""

    roles: list[RoleBody]
    next: str | None


class RoleDefinitionBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What a role is for, and all it allows."""

    permissions: list[str]
    description: str | None = None


class HoldersQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to `limit` holders of a role after the one with the id `after`."""

    role: str
    limit: Limit = 50
    after: str | None = None


class HolderBody(Struct, frozen=True):
    """Somebody who has a role, since when, by whom and until when."""

    identity_id: str
    entity_type: str
    email: str | None
    phone: str | None
    role: str
    granted_by: str | None
    granted_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, role: str, holder: Holder) -> HolderBody:
        """Write a holder."""
        return cls(
            identity_id=format_id(IDENTITY_PREFIX, holder.identity_id),
            entity_type=holder.entity_type,
            email=holder.email,
            phone=holder.phone,
            role=role,
            granted_by=holder.granted_by,
            granted_at=holder.granted_at,
            expires_at=holder.expires_at,
        )


class HoldersBody(Struct, frozen=True):
    """Those who have a role; ask again with `after` set to `next`, if there is one."""

    grants: list[HolderBody]
    next: str | None


class GrantRoleBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Who gets which role, and until when, if not for good."""

    identity_id: str
    role: str
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class AdminRolesDoor:
    """The door to roles."""

    def __init__(self, database: Database, roles: Roles, administration: RoleAdministration) -> None:
        self._database = database
        self._roles = roles
        self._administration = administration

    async def list(self, request: Request) -> Answer:
        """List the roles."""
        query: RolesQuery = request.query
        found = await self._roles.list(self._database, limit=query.limit + 1, after=query.after)
        page, more = page_of(found, query.limit)
        return Answer(200, RolesBody([RoleBody.of(role) for role in page], page[-1].name if more else None))

    async def read(self, request: Request) -> Answer:
        """Show a role."""
        return Answer(200, RoleBody.of(await self._roles.get(self._database, request.parameters["name"])))

    async def define(self, request: Request) -> Answer:
        """Make a role, or make it what is said."""
        body: RoleDefinitionBody = request.body
        role = await self._administration.define(
            request.parameters["name"],
            description=body.description,
            permissions=body.permissions,
            by=operator_of(request),
            now=request.now,
        )
        return Answer(200, RoleBody.of(role))

    async def delete(self, request: Request) -> Answer:
        """Delete a role."""
        await self._administration.delete(
            request.parameters["name"], by=operator_of(request), now=request.now
        )
        return Answer(204)

    async def allow(self, request: Request) -> Answer:
        """Let a role allow more."""
        role = await self._administration.allow(
            request.parameters["name"],
            [request.parameters["permission"]],
            by=operator_of(request),
            now=request.now,
        )
        return Answer(200, RoleBody.of(role))

    async def deny(self, request: Request) -> Answer:
        """Let a role allow less."""
        role = await self._administration.deny(
            request.parameters["name"],
            [request.parameters["permission"]],
            by=operator_of(request),
            now=request.now,
        )
        return Answer(200, RoleBody.of(role))

    async def holders(self, request: Request) -> Answer:
        """List those who have a role."""
        query: HoldersQuery = request.query
        after = parse_id(IDENTITY_PREFIX, query.after) if query.after else None
        role = await self._roles.get(self._database, query.role)
        found = await self._roles.holders(
            self._database, role.name, limit=query.limit + 1, after=after, now=request.now
        )
        page, more = page_of(found, query.limit)
        last = format_id(IDENTITY_PREFIX, page[-1].identity_id) if more else None
        return Answer(200, HoldersBody([HolderBody.of(role.name, holder) for holder in page], last))

    async def grant(self, request: Request) -> Answer:
        """Give somebody a role, or another time to hold it."""
        body: GrantRoleBody = request.body
        with somebody():
            await self._administration.grant(
                parse_id(IDENTITY_PREFIX, body.identity_id),
                body.role,
                expires_at=body.expires_at,
                by=operator_of(request),
                now=request.now,
            )
        return Answer(204)

    async def remove(self, request: Request) -> Answer:
        """Take a role away."""
        with somebody():
            removed = await self._administration.remove(
                named(request), request.parameters["role"], by=operator_of(request), now=request.now
            )
        if not removed:
            raise HttpProblem(ProblemCode.NOT_FOUND)
        return Answer(204)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of this door."""
        return (*self._role_routes(), *self._permission_routes(), *self._grant_routes())

    def _role_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/admin/roles",
                handler=self.list,
                guard=OPERATORS,
                summary="List the roles",
                tag=TAG,
                query=RolesQuery,
                answers={200: RolesBody},
            ),
            Route(
                method="GET",
                path="/v1/admin/roles/{name}",
                handler=self.read,
                guard=OPERATORS,
                summary="Show a role",
                tag=TAG,
                answers={200: RoleBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="PUT",
                path="/v1/admin/roles/{name}",
                handler=self.define,
                guard=OPERATORS,
                summary="Make a role, or make it what is said",
                description="What it no longer allows, its holders lose at their next request.",
                tag=TAG,
                body=RoleDefinitionBody,
                answers={200: RoleBody},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.ROLE_DECLARED),
            ),
            Route(
                method="DELETE",
                path="/v1/admin/roles/{name}",
                handler=self.delete,
                guard=OPERATORS,
                summary="Delete a role",
                description="Whoever has it loses it at their next request.",
                tag=TAG,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.ROLE_DECLARED),
            ),
        )

    def _permission_routes(self) -> tuple[Route, ...]:
        path = "/v1/admin/roles/{name}/permissions/{permission}"
        return (
            Route(
                method="PUT",
                path=path,
                handler=self.allow,
                guard=OPERATORS,
                summary="Let a role allow more",
                tag=TAG,
                answers={200: RoleBody},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.ROLE_DECLARED, ProblemCode.INVALID_REQUEST),
            ),
            Route(
                method="DELETE",
                path=path,
                handler=self.deny,
                guard=OPERATORS,
                summary="Let a role allow less",
                description="Its holders lose the permission at their next request.",
                tag=TAG,
                answers={200: RoleBody},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.ROLE_DECLARED),
            ),
        )

    def _grant_routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/admin/role-grants",
                handler=self.holders,
                guard=OPERATORS,
                summary="List those who have a role",
                tag=TAG,
                query=HoldersQuery,
                answers={200: HoldersBody},
                problems=(ProblemCode.NOT_FOUND,),
            ),
            Route(
                method="POST",
                path="/v1/admin/role-grants",
                handler=self.grant,
                guard=OPERATORS,
                summary="Give somebody a role, or another time to hold it",
                description="Their next access token names it. A shorter time acts at their next request.",
                tag=TAG,
                body=GrantRoleBody,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.LAST_OPERATOR),
            ),
            Route(
                method="DELETE",
                path="/v1/admin/role-grants/{id}/{role}",
                handler=self.remove,
                guard=OPERATORS,
                summary="Take a role away from the next request on",
                tag=TAG,
                answers={204: None},
                problems=(ProblemCode.NOT_FOUND, ProblemCode.LAST_OPERATOR),
            ),
        )
