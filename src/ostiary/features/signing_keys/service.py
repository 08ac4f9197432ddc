"""Making, publishing, rotating and retiring signing keys."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.audit import SYSTEM, Action, Actor, Audit, Event
from ostiary.features.signing_keys import store
from ostiary.features.signing_keys.errors import SigningKeyInUse, SigningKeyNotFound
from ostiary.features.signing_keys.model import (
    PROMPT_OVERLAP,
    KeyRecord,
    Move,
    Publish,
    Schedule,
    State,
    signer,
    step_due,
    successor,
)
from ostiary.foundation.crypto import associated_data
from ostiary.foundation.ids import encode, new_id
from ostiary.foundation.jose.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ostiary.foundation.crypto import Keyring
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.jose import Algorithm, VerificationKey
    from ostiary.foundation.storage import Database, Statements, Transaction

_ACTIONS: Final = {
    State.NEXT: Action.SIGNING_KEY_PUBLISHED,
    State.ACTIVE: Action.SIGNING_KEY_ACTIVATED,
    State.RETIRING: Action.SIGNING_KEY_RETIRING,
    State.RETIRED: Action.SIGNING_KEY_RETIRED,
}


class SigningKeys:
    """The signing keys of one installation, and this worker's memory of them.

    `load` fills the memory before anything is signed or checked; `refresh` renews it, and must be called more often
    than every `LAG`. New keys are for `algorithm`.
    """

    def __init__(
        self,
        database: Database,
        root_keys: Keyring,
        entropy: Entropy,
        *,
        algorithm: Algorithm,
        schedule: Schedule,
        audit: Audit,
    ) -> None:
        self._database = database
        self._root_keys = root_keys
        self._entropy = entropy
        self._algorithm = algorithm
        self._schedule = schedule
        self._audit = audit
        self._records: Sequence[KeyRecord] = ()
        self._opened: dict[str, SigningKey] = {}
        self._reading = asyncio.Lock()
        self.public: Mapping[str, VerificationKey] = {}
        """The published keys, by key id: those that will sign, the one that does, those whose tokens may live."""

    def signer(self, *, now: datetime) -> SigningKey:
        """The key that signs at `now`: never one before its moment, and each worker changes over at that moment."""
        return self._opened[self._known(signer(self._records, now=now))]

    def jwks(self) -> list[dict[str, Any]]:
        """Return the members of the JSON Web Key Set (RFC 7517 §5): public ones only."""
        return [dict(key.to_jwk()) for key in self.public.values()]

    async def load(self, *, now: datetime) -> None:
        """Take the steps that are due, the making of the first key among them, and read the keys.

        Raises `CannotOpen`.
        """
        await self.rotate_due(now=now)
        await self.refresh()

    async def refresh(self) -> bool:
        """Read the keys again, and say whether others are published than before. Raises `CannotOpen`."""
        # In turn, so that an answer that was overtaken does not bring back a key that is gone.
        async with self._reading:
            rows = await self._database.fetch_all(store.PUBLISHED)
            opened = {row.kid: self._opened.get(row.kid) or self._open(row) for row in rows}
            public = {kid: key.public for kid, key in opened.items()}
            has_changed = public.keys() != self.public.keys()
            self._records, self._opened, self.public = rows, opened, public
            return has_changed

    async def list(self) -> Sequence[KeyRecord]:
        """Return every key there ever was, in the order of their turns."""
        return await self._database.fetch_all(store.ALL)

    async def rotate_due(self, *, now: datetime) -> Sequence[KeyRecord]:
        """Take the steps that are due, in one transaction, and return the keys as each step left them.

        Any number of workers may call it at the same time: one takes the steps, the others find nothing to do.
        """
        # Asked without a lock first: nearly always nothing is due.
        if await self._due(self._database, now) is None:
            return ()
        async with self._database.transaction() as tx:
            await tx.execute(store.LOCK)
            return await self._settle(tx, by=SYSTEM, now=now)

    async def rotate(
        self, tx: Transaction, *, by: Actor, now: datetime, immediately: bool = False
    ) -> KeyRecord:
        """Let another key sign as soon as every worker and every copy of the key set knows it; return that key.

        `immediately` skips the wait: until they read the keys again, others refuse what the new key signs. Call
        `refresh` after the commit.
        """
        await tx.execute(store.LOCK)
        await self._settle(tx, by=SYSTEM, now=now)
        following = successor(await tx.fetch_all(store.PUBLISHED))
        if following is None:
            following = await self._publish(tx, now if immediately else now + PROMPT_OVERLAP, by=by, now=now)
        else:
            soonest = now if immediately else max(now, following.created_at + PROMPT_OVERLAP)
            if soonest < following.activates_at:
                following = replace(following, activates_at=soonest)
                await tx.execute(store.BRING_FORWARD, following.kid, soonest)
                self._record(tx, Action.SIGNING_KEY_BROUGHT_FORWARD, following, by=by, now=now)
        await self._settle(tx, by=by, now=now)
        return await self._get(tx, following.kid)

    async def retire(
        self, tx: Transaction, kid: str, *, compromised: bool, by: Actor, now: datetime
    ) -> Sequence[KeyRecord]:
        """Stop publishing a key and erase its private key; return the keys as each step left them.

        A compromised key goes whatever it does. If it is the active one, so does its successor, which lay in the same
        memory, and a fresh key signs at once. What the key signed is the caller's business: in the same transaction,
        end everything that was issued before. Call `refresh` after the commit. Retiring a retired key does nothing.
        Raises `SigningKeyNotFound`, `SigningKeyInUse`.
        """
        await tx.execute(store.LOCK)
        key = await self._get(tx, kid)
        if key.state is State.RETIRED:
            return ()
        refusal = None if compromised else key.refusal_to_retire(now=now)
        if refusal is not None:
            raise SigningKeyInUse(key.kid, refusal)
        leaving = [key]
        if key.state is State.ACTIVE:
            published = await tx.fetch_all(store.PUBLISHED)
            leaving += [other for other in published if other.state is State.NEXT]
        reason = "compromised" if compromised else None
        moved = [
            await self._move(tx, gone, State.RETIRED, now, by=by, now=now, reason=reason) for gone in leaving
        ]
        return [*moved, *await self._settle(tx, by=by, now=now)]

    async def _settle(self, tx: Transaction, *, by: Actor, now: datetime) -> Sequence[KeyRecord]:
        """Take steps until none is due; whoever calls holds the lock."""
        taken: list[KeyRecord] = []
        while step := await self._due(tx, now):
            if isinstance(step, Publish):
                taken.append(await self._publish(tx, step.activates_at, by=by, now=now))
            else:
                taken.append(await self._move(tx, step.key, step.to, step.retires_at, by=by, now=now))
        return taken

    async def _publish(
        self, tx: Transaction, activates_at: datetime, *, by: Actor, now: datetime
    ) -> KeyRecord:
        # In a thread: an RSA key takes long to find, and others have requests to answer meanwhile.
        key = await asyncio.to_thread(
            SigningKey.generate, self._algorithm, encode(new_id(now, self._entropy))
        )
        sealed = self._root_keys.wrap(key.to_pkcs8(), _place(key.kid, key.algorithm), entropy=self._entropy)
        await tx.execute(store.ADD, key.kid, key.algorithm, key.public.to_jwk(), sealed, now, activates_at)
        record = KeyRecord(key.kid, key.algorithm, State.NEXT, now, activates_at, None)
        self._record(tx, Action.SIGNING_KEY_PUBLISHED, record, by=by, now=now)
        return record

    async def _move(
        self,
        tx: Transaction,
        key: KeyRecord,
        state: State,
        retires_at: datetime | None,
        *,
        by: Actor,
        now: datetime,
        reason: str | None = None,
    ) -> KeyRecord:
        await tx.execute(store.MOVE, key.kid, state, retires_at)
        moved = KeyRecord(key.kid, key.algorithm, state, key.created_at, key.activates_at, retires_at)
        self._record(tx, _ACTIONS[state], moved, by=by, now=now, reason=reason)
        return moved

    def _record(
        self,
        tx: Transaction,
        action: Action,
        key: KeyRecord,
        *,
        by: Actor,
        now: datetime,
        reason: str | None = None,
    ) -> None:
        facts = {"algorithm": key.algorithm.value, "activates_at": key.activates_at.isoformat()}
        if key.retires_at is not None:
            facts["retires_at"] = key.retires_at.isoformat()
        event = Event(action, by, target_kind="signing_key", target_id=key.kid, reason=reason, metadata=facts)
        self._audit.record(tx, event, now=now)

    @staticmethod
    async def _get(tx: Transaction, kid: str) -> KeyRecord:
        key = await tx.fetch_one(store.ONE, kid)
        if key is None:
            raise SigningKeyNotFound
        return key

    async def _due(self, statements: Statements, now: datetime) -> Publish | Move | None:
        keys = await statements.fetch_all(store.PUBLISHED)
        return step_due(keys, self._schedule, algorithm=self._algorithm, now=now)

    def _open(self, row: store.SealedKey) -> SigningKey:
        # The public half comes out of the seal as well, so a public key that was slipped into the table is never
        # believed.
        private_key = self._root_keys.unwrap(row.private_key, _place(row.kid, row.algorithm))
        return SigningKey.from_pkcs8(row.kid, row.algorithm, private_key)

    @staticmethod
    def _known(record: KeyRecord | None) -> str:
        if record is None:
            raise RuntimeError("The signing keys are not loaded: start Ostiary before signing anything.")
        return record.kid


def _place(kid: str, algorithm: Algorithm) -> bytes:
    return associated_data("signing_keys", "private_key", kid, algorithm)
