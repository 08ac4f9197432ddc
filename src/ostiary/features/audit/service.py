"""Writing and reading the records."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.audit import store
from ostiary.features.audit.devices import device_digest, told_of_device
from ostiary.features.audit.keys import ORIGIN, PersonalData
from ostiary.features.audit.model import (
    IDENTITY,
    IDENTITY_PREFIX,
    NOBODY,
    NOWHERE,
    OSTIARY,
    Action,
    Event,
)
from ostiary.features.outbox import Message, Template
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.ids import first_id_at, format_id, new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ostiary.features.audit.model import Login, LoginRecord
    from ostiary.features.outbox import Outbox, Recipient
    from ostiary.foundation.crypto import Keyring
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Parameter, Transaction

_log = logging.getLogger(__name__)
_LAST_ID: Final = UUID(int=(1 << 128) - 1)
# Three months ahead, and the days by which months differ.
_AHEAD: Final = timedelta(days=93)


class Audit:
    """The records of one installation."""

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        root_keys: Keyring,
        outbox: Outbox,
        tells_new_devices: bool = True,
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._outbox = outbox
        self._tells_new_devices = tells_new_devices
        self._device_key = root_keys.derive("login devices")
        self.personal_data: Final = PersonalData(database, root_keys, entropy)
        """What seals and opens the personal data in events."""

    def record(self, tx: Transaction, event: Event, *, now: datetime) -> None:
        """Write an event with the change it records; if it cannot be written, the change does not happen.

        Webhooks are told of it, too.
        """
        self._add(tx, event, now)
        self._outbox.announce(tx, event.action.replace(":", "."), event.told, now=now)

    async def record_read(self, event: Event, *, now: datetime) -> None:
        """Write the event of a plain read; a failure is logged and never breaks the read."""
        try:
            async with self._database.transaction() as tx:
                self._add(tx, event, now)
        except Unavailable as error:
            _log.warning("The audit line of a read (%s) could not be written. %s", event.action, error)
        except Exception:  # noqa: BLE001 - whatever it is, the read it concerns was allowed and is answered
            _log.warning("The audit line of a read (%s) could not be written.", event.action, exc_info=True)

    def record_login(
        self, tx: Transaction, login: Login, *, owner: Recipient | None = None, now: datetime
    ) -> None:
        """Write one line of login history, and tell the `owner` if it is given and the device is a new one.

        What is told is decided where it is written, by what the history said before this line.
        """
        device = None
        if login.success and login.identity_id is not None:
            device = device_digest(self._device_key, login.identity_id, login)
            self._notify_of_device(tx, login, device, owner, now)
        origin = login.origin.facts()
        tx.defer(
            store.ADD_LOGIN,
            new_id(now, self._entropy),
            login.identity_id,
            login.session_id,
            now,
            login.provider,
            login.method,
            login.success,
            login.failure_reason,
            origin.get("ip_address"),
            origin.get("user_agent"),
            device,
        )

    def sign_in_refused(self, tx: Transaction, login: Login, *, now: datetime) -> None:
        """Record an attempt to sign in that failed, its line and its event, alike for whomever it concerns."""
        identity_id = login.identity_id
        event = Event(
            Action.IDENTITY_SIGN_IN_FAILED,
            NOBODY,
            target_kind=IDENTITY,
            target_id=format_id(IDENTITY_PREFIX, identity_id) if identity_id else None,
            origin=login.origin,
            success=False,
            reason=login.failure_reason,
            metadata={} if login.provider == OSTIARY else {"provider": login.provider},
        )
        self.record_login(tx, login, now=now)
        self.record(tx, event, now=now)

    def session_ended(self, tx: Transaction, session_id: UUID, *, now: datetime) -> None:
        """Note in the history when a session ended, so its duration outlives the session row."""
        tx.defer(store.END_LOGIN, session_id, now)

    def all_sessions_ended(self, tx: Transaction, identity_id: UUID, *, now: datetime) -> None:
        """Note the end of every session of an identity."""
        tx.defer(store.END_LOGINS_OF_IDENTITY, identity_id, now)

    async def logins(
        self, identity_id: UUID, *, limit: int, before: UUID | None = None
    ) -> Sequence[LoginRecord]:
        """Return the newest `limit` lines of an identity's history, older than `before` if given."""
        return await self._database.fetch_all(
            store.LOGINS_OF_IDENTITY, identity_id, before or _LAST_ID, limit
        )

    async def add_months(self, tx: Transaction, *, now: datetime) -> int:
        """Make the partitions of this month and of those to come, where they are missing; return how many."""
        await tx.execute(store.WAIT_BRIEFLY)
        return sum([await tx.fetch_one(add, now, now + _AHEAD) or 0 for add in store.ADD_MONTHS])

    async def purge_events(self, tx: Transaction, *, before: datetime, limit: int) -> int:
        """Drop the months that were over before then, and delete up to `limit` older events that have no month.

        Returns about how many rows that were: a month that is dropped is not counted, its size is as last analysed.
        """
        await tx.execute(store.WAIT_BRIEFLY)
        dropped = await tx.fetch_all(store.DROP_EVENT_MONTHS, before)
        bound = first_id_at(before)
        await tx.execute(store.MOVE_PURGE_MARK, bound, limit)
        return sum(dropped) + await tx.execute(store.PURGE_EVENTS, bound, limit)

    async def purge_logins(self, tx: Transaction, *, before: datetime, limit: int) -> int:
        """Do the same to the login history."""
        await tx.execute(store.WAIT_BRIEFLY)
        dropped = await tx.fetch_all(store.DROP_LOGIN_MONTHS, before)
        return sum(dropped) + await tx.execute(store.PURGE_LOGINS, first_id_at(before), limit)

    def _notify_of_device(
        self, tx: Transaction, login: Login, device: bytes, owner: Recipient | None, now: datetime
    ) -> None:
        if owner is None or not self._tells_new_devices:
            return
        message = Message.to_owner(Template.NEW_DEVICE, owner, told_of_device(login, now=now))
        if message is not None:
            row = self._outbox.row_of(message, now=now)
            tx.defer(store.NOTIFY_OF_DEVICE, *row, login.identity_id, device)

    def _add(self, tx: Transaction, event: Event, now: datetime) -> None:
        tx.defer(store.ADD_EVENT, *self._columns(tx, event, now))

    def _columns(self, tx: Transaction, event: Event, now: datetime) -> tuple[Parameter, ...]:
        if event.origin == NOWHERE:
            event = replace(event, origin=event.actor.origin)
        event_id = new_id(now, self._entropy)
        parts = self.personal_data.sealed_parts(tx, event, event_id, now=now)
        origin = {} if ORIGIN in parts else event.origin.facts()
        return (
            event_id,
            now,
            event.action,
            event.actor.kind,
            event.actor.id,
            event.target_kind,
            event.target_id,
            event.session_id,
            origin.get("ip_address"),
            origin.get("user_agent"),
            event.success,
            event.reason,
            event.metadata | parts,
        )
