"""One batch: whose is what two owners claim, and everything they become, in one transaction.

What was made of an owner before is taken back and made anew, but for their identities, which stay with whatever has
joined them since. A reading that is older than the one before changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from ostiary.features.identities import Channel
from ostiary.features.legacy import store, way_back_store
from ostiary.features.legacy.aggregates import encode_rows
from ostiary.features.legacy.claims import claims_of, holders_here, rank
from ostiary.features.legacy.fields import Shared
from ostiary.features.legacy.loading import PROFILE_TABLES, load, made_ids, role_ids
from ostiary.features.legacy.model import Aggregate, Derived
from ostiary.features.legacy.reasons import Severity
from ostiary.foundation.crypto import MacKey, SealingKey, associated_data

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from datetime import datetime

    from ostiary.features.legacy.aggregates import Owners
    from ostiary.features.legacy.claims import Holder
    from ostiary.features.legacy.deriving import Deriving
    from ostiary.features.legacy.loading import Loading, Rows
    from ostiary.features.legacy.model import MadeIdentity
    from ostiary.features.legacy.store import RootRow
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Parameter, Transaction

    ReadOwners = Callable[[Sequence[str]], Awaitable[list[Aggregate]]]


@dataclass(slots=True)
class Batch:
    """Owners over there as of one moment, and what they become; `gone` are keys of those that are not there any more."""

    shared: Shared
    aggregates: dict[str, Aggregate]
    gone: dict[str, int] = field(default_factory=dict)
    """By key as text, the version at which it was gone."""
    derived: dict[str, Derived] = field(default_factory=dict)
    lost: dict[str, set[bytes]] = field(default_factory=dict)
    known: dict[str, dict[str, UUID]] = field(default_factory=dict)
    """By key, the identities of those who were here before they were over there."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch did: how many owners, what became of their rows, and whom to look at again."""

    owners: int
    counts: dict[str, tuple[int, int, int]]
    """By table: mapped, quarantined and dropped, as the difference to what was before."""
    again: list[str]


class Applying:
    """Makes what owners become. `digest_key` and `archive_key` are the migration's own, of 32 bytes."""

    def __init__(
        self,
        migration_id: UUID,
        deriving: Deriving,
        owners: Owners,
        loading: Loading,
        entropy: Entropy,
        *,
        digest_key: bytes,
        archive_key: bytes,
    ) -> None:
        self.migration_id = migration_id
        self.deriving = deriving
        self._owners = owners
        self._loading = loading
        self._entropy = entropy
        self._digest_key = MacKey(digest_key)
        self._archive_key = SealingKey(archive_key)
        self._archive = associated_data("legacy_roots", "archive", migration_id)
        self._role_ids: dict[str, UUID] = {}

    def derive(self, batch: Batch, keys: Iterable[str] | None = None) -> None:
        """Fill in what the owners of a batch become, all of them or those with these keys."""
        for key in batch.aggregates if keys is None else keys:
            batch.derived[key] = self.deriving.derive(
                batch.aggregates[key],
                batch.shared,
                lost=batch.lost.get(key, ()),
                known=batch.known.get(key, {}),
            )

    async def apply(self, tx: Transaction, batch: Batch, read: ReadOwners, *, now: datetime) -> Applied:
        """Make what a derived batch becomes; `read` reads further owners, as of the same moment."""
        await self._recognise(tx, batch)
        await self._settle(tx, batch, read)
        keys = [*batch.derived, *batch.gone]
        before = {row.root_key: row for row in await tx.fetch_all(store.ROOTS, self.migration_id, keys)}
        fresh = [
            key
            for key, aggregate in batch.aggregates.items()
            if key not in before or before[key].version <= aggregate.version
        ]
        gone = [
            key for key, version in batch.gone.items() if key in before and before[key].version <= version
        ]
        replaced = [before[key] for key in (*fresh, *gone) if key in before]
        released = await self._take_back(tx, batch, replaced, gone)
        if batch.known:
            await tx.execute(store.FORGET_IDENTITIES, self.migration_id, [*batch.known])
        await self._make(tx, batch, fresh, gone, {row.root_key for row in replaced} | batch.known.keys(), now)
        again = await self._waiting(tx, released) if released else []
        return Applied(len(fresh) + len(gone), _difference(batch, fresh, replaced), again)

    def digest(self, aggregate: Aggregate) -> bytes:
        """Return the keyed digest of an owner's rows over there (HMAC-SHA256)."""
        return self._digest_key.mac(encode_rows(aggregate, self._owners.shapes))

    def archived(self, aggregate: Aggregate) -> tuple[bytes, bytes]:
        """Return the keyed digest of an owner's rows over there, and the rows, sealed to their place."""
        encoded = encode_rows(aggregate, self._owners.shapes)
        place = self._archive + associated_data(aggregate.text)
        return self._digest_key.mac(encoded), self._archive_key.seal(encoded, place, entropy=self._entropy)

    async def _recognise(self, tx: Transaction, batch: Batch) -> None:
        """Give those who were born here and went back with everything the identity they have."""
        adopted = await tx.fetch_all(way_back_store.ADOPTED, self.migration_id, [*batch.derived])
        for one in adopted:
            batch.known.setdefault(one.root_key, {})[one.entity_type] = one.identity_id
        self.derive(batch, {one.root_key for one in adopted})

    async def _settle(self, tx: Transaction, batch: Batch, read: ReadOwners) -> None:
        """Decide who keeps what several claim: whoever was there first, and before all somebody who was born here."""
        unsettled = list(batch.derived)
        while unsettled:
            claims = _claims(self.deriving, batch, unsettled)
            best: dict[bytes, Holder] = {}
            for claim, (identity_id, key) in await self._held(tx, claims, batch):
                best[claim] = min(best.get(claim, (identity_id, key)), (identity_id, key), key=rank)
            losing: set[str] = set()
            for key in batch.derived:
                for claim, identity_id in _claims(self.deriving, batch, [key]).items():
                    rival = best.get(claim)
                    if rival is None or rank((identity_id, key)) <= rank(rival):
                        if rival is not None and rival[1] is not None and rival[1] != key:
                            batch.lost.setdefault(rival[1], set()).add(claim)
                            losing.add(rival[1])
                        best[claim] = (identity_id, key)
                    elif rival[1] != key:
                        batch.lost.setdefault(key, set()).add(claim)
                        losing.add(key)
            strangers = sorted(losing - batch.aggregates.keys())
            if strangers:
                batch.aggregates |= {found.text: found for found in await read(strangers)}
            unsettled = [key for key in losing if key in batch.aggregates]
            self.derive(batch, unsettled)

    async def _held(
        self, tx: Transaction, claims: dict[bytes, UUID], batch: Batch
    ) -> list[tuple[bytes, Holder]]:
        """Return who holds here what is claimed, unless they are looked at in this batch anyhow."""
        found = await holders_here(tx, self.deriving, batch.derived.values())
        here = batch.derived.keys() | batch.gone.keys()
        return [(digest, holder) for digest, holder in found if holder[1] not in here and digest in claims]

    async def _take_back(
        self, tx: Transaction, batch: Batch, replaced: Sequence[RootRow], gone: Sequence[str]
    ) -> set[bytes]:
        """Take back what was made of owners before, and return what they have let go of."""
        if not replaced:
            return set()
        await tx.execute(store.FORGET_ROOTS, self.migration_id, [row.root_key for row in replaced])
        await tx.execute(store.FORGET_FINDINGS, self.migration_id, [row.root_key for row in replaced])
        await tx.execute(store.FORGET_IDENTITIES, self.migration_id, [row.root_key for row in replaced])
        staying = {
            identity.id
            for row in replaced
            if row.root_key not in gone
            for identity in batch.derived[row.root_key].identities
        }
        old = {UUID(hex=text) for row in replaced for text in row.made.get("identities", ())}
        before = await tx.fetch_all(store.ADDRESSES, *store.packed(one.bytes for one in old))
        for table, query in store.DELETE.items():
            ids = (UUID(hex=text) for row in replaced for text in row.made.get(table, ()))
            leaving = [one.bytes for one in ids if table != "identities" or one not in staying]
            if leaving:
                await tx.execute(query, *store.packed(leaving))
        if old & staying:
            there = store.packed(one.bytes for one in old & staying)
            await tx.execute(store.UNGRANT, *there)
            await tx.execute(store.RELEASE, *there)
        return self._released(batch, before)

    def _released(self, batch: Batch, before: Sequence[store.Address]) -> set[bytes]:
        claim = self.deriving.claim
        held = set()
        for one in before:
            if one.email_normalized is not None and one.deleted_at is None:
                held.add(claim(Channel.EMAIL, one.entity_type, one.email_normalized))
            if one.phone is not None and one.deleted_at is None:
                held.add(claim(Channel.PHONE, one.entity_type, one.phone))
        return held - _claims(self.deriving, batch, batch.derived).keys()

    async def _make(
        self,
        tx: Transaction,
        batch: Batch,
        fresh: Sequence[str],
        gone: Sequence[str],
        known: set[str],
        now: datetime,
    ) -> None:
        names = {name for key in fresh for _, name in batch.derived[key].roles}
        ids = await role_ids(tx, names, self._role_ids, entropy=self._entropy, now=now)
        rows: dict[str, Rows] = {}
        for key in fresh:
            derived = batch.derived[key]
            there = await self._update(tx, derived) if key in known else False
            self._loading.add(rows, derived, with_identities=not there, role_ids=ids)
            self._add_map(rows, batch, key, now)
        for key in gone:
            rows.setdefault("legacy_roots", []).append(
                (self.migration_id, key, batch.gone[key], None, None, {}, {})
            )
        await load(tx, rows)

    async def _update(self, tx: Transaction, derived: Derived) -> bool:
        """Bring identities that are there up to date; False if none was, or not all."""
        there = await tx.fetch_all(store.ADDRESSES, *store.packed(one.id.bytes for one in derived.identities))
        if len(there) < len(derived.identities):
            # An owner of whom one identity is there and another is not: the first is made anew.
            if there:
                await tx.execute(store.DELETE["identities"], *store.packed(one.id.bytes for one in there))
            return False
        for identity in derived.identities:
            await tx.execute(store.UPDATE_IDENTITY, *_identity_values(identity))
            profile, table = identity.profile, PROFILE_TABLES.get(identity.entity_type)
            if profile is not None and table is not None:
                values = [profile[name] for name in store.PROFILE_FIELDS]
                await tx.execute(store.UPDATE_PROFILE[table], identity.id, *values, identity.updated_at)
        return bool(derived.identities)

    def _add_map(self, rows: dict[str, Rows], batch: Batch, key: str, now: datetime) -> None:
        aggregate, derived = batch.aggregates[key], batch.derived[key]
        adopted = {*batch.known.get(key, {}).values()}
        digest, archive = self.archived(aggregate)
        counts = {name: [one.mapped, one.quarantined, one.dropped] for name, one in derived.counts.items()}
        rows.setdefault("legacy_roots", []).append(
            (
                *(self.migration_id, aggregate.text, aggregate.version, digest, archive),
                *(made_ids(derived), counts),
            )
        )
        rows.setdefault("legacy_identities", []).extend(
            (identity.id, self.migration_id, aggregate.text, identity.id in adopted)
            for identity in derived.identities
        )
        seen = set()
        for finding in derived.findings:
            severity = finding.reason.severity
            place_of = (finding.table, finding.key, finding.reason)
            if severity is Severity.WARNING or place_of in seen:
                continue
            seen.add(place_of)
            rows.setdefault("legacy_findings", []).append(
                (
                    *(self.migration_id, finding.table, finding.key, finding.reason.value, aggregate.text),
                    *(severity.value, finding.column, finding.claim, now),
                )
            )

    async def _waiting(self, tx: Transaction, released: set[bytes]) -> list[str]:
        return await tx.fetch_all(store.WAITING, *store.packed(sorted(released)), self.migration_id)


def _claims(deriving: Deriving, batch: Batch, keys: Iterable[str]) -> dict[bytes, UUID]:
    """Return what owners claim, and for which identity."""
    found: dict[bytes, UUID] = {}
    for key in keys:
        found |= claims_of(deriving, batch.derived[key])
    return found


def _difference(
    batch: Batch, fresh: Sequence[str], replaced: Sequence[RootRow]
) -> dict[str, tuple[int, int, int]]:
    sums: dict[str, list[int]] = {}
    for key in fresh:
        for table, counts in batch.derived[key].counts.items():
            sums.setdefault(table, [0, 0, 0])
            for place, number in enumerate((counts.mapped, counts.quarantined, counts.dropped)):
                sums[table][place] += number
    for row in replaced:
        for table, numbers in row.counts.items():
            sums.setdefault(table, [0, 0, 0])
            for place, number in enumerate(numbers):
                sums[table][place] -= number
    return {table: (one[0], one[1], one[2]) for table, one in sums.items()}


def _identity_values(made: MadeIdentity) -> tuple[Parameter, ...]:
    return (
        *(made.id, made.entity_id, made.email, made.email_normalized, made.email_verified_at, made.phone),
        *(made.phone_verified_at, made.password_hash, made.password_scheme, made.password_scheme),
        *(made.status, made.failed_login_attempts, made.locked_until, made.last_login_at, made.locale),
        *(made.created_at, made.updated_at, made.deleted_at),
    )
