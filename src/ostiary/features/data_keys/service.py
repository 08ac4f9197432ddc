"""Making, unwrapping and remembering data keys."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.data_keys import store
from ostiary.features.data_keys.model import (
    DataKey,
    Purpose,
    RootKeyMissing,
    RootKeysMissing,
    bound_to,
    unwrapped,
)
from ostiary.features.data_keys.store import WrappedKey
from ostiary.foundation.crypto import KEY_SIZE, CannotOpen, Keyring
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.key_service import KeyService
    from ostiary.foundation.storage import Database, Statements, Transaction

_READ_AGAIN_AFTER: Final = timedelta(minutes=1)
_FIRST: Final = 1


class DataKeys:
    """The data keys of one installation, and this worker's memory of them.

    `load` makes what is missing and fills the memory; `refresh` lets a running worker move on to keys that were made
    meanwhile.
    """

    def __init__(self, database: Database, key_service: KeyService, entropy: Entropy) -> None:
        self.key_service = key_service
        self._database = database
        self._entropy = entropy
        self._opened: dict[UUID, DataKey] = {}
        self._current: DataKey | None = None
        self._read_at: datetime | None = None

    @property
    def current(self) -> DataKey:
        """The key that the vault seals under."""
        if self._current is None:
            raise RuntimeError("The data keys are not loaded: start Ostiary before sealing anything.")
        return self._current

    async def load(self, *, adopt: Mapping[int, bytes] | None, now: datetime) -> Keyring:
        """Make the keys that are missing, read them all, and return the keys of the installation.

        Before there were data keys, root keys sealed everything; what such a database holds stays readable, as they
        (`adopt`) become its data keys. Any number of workers may start on an empty database: they agree.
        Raises `RootKeyMissing`, `RootKeysMissing`, `CannotOpen`, `Unavailable`.
        """
        rows = await self._read()
        if not any(row.purpose is Purpose.INSTALLATION for row in rows):
            await self._make_first(adopt, now)
            rows = await self._read()
        if not any(row.purpose is Purpose.VAULT for row in rows):
            await self._make(Purpose.VAULT, {_FIRST: self._entropy.token_bytes(KEY_SIZE)}, now)
            rows = await self._read()
        self._check(rows)
        await self._open_all(rows)
        self._read_at = now
        return Keyring(
            {row.number: self._opened[row.id].secret for row in rows if row.purpose is Purpose.INSTALLATION}
        )

    async def named(self, source: Statements, names: Iterable[bytes]) -> Mapping[bytes, DataKey]:
        """Return the keys whose ids these are, as bytes. Raises as `get`."""
        try:
            return {name: await self.get(source, UUID(bytes=name)) for name in names}
        except ValueError:
            raise CannotOpen from None

    async def check(self) -> None:
        """Make sure that the root keys of all data keys are configured. Raises `RootKeyMissing`."""
        self._check(await self._read())

    async def refresh(self, *, now: datetime) -> None:
        """Read the keys again if it is a minute since, and seal under the newest from now on. Raises as `load`."""
        if self._read_at is not None and abs(now - self._read_at) < _READ_AGAIN_AFTER:
            return
        await self.reload(now=now)

    async def get(self, source: Statements, key_id: UUID) -> DataKey:
        """Return a key, from memory unless somebody has made it a moment ago.

        Raises `CannotOpen`, also for one that is gone, and `Unavailable`.
        """
        known = self._opened.get(key_id)
        if known is not None:
            return known
        row = await source.fetch_one(store.ONE, key_id)
        if row is None:
            raise CannotOpen
        return await self._open(row)

    async def list(self) -> Sequence[WrappedKey]:
        """Return every key as it is stored, wrapped."""
        return await self._read()

    async def next_one(self, *, now: datetime) -> WrappedKey:
        """Return another key for the vault, wrapped and not stored yet. Raises `Unavailable`."""
        current = self.current
        # Records name the oldest key they need, by its id: ids must be in the order of the keys, whatever the clock says.
        key_id = UUID(int=max(new_id(now, self._entropy).int, current.id.int + 1))
        secret = self._entropy.token_bytes(KEY_SIZE)
        return await self._wrapped(key_id, Purpose.VAULT, current.number + 1, secret, now)

    async def add(self, tx: Transaction, row: WrappedKey) -> bool:
        """Store a key; False if another of this number was stored meanwhile."""
        values = (row.id, row.purpose, row.number, row.wrapped_key, row.kek_version, row.created_at)
        return await tx.execute(store.ADD, *values) > 0

    async def reload(self, *, now: datetime) -> None:
        """Read the keys again, and seal under the newest from now on. Raises `CannotOpen`, `Unavailable`."""
        await self._open_all(await self._read())
        self._read_at = now

    async def rewrapped(self, row: WrappedKey) -> tuple[int, bytes]:
        """Return the newest root key's version, and a data key wrapped under it. Raises `CannotOpen`, `Unavailable`."""
        key = await self._open(row)
        version = self.key_service.newest
        return version, await self.key_service.wrap(key.secret, bound_to(row.id, row.purpose, row.number))

    async def rewrap(self, tx: Transaction, row: WrappedKey, version: int, wrapped: bytes) -> bool:
        """Store a data key as it was wrapped anew; False if somebody else has just done it."""
        return await tx.execute(store.REWRAP, row.id, row.kek_version, wrapped, version) > 0

    async def _make_first(self, adopt: Mapping[int, bytes] | None, now: datetime) -> None:
        if not await self._database.fetch_one(store.IS_OLDER):
            await self._make(Purpose.INSTALLATION, {_FIRST: self._entropy.token_bytes(KEY_SIZE)}, now)
        elif adopt is None:
            raise RootKeysMissing
        else:
            await self._make(Purpose.INSTALLATION, adopt, now)

    async def _make(self, purpose: Purpose, secrets: Mapping[int, bytes], now: datetime) -> None:
        """Store keys, by number, unless there are such; all of them or none, as others look meanwhile."""
        rows = [
            await self._wrapped(new_id(now, self._entropy), purpose, number, secret, now)
            for number, secret in sorted(secrets.items())
        ]
        async with self._database.transaction() as tx:
            for row in rows:
                await self.add(tx, row)

    async def _wrapped(
        self, key_id: UUID, purpose: Purpose, number: int, secret: bytes, now: datetime
    ) -> WrappedKey:
        # Never within a transaction: a key service may be a network away.
        version = self.key_service.newest
        wrapped = await self.key_service.wrap(secret, bound_to(key_id, purpose, number))
        return WrappedKey(key_id, purpose, number, wrapped, version, now, None)

    async def _read(self) -> Sequence[WrappedKey]:
        return await self._database.fetch_all(store.ALL)

    def _check(self, rows: Iterable[WrappedKey]) -> None:
        missing = {row.kek_version for row in rows}.difference(self.key_service.versions)
        if missing:
            raise RootKeyMissing(sorted(missing))

    async def _open_all(self, rows: Sequence[WrappedKey]) -> None:
        opened = await asyncio.gather(*(self._open(row) for row in rows))
        of_vault = [
            key
            for row, key in zip(rows, opened, strict=True)
            if row.purpose is Purpose.VAULT and row.retired_at is None
        ]
        self._opened = {key.id: key for key in opened}
        self._current = max(of_vault, key=lambda key: key.number)

    async def _open(self, row: WrappedKey) -> DataKey:
        known = self._opened.get(row.id)
        if known is not None:
            return known
        secret = await unwrapped(
            self.key_service,
            row.id,
            row.purpose,
            row.number,
            version=row.kek_version,
            wrapped=row.wrapped_key,
        )
        key = DataKey(row.id, row.number, secret)
        self._opened[row.id] = key
        return key
