"""One's own passkeys: adding, naming and removing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.features.audit import Action
from ostiary.features.flows import Factor
from ostiary.features.passkeys import Owner, Refused, external_passkey_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.factors.changes import FactorChanges
    from ostiary.features.passkeys import Ceremony, Passkey, Passkeys
    from ostiary.features.profiles import Profiles
    from ostiary.features.sessions import Caller
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database


class PasskeyManagement:
    """The passkeys of one installation, in the hands of their owners.

    Adding and removing raise `SecondFactorRequired` where the account has a factor and the session was not proven with
    one, and `IdentityNotFound`.
    """

    def __init__(
        self, database: Database, *, profiles: Profiles, passkeys: Passkeys, changes: FactorChanges
    ) -> None:
        self._database = database
        self._profiles = profiles
        self._passkeys = passkeys
        self._changes = changes

    async def begin(self, caller: Caller, *, now: datetime) -> Ceremony:
        """Begin to add a passkey. Raises `TooManyPasskeys`."""
        profile = await self._profiles.find(caller.entity_type, caller.identity_id)
        async with self._database.transaction() as tx:
            identity, _ = await self._changes.allowed(tx, caller, now)
            name = identity.email or identity.phone or caller.external_id
            owner = Owner(identity.id, name, (profile and profile.display_name) or name)
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
        """Add the passkey a browser has made; every other session ends."""
        async with self._database.transaction() as tx:
            owner, _ = await self._changes.allowed(tx, caller, now)
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
                action = Action.FACTOR_REFUSED
                self._changes.record(
                    tx, caller, action, Factor.PASSKEY, now, success=False, reason=outcome.reason
                )
                return outcome
            await self._changes.made(tx, caller, owner, Action.FACTOR_ADDED, Factor.PASSKEY, now)
            return outcome

    async def list(self, caller: Caller) -> Sequence[Passkey]:
        """Return the caller's passkeys, the oldest first."""
        return await self._passkeys.list(caller.identity_id)

    async def rename(self, caller: Caller, passkey_id: UUID, label: str, *, now: datetime) -> Passkey | None:
        """Give a passkey of the caller's another label; None when they have no such passkey."""
        async with self._database.transaction() as tx:
            renamed = await self._passkeys.rename(tx, caller.identity_id, passkey_id, label)
            if renamed is not None:
                named = {"passkey": external_passkey_id(renamed.id)}
                action = Action.PASSKEY_RENAMED
                self._changes.record(tx, caller, action, Factor.PASSKEY, now, metadata=named)
            return renamed

    async def remove(self, caller: Caller, passkey_id: UUID, *, now: datetime) -> bool:
        """Remove a passkey of the caller's, and end every other session; False when they have no such passkey.

        Raises `FactorDemanded`.
        """
        async with self._database.transaction() as tx:
            owner, _ = await self._changes.allowed(tx, caller, now)
            if not await self._passkeys.remove(tx, caller.identity_id, passkey_id):
                return False
            await self._changes.removed(tx, caller, owner, Factor.PASSKEY, now)
            return True
