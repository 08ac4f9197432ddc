"""Making an account, the same way for everybody it is made for: one transaction, all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.audit import NOBODY, SYSTEM, Action, Event
from ostiary.features.identities import IDENTITY_PREFIX, Status
from ostiary.features.provisioning.model import AwaitsApproval
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from ostiary.features.audit import Actor, Audit, Origin
    from ostiary.features.flows import Flows, Proof
    from ostiary.features.identities import (
        EmailAddress,
        EntityTypes,
        Identities,
        NewIdentity,
    )
    from ostiary.features.passwords import PasswordHash, Passwords
    from ostiary.features.provisioning.model import Arrival, Draft
    from ostiary.features.roles import Roles
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Transaction


class Provisioning:
    """What every way into an installation has in common."""

    def __init__(
        self,
        *,
        entity_types: EntityTypes,
        identities: Identities,
        passwords: Passwords,
        roles: Roles,
        flows: Flows,
        audit: Audit,
    ) -> None:
        self.entity_types: Final = entity_types
        self._identities = identities
        self._passwords = passwords
        self._roles = roles
        self._flows = flows
        self._audit = audit

    def check_password(
        self, password: Secret, email: EmailAddress | None, profile: Mapping[str, Any]
    ) -> None:
        """Accept a password of somebody with this address and profile. Raises `UnacceptablePassword`."""
        name = profile.get("display_name")
        context = [word for word in (email.normalized if email else None, name) if isinstance(word, str)]
        self._passwords.check(password, context=context)

    async def hash(
        self, password: Secret, email: EmailAddress | None, profile: Mapping[str, Any]
    ) -> PasswordHash:
        """Check and hash a password, outside any transaction. Raises `UnacceptablePassword`, `HashingOverloaded`."""
        self.check_password(password, email, profile)
        return await self._passwords.hash(password)

    async def hash_unchecked(self, password: Secret | None) -> PasswordHash | None:
        """Hash a password whose owner is known only after their proof; `check_password` has to follow."""
        return None if password is None else await self._passwords.hash(password)

    async def make(
        self, tx: Transaction, draft: Draft, *, by: Actor | None, origin: Origin, now: datetime
    ) -> NewIdentity:
        """Make the identity, its profile, its roles, and what the application's hooks add.

        Raises `IdentifierTaken`, `InvalidProfile`, `InvalidRoleName`, and whatever the hooks raise.
        """
        entity_type = draft.entity_type
        identity = await self._identities.create(
            tx,
            entity_type,
            email=draft.email,
            phone=draft.phone,
            password=(draft.password.text, draft.password.scheme) if draft.password else None,
            profile=draft.profile,
            status=Status.PENDING_VERIFICATION if draft.awaits_approval else Status.ACTIVE,
            verified_at=draft.verified_at,
            locale=draft.locale,
            now=now,
        )
        external_id = format_id(IDENTITY_PREFIX, identity.id)
        for role in draft.roles:
            await self._roles.grant(tx, identity.id, role, granted_by=draft.granted_by, now=now)
            granted = Event(
                Action.ROLE_GRANTED,
                by or SYSTEM,
                target_kind="identity",
                target_id=external_id,
                origin=origin,
                reason=role,
            )
            self._audit.record(tx, granted, now=now)
        for hook in self.entity_types.hooks_for(entity_type.name, draft.roles):
            await hook(tx, identity, draft.profile)
        event = Event(
            Action.IDENTITY_REGISTERED,
            by or NOBODY,
            target_kind="identity",
            target_id=external_id,
            origin=origin,
            metadata={"entity_type": entity_type.name},
        )
        self._audit.record(tx, event, now=now)
        return identity

    async def welcome(
        self,
        tx: Transaction,
        draft: Draft,
        *,
        proof: Proof,
        by: Actor | None,
        origin: Origin,
        now: datetime,
    ) -> Arrival:
        """Make an account and sign its owner in, by what they have proven, unless they have to be approved first."""
        identity = await self.make(tx, draft, by=by, origin=origin, now=now)
        if draft.awaits_approval:
            return AwaitsApproval(identity.id)
        credentials = await self._identities.lock_for_change(tx, identity.id)
        return await self._flows.enter(tx, credentials, proof, origin=origin, now=now)
