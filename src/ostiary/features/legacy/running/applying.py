"""One batch: whose is what two owners claim, and everything they become, in one transaction.

What was made of an owner before is taken back and made anew, but for their identities, which stay with whatever has
joined them since. A reading that is older than the one before changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ostiary.features.identities import Channel
from ostiary.features.legacy import store
from ostiary.features.legacy.rows.aggregates import encode_rows
from ostiary.features.legacy.rows.claims import rank
from ostiary.features.legacy.rows.reasons import Severity
from ostiary.features.legacy.running import settling_store
from ostiary.features.legacy.running.loading import PROFILE_TABLES, SECRETS, load, made_ids, role_ids
from ostiary.features.legacy.running.settling import Batch, Settling
from ostiary.foundation.crypto import MacKey, SealingKey, associated_data
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from ostiary.features.legacy.model import Aggregate, Derived, MadeIdentity
    from ostiary.features.legacy.rows.aggregates import Owners
    from ostiary.features.legacy.rows.claims import Holder
    from ostiary.features.legacy.rows.deriving import Deriving
    from ostiary.features.legacy.running.loading import Loading, Rows
    from ostiary.features.legacy.running.settling import ReadOwners
    from ostiary.features.legacy.store import RootRow
    from ostiary.features.passwords import Passwords
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Parameter, Transaction


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch did: how many owners, what became of their rows, and whom to look at again."""

    owners: int
    counts: dict[str, tuple[int, int, int]]
    """By table: mapped, quarantined and dropped, as the difference to what was before."""
    again: list[str]


class PlainTextsLeftError(Exception):
    """Somebody joined the batch whose password nobody has hashed yet, which a transaction does not wait for."""


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
        passwords: Passwords,
        digest_key: bytes,
        archive_key: bytes,
    ) -> None:
        self.migration_id = migration_id
        self.deriving = deriving
        self._owners = owners
        self._loading = loading
        self._entropy = entropy
        self._passwords = passwords
        self._digest_key = MacKey(digest_key)
        self._archive_key = SealingKey(archive_key)
        self._archive = associated_data("legacy_roots", "archive", migration_id)
        self._role_ids: dict[str, UUID] = {}
        self._settling = Settling(migration_id, deriving, loading.bearer_digest)

    def derive(self, batch: Batch, keys: Iterable[str] | None = None) -> None:
        """Fill in what the owners of a batch become, all of them or those with these keys."""
        self._settling.derive(batch, batch.aggregates if keys is None else keys)

    async def hash_plain_texts(self, batch: Batch) -> None:
        """A password that lies over there as it is lies nowhere so here: it is hashed before the batch is applied."""
        for identity, password in _open_passwords(batch):
            if identity.id not in batch.hashed:
                batch.hashed[identity.id] = await self._passwords.hash(Secret(password))

    async def apply(self, tx: Transaction, batch: Batch, read: ReadOwners, *, now: datetime) -> Applied:
        """Make what a derived batch becomes; `read` reads further owners, as of the same moment.

        Raises `PlainTextsLeftError` when one of those has a password that is not hashed yet; nothing is made then.
        """
        orphaned = await self._settling.settle(tx, batch, read)
        for identity, _ in [*_open_passwords(batch)]:
            if identity.id not in batch.hashed:
                raise PlainTextsLeftError
            hashed = batch.hashed[identity.id]
            identity.password_hash, identity.password_scheme = hashed.text, hashed.scheme
        keys = [*batch.derived, *batch.gone]
        before = {row.root_key: row for row in await tx.fetch_all(store.ROOTS, self.migration_id, keys)}
        fresh = [
            key
            for key, aggregate in batch.aggregates.items()
            if key not in before or before[key].version <= aggregate.version
        ]
        gone = {
            key: before[key].version if version is None else version
            for key, version in batch.gone.items()
            if key in before and (version is None or before[key].version <= version)
        }
        replaced = [before[key] for key in (*fresh, *gone) if key in before]
        if replaced:
            batch.spent = await self._spent(tx, batch)
        released = await self._take_back(tx, batch, replaced, gone)
        if batch.known:
            await tx.execute(store.FORGET_IDENTITIES, self.migration_id, [*batch.known])
        await self._make(tx, batch, fresh, gone, {row.root_key for row in replaced} | batch.known.keys(), now)
        again = await self._waiting(tx, released) if released else []
        return Applied(
            len(fresh) + len(gone), _difference(batch, fresh, replaced), [*again, *sorted(orphaned)]
        )

    def digest(self, aggregate: Aggregate) -> bytes:
        """Return the keyed digest of an owner's rows over there (HMAC-SHA256)."""
        return self._digest_key.mac(encode_rows(aggregate, self._owners.shapes))

    def archived(self, aggregate: Aggregate) -> tuple[bytes, bytes]:
        """Return the keyed digest of an owner's rows over there, and the rows, sealed to their place."""
        encoded = encode_rows(aggregate, self._owners.shapes)
        place = self._archive + associated_data(aggregate.text)
        return self._digest_key.mac(encoded), self._archive_key.seal(encoded, place, entropy=self._entropy)

    async def _take_back(
        self, tx: Transaction, batch: Batch, replaced: Sequence[RootRow], gone: Collection[str]
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
        before = await self._had(tx, replaced)
        for table, query in store.DELETE.items():
            ids = (UUID(hex=text) for row in replaced for text in row.made.get(table, ()))
            leaving = [one.bytes for one in ids if one not in staying and one not in batch.spent]
            if leaving:
                await tx.execute(query, *store.packed(leaving))
        if old & staying:
            there = store.packed(one.bytes for one in old & staying)
            await tx.execute(store.UNGRANT, *there)
            await tx.execute(store.RELEASE, *there)
        after = self._settling.claims(batch)
        return {
            claim
            for claim, holder in before.items()
            if claim not in after or rank(after[claim]) > rank(holder)
        }

    async def _spent(self, tx: Transaction, batch: Batch) -> set[UUID]:
        """Return whose token was exchanged here: what is made of its row again must not be good for another exchange."""
        digest = self._loading.bearer_digest
        made = [
            *(
                (session.id, token)
                for one in batch.derived.values()
                for session in one.sessions
                for token in session.tokens
            ),
            *(
                (challenge.id, challenge.token)
                for one in batch.derived.values()
                for challenge in one.challenges
            ),
        ]
        whose = {digest(*token): made_id for made_id, token in made}
        if not whose:
            return set()
        return {
            whose[spent]
            for spent in await tx.fetch_all(settling_store.SPENT_BEARERS, *settling_store.pieces(whose))
        }

    async def _had(self, tx: Transaction, replaced: Sequence[RootRow]) -> dict[bytes, Holder]:
        """Return what these owners have here that one only can have."""
        owners = {UUID(hex=text): row.root_key for row in replaced for text in row.made.get("identities", ())}
        linked = [UUID(hex=text).bytes for row in replaced for text in row.made.get("linked_accounts", ())]
        claim = self.deriving.claim
        had: dict[bytes, Holder] = {}
        for one in await tx.fetch_all(store.ADDRESSES, *store.packed(one.bytes for one in owners)):
            if one.deleted_at is not None:
                continue
            if one.email_normalized is not None:
                had[claim(Channel.EMAIL, one.entity_type, one.email_normalized)] = (one.id, owners[one.id])
            if one.phone is not None:
                had[claim(Channel.PHONE, one.entity_type, one.phone)] = (one.id, owners[one.id])
        for account in await tx.fetch_all(store.ACCOUNTS, *store.packed(linked)) if linked else ():
            digest = claim("account", account.entity_type, account.provider, account.provider_account_id)
            had[digest] = (account.identity_id, owners.get(account.identity_id))
        for row in replaced:
            for identity, secrets in row.made.get(SECRETS, {}).items():
                had |= dict.fromkeys(map(bytes.fromhex, secrets), (UUID(hex=identity), row.root_key))
        return had

    async def _make(
        self,
        tx: Transaction,
        batch: Batch,
        fresh: Sequence[str],
        gone: Mapping[str, int],
        known: set[str],
        now: datetime,
    ) -> None:
        names = {name for key in fresh for _, name in batch.derived[key].roles}
        ids = await role_ids(tx, names, self._role_ids, entropy=self._entropy, now=now)
        rows: dict[str, Rows] = {}
        for key in fresh:
            derived = batch.derived[key]
            there = await self._update(tx, derived) if key in known else set()
            self._loading.add(rows, derived, there=there | batch.spent, role_ids=ids)
            self._add_map(rows, batch, key, now)
        for key, version in gone.items():
            rows.setdefault("legacy_roots", []).append((self.migration_id, key, version, None, None, {}, {}))
        await load(tx, rows)

    async def _update(self, tx: Transaction, derived: Derived) -> set[UUID]:
        """Bring the identities of an owner up to date that are there, and return their ids."""
        found = await tx.fetch_all(store.ADDRESSES, *store.packed(one.id.bytes for one in derived.identities))
        there = {one.id for one in found}
        for identity in derived.identities:
            if identity.id not in there:
                continue
            await tx.execute(store.UPDATE_IDENTITY, *_identity_values(identity))
            profile, table = identity.profile, PROFILE_TABLES.get(identity.entity_type)
            if profile is not None and table is not None:
                values = [profile[name] for name in store.PROFILE_FIELDS]
                times = (identity.created_at, identity.updated_at, identity.deleted_at)
                await tx.execute(store.UPDATE_PROFILE[table], identity.id, *values, *times)
        return there

    def _add_map(self, rows: dict[str, Rows], batch: Batch, key: str, now: datetime) -> None:
        aggregate, derived = batch.aggregates[key], batch.derived[key]
        adopted = {*batch.known.get(key, {}).values()}
        digest, archive = self.archived(aggregate)
        counts = {name: [one.mapped, one.quarantined, one.dropped] for name, one in derived.counts.items()}
        rows.setdefault("legacy_roots", []).append(
            (
                *(self.migration_id, aggregate.text, aggregate.version, digest, archive),
                *(made_ids(derived) | self._secrets(derived), counts),
            )
        )
        rows.setdefault("legacy_identities", []).extend(
            (identity.id, self.migration_id, aggregate.text, identity.id in adopted)
            for identity in derived.identities
        )
        seen = set()
        for finding in derived.findings:
            severity = finding.reason.severity
            place_of = (finding.table, finding.key, finding.reason, finding.column or "")
            if severity is Severity.WARNING or place_of in seen:
                continue
            seen.add(place_of)
            rows.setdefault("legacy_findings", []).append(
                (
                    *(self.migration_id, finding.table, finding.key, finding.reason.value, aggregate.text),
                    *(severity.value, finding.column or "", finding.claim, now),
                )
            )

    def _secrets(self, derived: Derived) -> dict[str, Any]:
        """Return by identity what only it may have and what cannot be seen in what is kept of it."""
        found: dict[str, list[str]] = {}
        for claim, (identity_id, _) in self._settling.secrets(derived).items():
            found.setdefault(identity_id.hex, []).append(claim.hex())
        return {SECRETS: found} if found else {}

    async def _waiting(self, tx: Transaction, released: set[bytes]) -> list[str]:
        return await tx.fetch_all(settling_store.WAITING, *store.packed(sorted(released)), self.migration_id)


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


def _open_passwords(batch: Batch) -> Iterator[tuple[MadeIdentity, str]]:
    for derived in batch.derived.values():
        for identity in derived.identities:
            password = identity.open_password
            if password is not None:
                yield identity, password


def _identity_values(made: MadeIdentity) -> tuple[Parameter, ...]:
    return (
        *(made.id, made.entity_id, made.email, made.email_normalized, made.email_verified_at, made.phone),
        *(made.phone_verified_at, made.password_hash, made.password_scheme, made.password_scheme),
        *(made.status, made.failed_login_attempts, made.locked_until, made.last_login_at, made.locale),
        *(made.created_at, made.updated_at, made.deleted_at),
    )
