"""The care of keys that seal: which are there, what needs them, and moving on to newer ones while everything runs.

Both rotations may be killed at any row: what was moved stays moved, everything is readable in between, and the next run
goes on. docs/decisions/0026-envelope-encryption.md has the argument.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.data_keys import Purpose, external_key_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from ostiary.features.audit import Actor, Audit
    from ostiary.features.data_keys import DataKeys, WrappedKey
    from ostiary.features.vault import Resealing
    from ostiary.foundation.storage import Database, Transaction

    Progress = Callable[[int], None]

# The database works on one portion while the next is sealed here.
_AT_ONCE: Final = 2
# Others may seal under the older key until they hear of the newer one; what they wrote is found by another pass.
_PASSES: Final = 3


@dataclass(frozen=True, slots=True)
class RootKeyStatus:
    """A version of the root key: who holds it, and how many data keys are wrapped under it."""

    version: int
    holder: str
    is_newest: bool
    data_keys: int

    @property
    def may_be_removed(self) -> bool:
        """Whether nothing needs it any more."""
        return not self.is_newest and self.data_keys == 0


@dataclass(frozen=True, slots=True)
class DataKeyStatus:
    """A data key, and how many records name it; those of an installation are needed for as long as it lives."""

    id: str
    purpose: str
    number: int
    kek_version: int
    created_at: datetime
    retired_at: datetime | None
    is_current: bool
    records: int | None


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The root keys and the data keys, the newest of each kind last."""

    root_keys: Sequence[RootKeyStatus]
    data_keys: Sequence[DataKeyStatus]


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """What a re-encryption did; `left` records were written under an older key meanwhile."""

    key_id: str
    resumed: bool
    records: int
    left: int
    retired: Sequence[str]


class KeyCare:
    """Looks after the keys of one installation."""

    def __init__(
        self,
        database: Database,
        *,
        data_keys: DataKeys,
        resealing: Resealing,
        audit: Audit,
        batch_size: int,
    ) -> None:
        self._database = database
        self._batch_size = batch_size
        self._data_keys = data_keys
        self._resealing = resealing
        self._audit = audit

    async def status(self) -> KeyStatus:
        """Return every key, and what needs it."""
        rows, uses = await self._data_keys.list(), await self._resealing.uses()
        service = self._data_keys.key_service
        root_keys = [
            RootKeyStatus(
                version, holder, version == service.newest, sum(row.kek_version == version for row in rows)
            )
            for version, holder in sorted(service.versions.items())
        ]
        return KeyStatus(root_keys, [self._shown(row, uses) for row in rows])

    async def rotate_kek(self, *, by: Actor, now: datetime, on_progress: Progress | None = None) -> int:
        """Wrap every data key under the newest root key, one in a transaction, and return how many there were.

        Raises `CannotOpen`, `Unavailable`.
        """
        newest = self._data_keys.key_service.newest
        done = 0
        for row in await self._data_keys.list():
            if row.kek_version == newest:
                continue
            # Outside of the transaction: a key service may be a network away.
            version, wrapped = await self._data_keys.rewrapped(row)
            async with self._database.transaction() as tx:
                if not await self._data_keys.rewrap(tx, row, version, wrapped):
                    continue
                facts = {"from_version": row.kek_version, "to_version": version, "purpose": row.purpose.value}
                self._record(tx, Action.DATA_KEY_REWRAPPED, row.id, by, now, facts)
            done += 1
            if on_progress is not None:
                on_progress(done)
        return done

    async def reencrypt(
        self, *, by: Actor, now: datetime, on_progress: Progress | None = None
    ) -> Reencrypted:
        """Make a new key for the vault, and seal every record under it; or finish what was begun earlier.

        Raises `CannotOpen`, `Unavailable`.
        """
        resumed = await self._is_unfinished()
        if not resumed:
            made = await self._data_keys.next_one(now=now)
            async with self._database.transaction() as tx:
                if await self._data_keys.add(tx, made):
                    facts = {"purpose": made.purpose.value}
                    self._record(tx, Action.DATA_KEY_CREATED, made.id, by, now, facts)
        await self._data_keys.reload(now=now)
        records = 0

        def count(number: int) -> None:
            nonlocal records
            records += number
            if on_progress is not None:
                on_progress(records)

        left = await self._resealing.behind()
        for _ in range(_PASSES):
            if left == 0:
                break
            await asyncio.gather(*(self._pass(count) for _ in range(_AT_ONCE)))
            left = await self._resealing.behind()
        retired = await self._let_go(by=by, now=now)
        current = external_key_id(self._data_keys.current.id)
        return Reencrypted(current, resumed, records, left, [external_key_id(key) for key in retired])

    async def behind(self) -> int:
        """Return how many records are sealed under an older key than the current one."""
        return await self._resealing.behind()

    async def settle(self, tx: Transaction, *, after: UUID | None, limit: int) -> tuple[int, UUID | None]:
        """Seal a portion of what was written under keys that are already retired; say how many, and where to go on.

        A re-encryption that somebody began is left to them.
        """
        if await self._is_unfinished():
            return 0, None
        portion = await self._resealing.reseal(tx, after=after, limit=limit)
        return portion.records, portion.last

    async def delete_unused(self, tx: Transaction, *, now: datetime) -> int:
        """Delete for good the keys that are retired and that nothing needs; return how many there were."""
        deleted = await self._resealing.delete_keys(tx, now=now)
        for key_id in deleted:
            self._record(tx, Action.DATA_KEY_DELETED, key_id, SYSTEM, now, {"purpose": Purpose.VAULT.value})
        return len(deleted)

    async def _is_unfinished(self) -> bool:
        """Say whether a key for the vault is neither current nor retired: somebody began to move away from it."""
        current = self._data_keys.current.id
        return any(
            row.purpose is Purpose.VAULT and row.id != current and row.retired_at is None
            for row in await self._data_keys.list()
        )

    async def _pass(self, count: Progress) -> None:
        after: UUID | None = None
        while True:
            async with self._database.transaction() as tx:
                portion = await self._resealing.reseal(tx, after=after, limit=self._batch_size)
            if portion.last is None:
                return
            count(portion.records)
            after = portion.last

    async def _let_go(self, *, by: Actor, now: datetime) -> Sequence[UUID]:
        async with self._database.transaction() as tx:
            retired = await self._resealing.retire_keys(tx, now=now)
            for key_id in retired:
                self._record(tx, Action.DATA_KEY_RETIRED, key_id, by, now, {"purpose": Purpose.VAULT.value})
            await self.delete_unused(tx, now=now)
        return retired

    def _record(
        self,
        tx: Transaction,
        action: Action,
        key_id: UUID,
        by: Actor,
        now: datetime,
        facts: Mapping[str, str | int],
    ) -> None:
        event = Event(
            action, by, target_kind="data_key", target_id=external_key_id(key_id), metadata=dict(facts)
        )
        self._audit.record(tx, event, now=now)

    def _shown(self, row: WrappedKey, uses: Mapping[UUID, int]) -> DataKeyStatus:
        in_vault = row.purpose is Purpose.VAULT
        return DataKeyStatus(
            external_key_id(row.id),
            row.purpose,
            row.number,
            row.kek_version,
            row.created_at,
            row.retired_at,
            is_current=row.id == self._data_keys.current.id,
            records=uses.get(row.id, 0) if in_vault else None,
        )
