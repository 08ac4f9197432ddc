"""One's own passkeys: adding, naming and removing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.features.audit import Action, Event
from ostiary.features.flows import Factor
from ostiary.features.outbox import Template
from ostiary.features.passkeys import Owner, Refused, external_passkey_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.factors.changes import FactorChanges
    from ostiary.features.identities import Identities
    from ostiary.features.passkeys import Ceremony, Passkey, Passkeys
    from ostiary.features.profiles import Profiles
    from ostiary.features.sessions import Caller
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction


class PasskeyManagement:
    """The passkeys of one installation, in the hands of their owners."""

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        profiles: Profiles,
        passkeys: Passkeys,
        changes: FactorChanges,
        audit: Audit,
    ) -> None:
        self._database = database
        self._identities = identities
        self._profiles = profiles
        self._passkeys = passkeys
        self._changes = changes
        self._audit = audit

    async def begin(self, caller: Caller, *, now: datetime) -> Ceremony:
        """Begin to add a passkey. Raises `SecondFactorRequired`, `TooManyPasskeys`, `IdentityNotFound`."""
        identity = await self._identities.get(caller.identity_id)
        profile = await self._profiles.find(caller.entity_type, caller.identity_id)
        name = identity.email or identity.phone or identity.external_id
        owner = Owner(identity.id, name, (profile and profile.display_name) or name)
        async with self._database.transaction() as tx:
            await self._changes.begin(tx, caller, now=now)
            return await self._passkeys.begin_registration(tx, owner, session_id=caller.session_id, now=now)

    async def add(
        self,
        caller: Caller,
        token: Secret,
        credential: Mapping[str, Any],
        *,
        label: str | None,
        now: datetime,
    ) -> Passkey | Refused:
        """Add the passkey a browser has made; every other session ends.

        Raises `SecondFactorRequired`, `IdentityNotFound`.
        """
        async with self._database.transaction() as tx:
            owner, _ = await self._changes.begin(tx, caller, now=now)
            outcome = await self._passkeys.finish_registration(
                tx,
                token,
                credential,
                identity_id=caller.identity_id,
                session_id=caller.session_id,
                label=label,
                now=now,
            )
            if isinstance(outcome, Refused):
                self._record(tx, caller, Action.FACTOR_REFUSED, None, now, reason=outcome.reason)
                return outcome
            self._record(tx, caller, Action.FACTOR_ADDED, outcome, now)
            await self._changes.made(tx, caller, owner, Template.FACTOR_ADDED, Factor.PASSKEY, now=now)
            return outcome

    async def list(self, caller: Caller) -> Sequence[Passkey]:
        """Return the caller's passkeys, the oldest first."""
        return await self._passkeys.list(caller.identity_id)

    async def rename(self, caller: Caller, passkey_id: UUID, label: str, *, now: datetime) -> Passkey | None:
        """Give a passkey of the caller's another label; None when they have no such passkey."""
        async with self._database.transaction() as tx:
            renamed = await self._passkeys.rename(tx, caller.identity_id, passkey_id, label)
            if renamed is not None:
                self._record(tx, caller, Action.PASSKEY_RENAMED, renamed, now)
            return renamed

    async def remove(self, caller: Caller, passkey_id: UUID, *, now: datetime) -> bool:
        """Remove a passkey of the caller's, and end every other session; False when they have no such passkey.

        Raises `SecondFactorRequired`, `FactorDemanded`, `IdentityNotFound`.
        """
        async with self._database.transaction() as tx:
            owner, _ = await self._changes.begin(tx, caller, now=now)
            removed = await self._passkeys.remove(tx, caller.identity_id, passkey_id)
            if removed is None:
                return False
            self._record(tx, caller, Action.FACTOR_REMOVED, removed, now)
            await self._changes.removed(tx, caller, owner, Factor.PASSKEY, now=now)
            return True

    def _record(
        self,
        tx: Transaction,
        caller: Caller,
        action: Action,
        passkey: Passkey | None,
        now: datetime,
        *,
        reason: str | None = None,
    ) -> None:
        event = Event(
            action,
            caller.actor,
            target_kind="passkey" if passkey else "identity",
            target_id=external_passkey_id(passkey.id) if passkey else caller.external_id,
            session_id=caller.session_id,
            origin=caller.origin,
            success=reason is None,
            reason=reason,
        )
        self._audit.record(tx, event, now=now)
