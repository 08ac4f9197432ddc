"""Whose is what several claim, and whose are rows that have moved: decided within a batch, whoever else it takes.

Somebody outside the batch who has to let go joins it, read as of the same moment; so what a batch makes never depends on
who was looked at before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from ostiary.features.legacy import store
from ostiary.features.legacy.model import Aggregate, Derived
from ostiary.features.legacy.rows.claims import bearer_claim, claims_of, holders_here, passkey_claim, rank
from ostiary.features.legacy.rows.fields import Shared
from ostiary.features.legacy.rows.reasons import Severity
from ostiary.features.legacy.running import settling_store
from ostiary.features.passwords import PasswordHash

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ostiary.features.legacy.rows.claims import Holder
    from ostiary.features.legacy.rows.deriving import Deriving
    from ostiary.foundation.storage import Transaction

    ReadOwners = Callable[[Sequence[str]], Awaitable[list[Aggregate]]]


@dataclass(slots=True)
class Batch:
    """Owners over there as of one moment, and what they become; `gone` are keys of those that are not there any more."""

    shared: Shared
    aggregates: dict[str, Aggregate]
    gone: dict[str, int | None] = field(default_factory=dict)
    """By key as text, the version at which it was gone; None for the one that is known here."""
    derived: dict[str, Derived] = field(default_factory=dict)
    lost: dict[str, set[bytes]] = field(default_factory=dict)
    claims: dict[str, dict[bytes, UUID]] = field(default_factory=dict)
    """By key, what only one owner can have and this one claims, and for which identity."""
    known: dict[str, dict[str, UUID]] = field(default_factory=dict)
    """By key, the identities of those who were here before they were over there."""
    spent: set[UUID] = field(default_factory=set)
    """Sessions and one-time links whose token was exchanged here; they stay as that has left them."""
    hashed: dict[UUID, PasswordHash] = field(default_factory=dict)
    """By identity, what became of a password that lies over there as it is."""


class Settling:
    """Decides one batch after the other."""

    def __init__(
        self, migration_id: UUID, deriving: Deriving, bearer_digest: Callable[[str, str], bytes]
    ) -> None:
        self._migration_id = migration_id
        self._deriving = deriving
        self._bearer_digest = bearer_digest

    def derive(self, batch: Batch, keys: Iterable[str]) -> None:
        """Fill in what owners of a batch become."""
        for key in keys:
            derived = batch.derived[key] = self._deriving.derive(
                batch.aggregates[key],
                batch.shared,
                lost=batch.lost.get(key, ()),
                known=batch.known.get(key, {}),
            )
            batch.claims[key] = claims_of(self._deriving, derived) | {
                claim: identity_id for claim, (identity_id, _) in self.secrets(derived).items()
            }

    def claims(self, batch: Batch) -> dict[bytes, Holder]:
        """Return what the owners of a batch have: one of them each, as soon as it is settled."""
        return {
            claim: (identity_id, key)
            for key, claims in batch.claims.items()
            for claim, identity_id in claims.items()
        }

    async def settle(self, tx: Transaction, batch: Batch, read: ReadOwners) -> set[str]:
        """Decide who keeps what several claim: whoever was there first, and before all somebody who was born here.

        Returns whom to look at again: they have lost to somebody of the batch who has not got it either.
        """
        lost_inside: dict[bytes, set[str]] = {}
        unsettled = list(batch.derived)
        self.derive(batch, await self._recognised(tx, batch, unsettled))
        while unsettled:
            losing = await self._decide(tx, batch, lost_inside)
            strangers = losing | await self._moved(tx, batch, unsettled)
            strangers -= batch.aggregates.keys() | batch.gone.keys()
            if strangers:
                batch.aggregates |= {found.text: found for found in await read(sorted(strangers))}
                # Gone over there, though nobody has looked since: as of the version that is known here.
                batch.gone |= dict.fromkeys(strangers - batch.aggregates.keys())
                await self._recognised(tx, batch, strangers)
            unsettled = sorted((losing | strangers) & batch.aggregates.keys())
            self.derive(batch, unsettled)
        kept = self.claims(batch)
        return {key for claim, keys in lost_inside.items() if claim not in kept for key in keys}

    async def _recognised(self, tx: Transaction, batch: Batch, keys: Iterable[str]) -> set[str]:
        """Note the identities that those have who were born here and went back with everything; return their keys."""
        adopted = await tx.fetch_all(settling_store.ADOPTED, self._migration_id, [*keys])
        for one in adopted:
            batch.known.setdefault(one.root_key, {})[one.entity_type] = one.identity_id
        return {one.root_key for one in adopted}

    async def _decide(self, tx: Transaction, batch: Batch, lost_inside: dict[bytes, set[str]]) -> set[str]:
        """Note what owners lose, and return who loses anything."""
        best: dict[bytes, Holder] = {}
        here = batch.derived.keys() | batch.gone.keys()
        holders = await holders_here(tx, self._deriving, batch.derived.values())
        for claim, holder in (*holders, *await self._holders_of_secrets(tx, batch)):
            if holder[1] not in here:
                best[claim] = min(best.get(claim, holder), holder, key=rank)
        losing: set[str] = set()

        def loses(claim: bytes, key: str, winner: Holder) -> None:
            batch.lost.setdefault(key, set()).add(claim)
            losing.add(key)
            if winner[1] in here:
                lost_inside.setdefault(claim, set()).add(key)

        for key, claims in batch.claims.items():
            for claim, identity_id in claims.items():
                mine, rival = (identity_id, key), best.get(claim)
                if rival is None or rank(mine) <= rank(rival):
                    best[claim] = mine
                    if rival is not None and rival[1] is not None and rival[1] != key:
                        loses(claim, rival[1], mine)
                elif rival[1] != key:
                    loses(claim, key, rival)
        return losing

    def secrets(self, derived: Derived) -> dict[bytes, tuple[UUID, bytes]]:
        """Return the tokens and passkeys of an owner by claim: whose they are, and what they are known by here."""
        if not (derived.sessions or derived.challenges or derived.passkeys):
            return {}
        tokens = [
            *((session.identity_id, token) for session in derived.sessions for token in session.tokens),
            *((challenge.identity_id, challenge.token) for challenge in derived.challenges),
        ]
        found = {
            bearer_claim(self._deriving, *token): (owner, self._bearer_digest(*token))
            for owner, token in tokens
        }
        for passkey in derived.passkeys:
            claim = passkey_claim(self._deriving, passkey.credential_id)
            found[claim] = (passkey.identity_id, passkey.credential_id)
        return found

    async def _holders_of_secrets(self, tx: Transaction, batch: Batch) -> list[tuple[bytes, Holder]]:
        found: list[tuple[bytes, Holder]] = []
        known = {
            value: claim
            for derived in batch.derived.values()
            for claim, (_, value) in self.secrets(derived).items()
        }
        for query in (settling_store.HOLDERS_OF_BEARERS, settling_store.HOLDERS_OF_PASSKEYS) if known else ():
            found += [
                (known[held.value], (held.identity_id, held.root_key))
                for held in await tx.fetch_all(query, *settling_store.pieces(known))
            ]
        return found

    async def _moved(self, tx: Transaction, batch: Batch, keys: Sequence[str]) -> set[str]:
        """Return whose rows have moved to these owners; nothing moves that capture has not noted."""
        changed = [
            batch.derived[key] for key in keys if batch.aggregates[key].version and key not in batch.gone
        ]
        if not changed:
            return set()
        holders = await tx.fetch_all(settling_store.MAKERS, *store.packed(sorted(_ids(changed))))
        entities = [[one.entity_type, one.entity_id] for each in changed for one in each.identities]
        if entities:
            found = await tx.fetch_all(settling_store.HOLDERS_OF_ENTITY, entities)
            holders += [holder.root_key for holder in found if holder.root_key is not None]
        findings = [
            [finding.table, finding.key, finding.reason.value]
            for each in changed
            for finding in each.findings
            if finding.reason.severity is not Severity.WARNING
        ]
        if findings:
            holders += await tx.fetch_all(settling_store.HOLDERS_OF_FINDINGS, findings)
        return {*holders}


def _ids(derived: Iterable[Derived]) -> set[bytes]:
    """Return the ids of whatever goes with its row when that moves from owner to owner."""
    return {
        made.id.bytes
        for one in derived
        for kind in (one.sessions, one.challenges, one.totps, one.passkeys, one.logins)
        for made in kind
    }
