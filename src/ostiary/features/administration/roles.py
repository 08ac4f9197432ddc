"""What operators and the configuration do to roles, and what that ends.

Whoever loses a permission loses it at their next request (ADM-05): the tokens that name it end in the transaction that
takes it away, those of the holders up to some thousands of them, everybody's beyond.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.administration.errors import ExpiryPassed
from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.roles import OPERATOR, Declaration, RoleDeclared, RoleExists
from ostiary.features.sessions import EndReason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.administration.changes import Changes
    from ostiary.features.audit import Actor, Audit
    from ostiary.features.identities import Identities
    from ostiary.features.roles import Role, Roles
    from ostiary.features.sessions import Sessions
    from ostiary.foundation.storage import Database, Transaction

_AT_ONCE: Final = 500
# A refresh that reads the database just before the commit issues its token a moment after.
_OVERLAP: Final = timedelta(seconds=1)


class RoleAdministration:
    """The roles of one installation, in the hands of operators and the configuration.

    `named` are the roles that settings name, which are not deleted. `most_holders` is how many holders' tokens are ended one by one; a role that more have ends everybody's.
    """

    def __init__(
        self,
        database: Database,
        *,
        changes: Changes,
        identities: Identities,
        roles: Roles,
        sessions: Sessions,
        audit: Audit,
        named: Collection[str] = (),
        most_holders: int = 5_000,
    ) -> None:
        self._database = database
        self._changes = changes
        self._identities = identities
        self._roles = roles
        self._sessions = sessions
        self._audit = audit
        self._named = frozenset(named)
        self._most_holders = most_holders

    async def create(
        self,
        name: str,
        *,
        description: str | None = None,
        permissions: Iterable[str] = (),
        by: Actor,
        now: datetime,
    ) -> Role:
        """Make a role.

        Raises `InvalidRoleName`, `InvalidDescription`, `InvalidPermission`, `TooManyPermissions`, `RoleExists`.
        """
        async with self._database.transaction() as tx:
            role = await self._create(tx, name, description, by, now)
            await self._set(tx, role, permissions, by, now)
            return await self._roles.get(tx, name)

    async def define(
        self, name: str, *, description: str | None, permissions: Iterable[str], by: Actor, now: datetime
    ) -> Role:
        """Make a role, or make it what is said here. Raises what `create` raises, and `RoleDeclared`."""
        async with self._database.transaction() as tx:
            try:
                role = await self._create(tx, name, description, by, now)
            except RoleExists:
                role = await self._lock(tx, name)
                if role.description != description:
                    await self._roles.describe(tx, role, description=description, declared=False)
                    self._record(tx, Action.ROLE_DESCRIBED, name, by, now)
            await self._set(tx, role, permissions, by, now)
            return await self._roles.get(tx, name)

    async def allow(self, name: str, permissions: Iterable[str], *, by: Actor, now: datetime) -> Role:
        """Let a role allow more; its holders' next access tokens say so.

        Raises `RoleNotFound`, `RoleDeclared`, `InvalidPermission`, `TooManyPermissions`.
        """
        async with self._database.transaction() as tx:
            await self._allow(tx, await self._lock(tx, name), permissions, by, now)
            return await self._roles.get(tx, name)

    async def deny(self, name: str, permissions: Iterable[str], *, by: Actor, now: datetime) -> Role:
        """Let a role allow less, from its holders' next requests on. Raises `RoleNotFound`, `RoleDeclared`."""
        async with self._database.transaction() as tx:
            await self._deny(tx, await self._lock(tx, name), permissions, by, now)
            return await self._roles.get(tx, name)

    async def delete(self, name: str, *, by: Actor, now: datetime) -> None:
        """Delete a role; whoever has it loses it at their next request. Raises `RoleNotFound`, `RoleDeclared`."""
        async with self._database.transaction() as tx:
            role = await self._lock(tx, name)
            if name in self._named:
                raise RoleDeclared
            self._record(tx, Action.ROLE_DELETED, name, by, now)
            await self._end_tokens_of_holders(tx, role, by, now)
            await self._roles.delete(tx, role)

    async def grant(
        self,
        identity_id: UUID,
        role: str,
        *,
        expires_at: datetime | None = None,
        by: Actor,
        now: datetime,
    ) -> None:
        """Give somebody a role, or another time to hold it; their next access token names it.

        Raises `IdentityNotFound`, `RoleNotFound`, `ExpiryPassed`, and `LastOperator` for a shorter time.
        """
        if expires_at is not None and expires_at <= now:
            raise ExpiryPassed
        async with self._database.transaction() as tx:
            await self._take_hold(tx, role)
            held = await self._roles.granted(tx, identity_id, now=now)
            is_shortened = any(grant.role == role and grant.outlives(expires_at) for grant in held)
            if is_shortened and role == OPERATOR:
                await self._changes.keep_an_operator(tx, identity_id, by, now)
            await self._identities.lock_for_change(tx, identity_id)
            await self._roles.grant(
                tx, identity_id, role, granted_by=by.id or by.kind, expires_at=expires_at, now=now
            )
            self._changes.record(tx, Action.ROLE_GRANTED, identity_id, by, now, reason=role)
            if is_shortened:
                # Tokens that were minted for the longer time would outlive the grant (ADM-05).
                await self._end_tokens(tx, identity_id, now)

    async def remove(self, identity_id: UUID, role: str, *, by: Actor, now: datetime) -> bool:
        """Take a role away from the next request on (ADM-05); False when they did not have it.

        Raises `IdentityNotFound`, `RoleNotFound`, `LastOperator`.
        """
        async with self._database.transaction() as tx:
            await self._take_hold(tx, role)
            if role == OPERATOR:
                await self._changes.keep_an_operator(tx, identity_id, by, now)
            await self._identities.lock_for_change(tx, identity_id)
            removed = await self._roles.remove(tx, identity_id, role)
            if removed:
                self._changes.record(tx, Action.ROLE_REMOVED, identity_id, by, now, reason=role)
                await self._end_tokens(tx, identity_id, now)
            return removed

    async def declare(self, declarations: Sequence[Declaration], *, releases: bool, now: datetime) -> None:
        """Make the roles what the configuration wants them to be; nothing happens where they are.

        With `releases`, roles that were declared and are not any more can be changed by hand again, and stay. Any
        number of workers may do this at the same time. Raises `InvalidPermission`, `TooManyPermissions`.
        """
        known = {role.name: role for role in await self._roles.declared(self._database)}
        wanted = {declared.name: declared for declared in declarations}
        due = {name for name, declared in wanted.items() if not declared.is_kept_by(known.get(name))}
        if releases:
            due |= known.keys() - wanted.keys()
        if not due:
            return
        async with self._database.transaction() as tx:
            # In one order, as the other workers that start now do the same.
            for name in sorted(due):
                await self._declare(tx, name, wanted.get(name), now)

    async def _declare(self, tx: Transaction, name: str, declared: Declaration | None, now: datetime) -> None:
        if declared is None:
            role = await self._roles.lock(tx, name)
            await self._roles.describe(tx, role, description=role.description, declared=False)
            self._record(tx, Action.ROLE_RELEASED, name, SYSTEM, now)
            return
        with suppress(RoleExists):
            await self._create(tx, name, declared.description, SYSTEM, now)
        role = await self._roles.lock(tx, name)
        if declared.is_kept_by(role):
            return
        await self._roles.describe(tx, role, description=declared.description, declared=True)
        self._record(tx, Action.ROLE_DECLARED, name, SYSTEM, now)
        await self._set(tx, role, declared.permissions, SYSTEM, now)

    async def _create(
        self, tx: Transaction, name: str, description: str | None, by: Actor, now: datetime
    ) -> Role:
        role = await self._roles.create(tx, name, description=description, now=now)
        self._record(tx, Action.ROLE_CREATED, name, by, now)
        return role

    async def _lock(self, tx: Transaction, name: str) -> Role:
        """Lock a role that may be changed by hand."""
        role = await self._roles.lock(tx, name)
        if role.declared:
            raise RoleDeclared
        return role

    async def _take_hold(self, tx: Transaction, name: str) -> None:
        """Keep a role as it is until `tx` ends.

        Operators take turns: whether one is left is asked under this lock, which those who share it could not take.
        """
        if name == OPERATOR:
            await self._roles.lock(tx, name)
        else:
            await self._roles.hold(tx, name)

    async def _set(
        self, tx: Transaction, role: Role, permissions: Iterable[str], by: Actor, now: datetime
    ) -> None:
        wanted, had = set(permissions), set(role.permissions)
        await self._deny(tx, role, had - wanted, by, now)
        await self._allow(tx, replace(role, permissions=sorted(had & wanted)), wanted, by, now)

    async def _allow(
        self, tx: Transaction, role: Role, permissions: Iterable[str], by: Actor, now: datetime
    ) -> None:
        allowed = await self._roles.allow(tx, role, permissions)
        if allowed:
            self._record(tx, Action.ROLE_PERMISSION_ADDED, role.name, by, now, permissions=allowed)

    async def _deny(
        self, tx: Transaction, role: Role, permissions: Iterable[str], by: Actor, now: datetime
    ) -> None:
        denied = await self._roles.deny(tx, role, permissions)
        if denied:
            self._record(tx, Action.ROLE_PERMISSION_REMOVED, role.name, by, now, permissions=denied)
            await self._end_tokens_of_holders(tx, role, by, now)

    async def _end_tokens(self, tx: Transaction, identity_id: UUID, now: datetime) -> None:
        await self._sessions.end_access_tokens(tx, identity_id, reason=EndReason.ROLE_REMOVED, now=now)

    async def _end_tokens_of_holders(self, tx: Transaction, role: Role, by: Actor, now: datetime) -> None:
        """End every access token that names a locked role, and as few others as may be."""
        revocations, reason, who = self._sessions.revocations, EndReason.ROLE_REMOVED, by.id or by.kind
        most = self._most_holders
        if await self._roles.count_holders(tx, role, limit=most + 1, now=now) > most:
            await revocations.end_everything(tx, sessions=False, reason=reason, by=who, now=now + _OVERLAP)
            return
        after: UUID | None = None
        while True:
            raised = await self._identities.raise_epochs_of_holders(
                tx, role.id, after=after, limit=_AT_ONCE, now=now
            )
            await revocations.end_epochs(tx, raised, reason=reason, by=who, now=now)
            if len(raised) < _AT_ONCE:
                return
            after = raised[-1].id

    def _record(
        self,
        tx: Transaction,
        action: Action,
        name: str,
        by: Actor,
        now: datetime,
        *,
        permissions: Sequence[str] = (),
    ) -> None:
        metadata = {"permissions": list(permissions)} if permissions else {}
        event = Event(action, by, target_kind="role", target_id=name, metadata=metadata)
        self._audit.record(tx, event, now=now)
