"""Devices that are not asked for a second factor for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import Action, Actor, Event, Origin
from ostiary.features.flows import store
from ostiary.features.flows.model import DEVICE_KIND, NewDevice
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.sessions import device_label
from ostiary.foundation.bearer import BearerSecret
from ostiary.foundation.ids import format_id, new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.flows.model import Device
    from ostiary.features.sessions import Caller
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Transaction


class Devices:
    """The remembered devices of one installation; with a `lifetime` of nothing, none is remembered.

    What makes sessions end because an account's proofs changed forgets its devices as well (`ENDINGS`).
    """

    def __init__(self, database: Database, entropy: Entropy, *, audit: Audit, lifetime: timedelta) -> None:
        self._database = database
        self._entropy = entropy
        self._audit = audit
        self._lifetime = lifetime

    def remember(
        self, tx: Transaction, identity_id: UUID, *, origin: Origin, now: datetime
    ) -> NewDevice | None:
        """Remember a device that a second factor was just shown on, when `tx` ends; None where none is remembered."""
        if not self._lifetime:
            return None
        token = BearerSecret.new(DEVICE_KIND, new_id(now, self._entropy), self._entropy)
        tx.defer(
            store.INSERT_DEVICE,
            token.id,
            identity_id,
            token.digest,
            device_label(origin.user_agent),
            origin.ip_address,
            now,
            now + self._lifetime,
        )
        external_id = format_id(IDENTITY_PREFIX, identity_id)
        event = Event(
            Action.DEVICE_REMEMBERED, Actor.identity(external_id), "identity", external_id, origin=origin
        )
        self._audit.record(tx, event, now=now)
        return NewDevice(token.text, self._lifetime)

    async def list(self, identity_id: UUID, *, now: datetime) -> Sequence[Device]:
        """Return an identity's remembered devices, the last used one first."""
        return await self._database.fetch_all(store.LIST_DEVICES, identity_id, now)

    async def forget(self, caller: Caller, device_id: UUID, *, now: datetime) -> bool:
        """Ask for a second factor on a device of the caller's again; False when they have no such device."""
        async with self._database.transaction() as tx:
            if await tx.execute(store.FORGET_DEVICE, device_id, caller.identity_id) == 0:
                return False
            self._audit.record(tx, caller.event(Action.DEVICE_FORGOTTEN), now=now)
            return True

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` devices that had expired by then; return how many."""
        return await tx.execute(store.PURGE_DEVICES, expired_by, limit)
