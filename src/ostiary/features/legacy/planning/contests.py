"""Who of all owners keeps what several of them claim, without holding the owners themselves.

Of a claim a few bytes are kept, and which owner it is of; whoever shares one is read again. The outcome is that of the run:
in the order of rank, each owner has what nobody before them has taken.
"""

from __future__ import annotations

import heapq
import zlib
from array import array
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from ostiary.features.legacy.rows.claims import rank

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from uuid import UUID

    from ostiary.features.legacy.model import Aggregate, Derived

_PARTS: Final = 1024
_PREFIX: Final = 8
_NUMBER: Final = 4
_ENTRY: Final = _PREFIX + _NUMBER
_AT_ONCE: Final = 200


class Index:
    """Digests, and the number of whoever each is of: twelve bytes an entry. `sort` comes before whatever asks."""

    def __init__(self) -> None:
        self._parts = [bytearray() for _ in range(_PARTS)]

    def add(self, digest: bytes, number: int) -> None:
        """Add one."""
        self._parts[int.from_bytes(digest[:2]) % _PARTS] += digest[:_PREFIX] + number.to_bytes(_NUMBER)

    def sort(self) -> None:
        """Put everything in order."""
        for part in self._parts:
            part[:] = b"".join(sorted(_entries(part)))

    def shared(self) -> set[int]:
        """Return the numbers that have a digest in common with another one."""
        found: set[int] = set()
        for part in self._parts:
            for one, other in pairwise(_entries(part)):
                if one[:_PREFIX] == other[:_PREFIX] and one != other:
                    found |= {int.from_bytes(one[_PREFIX:]), int.from_bytes(other[_PREFIX:])}
        return found

    def shared_digests(self) -> set[bytes]:
        """Return the beginnings of digests that several numbers have."""
        return {
            one[:_PREFIX]
            for part in self._parts
            for one, other in pairwise(_entries(part))
            if one[:_PREFIX] == other[:_PREFIX] and one != other
        }

    def of(self, digest: bytes) -> list[int]:
        """Return the numbers of a digest, or of one that begins so."""
        part, wanted = self._parts[int.from_bytes(digest[:2]) % _PARTS], digest[:_PREFIX]
        places = range(len(part) // _ENTRY)
        place = bisect_left(places, wanted, key=lambda n: bytes(part[n * _ENTRY : n * _ENTRY + _PREFIX]))
        found = []
        while part[place * _ENTRY : place * _ENTRY + _PREFIX] == wanted:
            found.append(int.from_bytes(part[place * _ENTRY + _PREFIX : (place + 1) * _ENTRY]))
            place += 1
        return found


class Keys:
    """The keys of owners by their numbers, packed a page at a time."""

    def __init__(self) -> None:
        self._pages: list[bytes] = []
        self._starts = array("L")
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, page: Sequence[str]) -> int:
        """Add a page of keys, and return the number of its first."""
        first = self._count
        written = [key.encode("utf-8", "surrogateescape") for key in page]
        self._pages.append(zlib.compress(msgspec.msgpack.encode(written), 1))
        self._starts.append(first)
        self._count += len(page)
        return first

    def of(self, numbers: Collection[int]) -> dict[int, str]:
        """Return the keys of some owners."""
        found: dict[int, str] = {}
        at_hand, keys = -1, list[bytes]()
        for number in sorted(numbers):
            place = bisect_left(self._starts, number + 1) - 1
            if place != at_hand:
                at_hand = place
                keys = msgspec.msgpack.decode(zlib.decompress(self._pages[place]), type=list[bytes])
            found[number] = keys[number - self._starts[place]].decode("utf-8", "surrogateescape")
        return found


class Reader(Protocol):
    """What a contest asks for."""

    async def read(self, numbers: Collection[int]) -> dict[int, Aggregate]:
        """Return owners by their numbers."""

    async def taken_here(self, derived: Sequence[Derived]) -> set[bytes]:
        """Return what of their claims somebody has who was born here."""

    def claims(self, aggregate: Aggregate, lost: Collection[bytes]) -> tuple[dict[bytes, UUID], Derived]:
        """Return what an owner claims who has lost something, and what they become."""

    def replace(self, aggregate: Aggregate, before: Collection[bytes], after: Collection[bytes]) -> None:
        """Note that an owner has lost other claims than before."""


class Contest:
    """Decides about the owners that share claims, and about whomever that touches."""

    def __init__(self, reader: Reader, index: Index) -> None:
        self._reader = reader
        self._index = index
        self._held: dict[bytes, tuple[tuple[int, str], int]] = {}
        self._mine: dict[int, set[bytes]] = {}
        self._lost: dict[int, frozenset[bytes]] = {}
        self._waiting: dict[bytes, set[int]] = {}
        self._queue: list[tuple[tuple[int, str], int]] = []
        self._queued: set[int] = set()
        self._ranks: dict[int, tuple[int, str]] = {}
        self._taken: set[bytes] = set()

    async def settle(self, contested: Collection[int]) -> None:
        """Decide, and tell the reader whoever loses something."""
        await self._meet(contested)
        while self._queue:
            numbers = [heapq.heappop(self._queue)[1] for _ in range(min(_AT_ONCE, len(self._queue)))]
            self._queued -= {*numbers}
            aggregates = await self._reader.read(numbers)
            for number in numbers:
                await self._decide(number, aggregates[number])

    async def _meet(self, numbers: Collection[int]) -> None:
        """Put owners in the queue, in the order of whoever came first."""
        ordered = sorted(numbers)
        for start in range(0, len(ordered), _AT_ONCE):
            derived = []
            for number, aggregate in (await self._reader.read(ordered[start : start + _AT_ONCE])).items():
                claims, made = self._reader.claims(aggregate, ())
                derived.append(made)
                self._ranks[number] = min(
                    (rank((identity_id, aggregate.text)) for identity_id in claims.values()),
                    default=(0, aggregate.text),
                )
                self._add(number)
            self._taken |= await self._reader.taken_here(derived)

    def _add(self, number: int) -> None:
        if number not in self._queued:
            self._queued.add(number)
            heapq.heappush(self._queue, (self._ranks[number], number))

    async def _decide(self, number: int, aggregate: Aggregate) -> None:
        """Give an owner what nobody before them has, and look again at whomever that concerns."""
        lost: set[bytes] = set()
        while True:
            claims, derived = self._reader.claims(aggregate, lost)
            new = claims.keys() - self._mine.get(number, set()) - self._held.keys()
            if lost and new:
                self._taken |= await self._reader.taken_here([derived])
            losing = {
                claim
                for claim, identity_id in claims.items()
                if self._is_ahead(claim, identity_id, number, aggregate)
            }
            if not losing:
                break
            lost |= losing
        self._let_go(number, claims.keys())
        for claim in lost:
            self._waiting.setdefault(claim, set()).add(number)
        for claim, identity_id in claims.items():
            await self._take(claim, rank((identity_id, aggregate.text)), number)
        before = self._lost.get(number, frozenset())
        if lost != before:
            self._reader.replace(aggregate, before, lost)
            self._lost[number] = frozenset(lost)

    def _is_ahead(self, claim: bytes, identity_id: UUID, number: int, aggregate: Aggregate) -> bool:
        """Say whether somebody else keeps a claim."""
        holder = self._held.get(claim)
        if claim in self._taken:
            return True
        return holder is not None and holder[1] != number and holder[0] < rank((identity_id, aggregate.text))

    def _let_go(self, number: int, staying: Collection[bytes]) -> None:
        for claim in self._mine.pop(number, set()) - {*staying}:
            if self._held.get(claim, (None, -1))[1] == number:
                del self._held[claim]
                for other in self._waiting.pop(claim, ()):
                    self._add(other)

    async def _take(self, claim: bytes, place: tuple[int, str], number: int) -> None:
        rival = self._held.get(claim)
        if rival is not None and rival[1] != number:
            self._mine[rival[1]].discard(claim)
            self._add(rival[1])
        self._held[claim] = (place, number)
        self._mine.setdefault(number, set()).add(claim)
        strangers = [other for other in self._index.of(claim) if other not in self._ranks]
        if strangers:
            await self._meet(strangers)


def _entries(part: bytearray) -> Iterator[bytes]:
    return (bytes(part[place : place + _ENTRY]) for place in range(0, len(part), _ENTRY))
