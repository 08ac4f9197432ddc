"""Which live tokens are dead anyway, and how surely we know.

Entries form a set: applying one twice, or late, or in another order changes nothing. Kinds are combined, so
none can hide another (RT-08). One caller applies and expires; any number may check, from any thread.

What is held of a token, session or identity is one number under the hash of its id, in many small dictionaries:
a million take less than 100 MB, and neither growing nor forgetting ever stops the rest for long.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from ostiary.verifier.principal import Principal

_EVERYBODY: Final = "*"


class RevocationKind(StrEnum):
    """What a revocation ends."""

    TOKEN = "token"  # noqa: S105 - a kind of revocation, not a secret
    SESSION = "session"
    IDENTITY = "identity"
    CLIENT = "client"
    ALL = "all"


class Revocation(Struct, frozen=True, kw_only=True):
    """One entry of the feed.

    `identity` ends tokens of an epoch below `min_epoch`; `client` and `all` end tokens issued before
    `not_before`; `token` and `session` end what `subject` names. An entry without its mark would end
    nothing, so it raises `ValueError`. After `expires_at` no token it concerns is alive.
    """

    seq: int
    kind: RevocationKind
    subject: str
    expires_at: datetime
    min_epoch: int | None = None
    not_before: datetime | None = None

    def __post_init__(self) -> None:
        if self.kind is RevocationKind.IDENTITY and self.min_epoch is None:
            raise ValueError("A revocation of an identity's tokens needs min_epoch.")
        if self.kind in {RevocationKind.CLIENT, RevocationKind.ALL} and self.not_before is None:
            raise ValueError("A revocation by time of issue needs not_before.")

    def ends(self, principal: Principal) -> bool:
        """Say whether the token of a principal was issued before this entry's moment."""
        return self.not_before is not None and principal.issued_at < self.not_before

    def combined_with(self, other: Revocation) -> Revocation:
        """Return the one entry that ends whatever either ends, for as long as either does."""
        later = max(self, other, key=_moment)
        return replace(later, seq=max(self.seq, other.seq), expires_at=max(self.expires_at, other.expires_at))


def _moment(entry: Revocation) -> datetime:
    return entry.not_before or entry.expires_at


_HASH_BITS: Final = (1 << 60) - 1
"""Of 64 bits of hash these make an integer of two digits, which takes 32 bytes; the rest would cost 16 more."""
_SHARDS: Final = 256
_EXPIRY_BITS: Final = 34
_EXPIRY: Final = (1 << _EXPIRY_BITS) - 1


class _Ended:
    """The ended subjects of one kind: by hash, the epoch below which tokens are dead, and until when that matters.

    Ids are ours and random, so nobody can choose two with one hash; if it happens, somebody has to refresh a token.
    """

    def __init__(self) -> None:
        self._shards: list[dict[int, int]] = [{} for _ in range(_SHARDS)]
        # Most entries of a second are alike, so they share one number.
        self._alike: dict[int, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def add(self, subject: str, *, min_epoch: int, expires_at: datetime) -> None:
        key = hash(subject) & _HASH_BITS
        shard = self._shards[key % _SHARDS]
        known = shard.get(key, 0)
        epoch = max(known >> _EXPIRY_BITS, min_epoch)
        mark = epoch << _EXPIRY_BITS | max(known & _EXPIRY, ceil(expires_at.timestamp()))
        shard[key] = self._alike.setdefault(mark, mark)

    def min_epoch(self, subject: str) -> int | None:
        """Return the mark of a subject, None if it was not ended."""
        key = hash(subject) & _HASH_BITS
        mark = self._shards[key % _SHARDS].get(key)
        return None if mark is None else mark >> _EXPIRY_BITS

    def expire(self, number: int, now: float) -> None:
        shard = self._shards[number]
        for key in [key for key, mark in shard.items() if mark & _EXPIRY <= now]:
            del shard[key]
        if number == 0:
            self._alike.clear()


class RevocationSet:
    """The revocations in force, as of a moment at most `max_age` ago; older than that it is stale."""

    def __init__(self, max_age: timedelta) -> None:
        self.max_age = max_age
        self._as_of: datetime | None = None
        self._tokens = _Ended()
        self._sessions = _Ended()
        self._identities = _Ended()
        self._by_subject = {
            RevocationKind.TOKEN: self._tokens,
            RevocationKind.SESSION: self._sessions,
            RevocationKind.IDENTITY: self._identities,
        }
        self._clients: dict[str, Revocation] = {}
        self._all: dict[str, Revocation] = {}
        self._turn = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_subject.values())) + len(self._clients) + len(self._all)

    @property
    def as_of(self) -> datetime | None:
        """The moment up to which every revocation is known; None before the first."""
        return self._as_of

    def apply(self, entries: Iterable[Revocation]) -> None:
        """Add entries of the feed, in any order and any number of times."""
        for entry in entries:
            ended = self._by_subject.get(entry.kind)
            if ended is not None:
                ended.add(entry.subject, min_epoch=entry.min_epoch or 0, expires_at=entry.expires_at)
                continue
            in_force = self._all if entry.kind is RevocationKind.ALL else self._clients
            subject = _EVERYBODY if entry.kind is RevocationKind.ALL else entry.subject
            known = in_force.get(subject)
            in_force[subject] = entry if known is None else known.combined_with(entry)

    def refusal(self, principal: Principal) -> RevocationKind | None:
        """Say what was revoked so that this principal's token is dead, or None if it lives."""
        if self._tokens.min_epoch(principal.token_id) is not None:
            return RevocationKind.TOKEN
        if self._sessions.min_epoch(principal.session_id) is not None:
            return RevocationKind.SESSION
        min_epoch = self._identities.min_epoch(principal.identity_id)
        if min_epoch is not None and principal.epoch < min_epoch:
            return RevocationKind.IDENTITY
        for entry in (self._clients.get(principal.client_id), self._all.get(_EVERYBODY)):
            if entry is not None and entry.ends(principal):
                return entry.kind
        return None

    def expire(self, now: datetime) -> None:
        """Forget a share of the entries whose every token is dead by itself; `ROUND` calls look at all of them."""
        number, self._turn = self._turn, (self._turn + 1) % _SHARDS
        for ended in self._by_subject.values():
            ended.expire(number, now.timestamp())
        for in_force in (self._clients, self._all):
            for subject in [subject for subject, entry in in_force.items() if entry.expires_at <= now]:
                del in_force[subject]

    ROUND: Final = _SHARDS
    """How many calls of `expire` look at every entry once."""

    def confirm(self, as_of: datetime) -> None:
        """Record that everything revoked up to `as_of` was applied."""
        self._as_of = as_of

    def is_stale(self, now: datetime) -> bool:
        """Say whether a revocation may be missing: never confirmed, or longer than `max_age` ago.

        A moment as far ahead of `now` is stale too: a wrong clock must not keep the set fresh for ever.
        """
        return self._as_of is None or abs(now - self._as_of) > self.max_age
