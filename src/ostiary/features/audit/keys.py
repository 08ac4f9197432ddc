"""Personal data in the audit events, under keys that are destroyed with the identity they belong to.

Owns `audit_keys`. An event is never changed, and its seal covers what is stored; so what is to be forgotten one day is
stored sealed. A worker that holds no key of an identity makes another one and stores it with the event: nothing is ever
read to write an event. docs/decisions/0024-erasure-by-destroying-keys.md has the argument.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import msgspec

from ostiary.features.audit import store
from ostiary.features.audit.model import Origin
from ostiary.foundation.crypto import KEY_SIZE, CannotOpen, associated_data, seal, unseal
from ostiary.foundation.ids import format_id, new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from ostiary.features.audit.model import Event
    from ostiary.foundation.crypto import Keyring
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Parameter, Transaction

ORIGIN: Final = "origin"
PERSONAL: Final = "personal"
PARTS: Final = (ORIGIN, PERSONAL)
_KEY_PREFIX: Final = "aky"
# Bounded in time, so that no memory of a worker outlives an erasure by much, and in number.
_KEPT_FOR: Final = timedelta(hours=1)
_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    secret: bytes = field(repr=False)
    good_until: datetime


class SealedPart(msgspec.Struct, frozen=True):
    """A part of an event's metadata that only its key opens."""

    key: str
    sealed: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What an event says about persons; `is_erased` where it said more, and no key opens it any more."""

    origin: Origin
    personal: dict[str, Any]
    is_erased: bool


class PersonalData:
    """Seals and opens the personal data in the events of one installation."""

    def __init__(self, database: Database, root_keys: Keyring, entropy: Entropy) -> None:
        self._database = database
        self._root_keys = root_keys
        self._entropy = entropy
        self._known: OrderedDict[UUID, _Key] = OrderedDict()
        # Known to others, and here to be used again, only when the transaction that stores them has ended well.
        self._fresh: WeakKeyDictionary[Transaction, dict[UUID, _Key]] = WeakKeyDictionary()

    def sealed_parts(
        self, tx: Transaction, event: Event, event_id: UUID, *, now: datetime
    ) -> dict[str, SealedPart]:
        """Return what goes into an event's metadata instead of the personal data it was given.

        Where it came from belongs to whoever did it, and to whom it was done if that is nobody we know; what else is
        personal belongs to whom it was done. An event about nobody has no such part.
        """
        parts = (
            (ORIGIN, event.origin_owner, event.origin.facts()),
            (PERSONAL, event.target_identity, event.personal),
        )
        return {
            name: self._sealed(tx, owner, event_id, name, content, now)
            for name, owner, content in parts
            if owner is not None and content
        }

    async def open(self, events: Sequence[tuple[UUID, Mapping[str, Any]]]) -> list[Opened]:
        """Open what is personal in some events, each given as its id and metadata, by one query for all of them."""
        found = [{name: _part(metadata.get(name)) for name in PARTS} for _, metadata in events]
        keys = await self._keys(part.key for parts in found for part in parts.values() if part is not None)
        return [_opened(keys, event_id, parts) for (event_id, _), parts in zip(events, found, strict=True)]

    async def purge(self, tx: Transaction, *, created_by: datetime, limit: int) -> int:
        """Delete up to `limit` keys made by then; the caller knows that no event stands under them any more."""
        return await tx.execute(store.PURGE_KEYS, created_by, limit)

    def _sealed(
        self,
        tx: Transaction,
        owner: UUID,
        event_id: UUID,
        name: str,
        content: Mapping[str, Parameter],
        now: datetime,
    ) -> SealedPart:
        key = self._key(tx, owner, now)
        plain = msgspec.json.encode(content)
        sealed = seal(key.secret, plain, _place(event_id, name), entropy=self._entropy)
        return SealedPart(key.id, base64.b64encode(sealed).decode())

    def _key(self, tx: Transaction, owner: UUID, now: datetime) -> _Key:
        known = self._known.get(owner)
        if known is not None and now < known.good_until:
            return known
        fresh = self._fresh.setdefault(tx, {})
        if owner not in fresh:
            fresh[owner] = key = self._new_key(tx, owner, now)
            tx.on_commit(partial(self._remember, owner, key))
        return fresh[owner]

    def _new_key(self, tx: Transaction, owner: UUID, now: datetime) -> _Key:
        key_id = format_id(_KEY_PREFIX, new_id(now, self._entropy))
        secret = self._entropy.token_bytes(KEY_SIZE)
        wrapped = self._root_keys.wrap(secret, _wrapping(key_id, owner), entropy=self._entropy)
        tx.defer(store.ADD_KEY, key_id, owner, wrapped, now)
        return _Key(key_id, secret, now + _KEPT_FOR)

    def _remember(self, owner: UUID, key: _Key) -> None:
        self._known[owner] = key
        self._known.move_to_end(owner)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    async def _keys(self, ids: Iterable[str]) -> Mapping[str, bytes]:
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        opened: dict[str, bytes] = {}
        for row in await self._database.fetch_all(store.KEYS, wanted):
            # One that was tampered with, or needs a root key that is gone, must not hide all others.
            with suppress(CannotOpen):
                opened[row.id] = self._root_keys.unwrap(row.key_sealed, _wrapping(row.id, row.identity_id))
        return opened


def _opened(keys: Mapping[str, bytes], event_id: UUID, parts: Mapping[str, SealedPart | None]) -> Opened:
    contents: dict[str, dict[str, Any]] = {}
    is_erased = False
    for name, part in parts.items():
        content = None if part is None else _content(keys, event_id, name, part)
        is_erased = is_erased or (part is not None and content is None)
        contents[name] = content or {}
    origin = Origin(contents[ORIGIN].get("ip_address"), contents[ORIGIN].get("user_agent"))
    return Opened(origin, contents[PERSONAL], is_erased)


def _content(keys: Mapping[str, bytes], event_id: UUID, name: str, part: SealedPart) -> dict[str, Any] | None:
    """Open one part; None when its key is gone, or when it was tampered with, which the seals will tell."""
    key = keys.get(part.key)
    if key is None:
        return None
    try:
        plain = unseal(key, base64.b64decode(part.sealed, validate=True), _place(event_id, name))
        return msgspec.json.decode(plain, type=dict[str, Any])
    except (CannotOpen, ValueError, msgspec.MsgspecError):
        return None


def _part(value: Any) -> SealedPart | None:
    """Read a part; what is none was not written by us."""
    try:
        return msgspec.convert(value, SealedPart)
    except msgspec.ValidationError:
        return None


def _place(event_id: UUID, name: str) -> bytes:
    return associated_data("audit_events", name, event_id)


def _wrapping(key_id: str, owner: UUID) -> bytes:
    return associated_data("audit_keys", "key_sealed", key_id, owner)
