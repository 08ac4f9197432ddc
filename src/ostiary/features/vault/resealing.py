"""Re-encryption: every record under the current data key, a portion at a time, beside whoever reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.vault import store
from ostiary.features.vault.sealing import SealedTokens, seal_tokens, unseal_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ostiary.features.data_keys import DataKey, DataKeys
    from ostiary.features.vault.store import SealedRow
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Transaction

DELETED_AFTER: Final = timedelta(hours=1)
"""How long a key that nothing needs is kept: a worker that has not heard of its successor may still seal under it."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What one transaction did: how many records, and the last of them; None where there were no more."""

    records: int
    last: UUID | None


class Resealing:
    """Moves the records of a vault to the current data key, and lets go of keys that nothing needs."""

    def __init__(self, database: Database, entropy: Entropy, *, keys: DataKeys) -> None:
        self._database = database
        self._entropy = entropy
        self._keys = keys

    async def behind(self) -> int:
        """Return how many records are sealed under an older key."""
        return await self._database.fetch_one(store.COUNT_BEHIND, self._keys.current.id) or 0

    async def uses(self) -> Mapping[UUID, int]:
        """Return how many records name each data key."""
        return {use.data_key_id: use.records for use in await self._database.fetch_all(store.USES)}

    async def reseal(self, tx: Transaction, *, after: UUID | None, limit: int) -> Portion:
        """Seal the next `limit` records that are behind under the current key; those held by others are left out.

        Raises `CannotOpen`.
        """
        key = self._keys.current
        rows = await tx.fetch_all(store.LOCK_BEHIND, key.id, after or store.FIRST_ID, limit)
        if not rows:
            return Portion(0, None)
        sealed_rows = [(row, _sealed(row)) for row in rows]
        named: set[bytes] = set()
        for _, sealed in sealed_rows:
            named |= sealed.named_keys()
        keys = await self._keys.named(tx, named)
        resealed = [(row.id, self._moved(row, sealed, keys, key)) for row, sealed in sealed_rows]
        await tx.execute(store.RESEAL, *_packed(resealed), key.id)
        return Portion(len(rows), rows[-1].id)

    async def retire_keys(self, tx: Transaction, *, now: datetime) -> Sequence[UUID]:
        """Retire the keys that no record needs any more, and return them; the current one is never among them."""
        return await tx.fetch_all(store.RETIRE_KEYS, self._keys.current.id, now)

    async def delete_keys(self, tx: Transaction, *, now: datetime) -> Sequence[UUID]:
        """Delete, for good, the keys that were retired an hour ago and that nothing needs; return them."""
        return await tx.fetch_all(store.DELETE_KEYS, self._keys.current.id, now - DELETED_AFTER)

    def _moved(
        self, row: SealedRow, sealed: SealedTokens, keys: Mapping[bytes, DataKey], key: DataKey
    ) -> SealedTokens:
        opened = unseal_tokens(keys, row.id, row.identity_id, sealed)
        return seal_tokens(key, row.id, row.identity_id, opened, entropy=self._entropy)


def _sealed(row: SealedRow) -> SealedTokens:
    return SealedTokens(row.access_token, row.refresh_token, row.id_token)


def _packed(rows: Sequence[tuple[UUID, SealedTokens]]) -> tuple[list[list[int | None]], bytes]:
    """Write many rows as one value and where in it each begins, for one statement of either database."""
    places: list[list[int | None]] = []
    parts: list[bytes] = []
    start = 0
    for account_id, sealed in rows:
        found = [value for value in sealed if value is not None]
        places.append([start, *(None if value is None else len(value) for value in sealed)])
        parts += (account_id.bytes, *found)
        start += len(account_id.bytes) + sum(map(len, found))
    return places, b"".join(parts)
