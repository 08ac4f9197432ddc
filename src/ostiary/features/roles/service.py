"""Defining, granting and reading roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.roles import store
from ostiary.features.roles.errors import (
    InvalidDescription,
    InvalidPermission,
    InvalidRoleName,
    LastOperator,
    RoleExists,
    RoleNotFound,
    TooManyPermissions,
)
from ostiary.features.roles.model import (
    LONGEST_DESCRIPTION,
    OPERATOR,
    OPERATORS_ARE,
    Declaration,
    Role,
    fit_into_token,
    is_permission,
    is_role_name,
)
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.roles.model import Grant, Holder
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Statements, Transaction


def require_name(role: str) -> None:
    """Accept the name of a role, which need not exist yet. Raises `InvalidRoleName`."""
    if not is_role_name(role):
        raise InvalidRoleName


class Roles:
    """The roles of one installation."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    async def find(self, statements: Statements, name: str) -> Role | None:
        """Return a role with what it allows."""
        return await statements.fetch_one(store.FIND, name)

    async def get(self, statements: Statements, name: str) -> Role:
        """Return a role with what it allows. Raises `RoleNotFound`."""
        found = await self.find(statements, name)
        if found is None:
            raise RoleNotFound
        return found

    async def list(self, statements: Statements, *, limit: int, after: str = "") -> Sequence[Role]:
        """Return up to `limit` roles by name, after the one with the name `after`."""
        return await statements.fetch_all(store.LIST, after, limit)

    async def declared(self, statements: Statements) -> Sequence[Role]:
        """Return the roles that are named in configuration."""
        return await statements.fetch_all(store.DECLARED)

    async def create(self, tx: Transaction, name: str, *, description: str | None, now: datetime) -> Role:
        """Make a role that allows nothing yet. Raises `InvalidRoleName`, `InvalidDescription`, `RoleExists`."""
        check_role(name, description)
        made = await tx.fetch_one(store.INSERT, new_id(now, self._entropy), name, description)
        if made is None:
            raise RoleExists
        return Role(made, name, description, declared=False, permissions=[])

    async def ensure(self, tx: Transaction, name: str, *, now: datetime) -> UUID:
        """Make a role unless it is there, and keep what it allows from changing until `tx` ends.

        Raises `InvalidRoleName`.
        """
        check_role(name, None)
        known = await tx.fetch_one(store.HOLD, name)
        if known is None:
            known = await tx.fetch_one(store.ENSURE, new_id(now, self._entropy), name)
        if known is None:
            raise RoleNotFound
        return known

    async def hold(self, tx: Transaction, name: str) -> UUID:
        """Keep what a role allows from changing until `tx` ends, and return its id. Raises `RoleNotFound`."""
        known = await tx.fetch_one(store.HOLD, name)
        if known is None:
            raise RoleNotFound
        return known

    async def lock(self, tx: Transaction, name: str) -> Role:
        """Read a role, and keep everybody else from changing or granting it until `tx` ends.

        Whoever locks an identity as well locks the role first. Raises `RoleNotFound`.
        """
        if await tx.fetch_one(store.LOCK, name) is None:
            raise RoleNotFound
        return await self.get(tx, name)

    async def describe(self, tx: Transaction, role: Role, *, description: str | None, declared: bool) -> None:
        """Say what a role is for, and whether it is named in configuration. Raises `InvalidDescription`."""
        check_role(role.name, description)
        await tx.execute(store.DESCRIBE, role.id, description, declared)

    async def allow(self, tx: Transaction, role: Role, permissions: Iterable[str]) -> Sequence[str]:
        """Let a locked role allow more, and return what is new. Raises `InvalidPermission`, `TooManyPermissions`."""
        wanted = sorted(set(permissions))
        check_permissions({*role.permissions, *wanted})
        return sorted(await tx.fetch_all(store.ALLOW, role.id, wanted)) if wanted else []

    async def deny(self, tx: Transaction, role: Role, permissions: Iterable[str]) -> Sequence[str]:
        """Let a locked role allow less, and return what it allowed; ending its holders' tokens is the caller's."""
        unwanted = sorted(set(permissions) & set(role.permissions))
        return sorted(await tx.fetch_all(store.DENY, role.id, unwanted)) if unwanted else []

    async def delete(self, tx: Transaction, role: Role) -> None:
        """Delete a locked role with its grants; ending its holders' tokens is the caller's."""
        await tx.execute(store.DELETE, role.id)

    async def grant(
        self,
        tx: Transaction,
        identity_id: UUID,
        role: str,
        *,
        granted_by: str | None,
        expires_at: datetime | None = None,
        now: datetime,
    ) -> None:
        """Give an identity a role, made if it is new; granting again replaces the expiry.

        Raises `InvalidRoleName`.
        """
        role_id = await self.ensure(tx, role, now=now)
        await tx.execute(store.GRANT, identity_id, role_id, granted_by, now, expires_at)

    async def remove(self, tx: Transaction, identity_id: UUID, role: str) -> bool:
        """Take a role away; False when the identity did not have it."""
        return await tx.execute(store.REMOVE, identity_id, role) == 1

    async def granted(self, statements: Statements, identity_id: UUID, *, now: datetime) -> Sequence[Grant]:
        """Return the roles an identity has at `now`, by name."""
        return await statements.fetch_all(store.GRANTS_OF_IDENTITY, identity_id, now)

    async def holders(
        self, statements: Statements, name: str, *, limit: int, after: UUID | None = None, now: datetime
    ) -> Sequence[Holder]:
        """Return up to `limit` of those who have a role at `now`, by id, after the identity `after`."""
        return await statements.fetch_all(store.HOLDERS, name, after or store.FIRST_ID, now, limit)

    async def count_holders(self, tx: Transaction, role: Role, *, limit: int, now: datetime) -> int:
        """Count those who have a role at `now`, up to `limit`."""
        return await tx.fetch_one(store.COUNT_HOLDERS, role.id, now, limit) or 0

    async def require_another_operator(self, tx: Transaction, identity_id: UUID, *, now: datetime) -> None:
        """Make sure that somebody else may administer, for at least as long, if this identity may. Raises `LastOperator`.

        Called before the identity is locked: operators who shut each other out at the same time take turns here.
        """
        held = await self.granted(tx, identity_id, now=now)
        if all(grant.role != OPERATOR for grant in held):
            return
        await self.lock(tx, OPERATOR)
        if not await tx.fetch_one(store.HAS_ANOTHER_OPERATOR, OPERATORS_ARE, OPERATOR, identity_id, now):
            raise LastOperator


def declaration(name: str, description: str | None, permissions: Iterable[str]) -> Declaration:
    """Write down how the configuration wants a role.

    Raises `InvalidRoleName`, `InvalidDescription`, `InvalidPermission`, `TooManyPermissions`.
    """
    declared = Declaration(name, description, frozenset(permissions))
    check_role(name, description)
    check_permissions(declared.permissions)
    return declared


def check_permissions(permissions: Iterable[str]) -> None:
    """Make sure that a role may allow these together. Raises `InvalidPermission`, `TooManyPermissions`."""
    names = list(permissions)
    if not all(map(is_permission, names)):
        raise InvalidPermission
    if not fit_into_token(names):
        raise TooManyPermissions


def check_role(name: str, description: str | None) -> None:
    """Make sure that a role may be called and described so. Raises `InvalidRoleName`, `InvalidDescription`."""
    require_name(name)
    if description is not None and len(description) > LONGEST_DESCRIPTION:
        raise InvalidDescription
