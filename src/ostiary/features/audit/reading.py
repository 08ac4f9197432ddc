"""Reading: the log in order, seals and rows, in bounded memory."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from ostiary.features.audit import store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ostiary.features.audit.seals import Record, Seal
    from ostiary.foundation.storage import Database

LARGEST_SEQ: Final = (1 << 63) - 1
SMALLEST_SEQ: Final = -(1 << 63)
_PAGE: Final = 500
_SEALS_PAGE: Final = 20


class RecordReader:
    """Reads rows in the order of number and id, a page at a time, letting others have their turn."""

    def __init__(self, database: Database, *, from_seq: int) -> None:
        self._database = database
        self._at = (from_seq, b"")
        self._page: deque[Record] = deque()
        self._read_through: int | None = None

    async def through(self, seq: int, *, horizon: int | None = None) -> AsyncIterator[Record]:
        """Yield the next rows up to a number, reading ahead no further than `horizon`."""
        while True:
            while self._page:
                if self._page[0].seq > seq:
                    return
                yield self._page.popleft()
            if not await self._turn(seq if horizon is None else horizon):
                return

    async def _turn(self, horizon: int) -> bool:
        if self._read_through is not None and horizon <= self._read_through:
            return False
        seq, id_ = self._at
        rows = await self._database.fetch_all(store.RECORDS, seq, id_, horizon, _PAGE)
        # Look-ups in SQLite are made on the event loop.
        await asyncio.sleep(0)
        if len(rows) < _PAGE:
            self._read_through = horizon
        if rows:
            self._page.extend(rows)
            self._at = (rows[-1].seq, rows[-1].id)
        return bool(rows)


async def walk(
    database: Database, key: bytes, *, from_seq: int = SMALLEST_SEQ, to_seq: int = LARGEST_SEQ
) -> AsyncIterator[Seal | Record]:
    """Yield every seal that touches a range of numbers, each followed by the rows up to its end, then the rest.

    A seal that does not fit the key is followed by no row: its range may be anything.
    """
    reader: RecordReader | None = None
    begin = SMALLEST_SEQ
    # Seals are read before rows: what they cover is settled, so no row is missed that is only just committed.
    while begin <= LARGEST_SEQ and (
        page := await database.fetch_all(store.SEALS, begin, from_seq, _SEALS_PAGE)
    ):
        begin = page[-1].from_seq + 1
        ours = [seal for seal in page if seal.is_signed_by(key)]
        if reader is None and ours:
            start = from_seq if from_seq == SMALLEST_SEQ else min(from_seq, ours[0].from_seq)
            reader = RecordReader(database, from_seq=start)
        horizon = max((seal.to_seq for seal in ours), default=0)
        for seal in page:
            yield seal
            if reader is None or seal not in ours:
                continue
            async for record in reader.through(seal.to_seq, horizon=horizon):
                yield record
            if seal.to_seq >= to_seq:
                return
    async for record in (reader or RecordReader(database, from_seq=from_seq)).through(to_seq):
        yield record
