"""Sealing: putting seals over what was appended, and holding the log against them.

No row ever appears within a range that is sealed: a number is sealed only when every transaction that may still write
a smaller one has ended. docs/decisions/0012-audit-seals.md has the argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.audit import store
from ostiary.features.audit.errors import PurgedMeanwhile, SealNotOurs
from ostiary.features.audit.export import CsvExport, NdjsonExport, document_of
from ostiary.features.audit.reading import LARGEST_SEQ, SMALLEST_SEQ, RecordReader, walk
from ostiary.features.audit.seals import NO_ROOT, Record, Seal, microseconds, moment_of, seal_over
from ostiary.features.audit.verification import Examination, Finding, Tally
from ostiary.features.data_keys import carried_keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from ostiary.features.audit.export import Selection
    from ostiary.features.audit.keys import PersonalData
    from ostiary.foundation.storage import Database

SEAL_KEY: Final = "audit seals"
"""The purpose the key of the seals is derived for."""
SEAL_LIMIT: Final = 10_000
"""At most so many rows are under one seal."""

# So many rows are opened at a time.
_PAGE: Final = 500
# What a transaction may last, what clocks may differ, and as much again for whatever is slow in between.
_SETTLED_AFTER: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A number, and the transactions that had drawn one when it was looked at and may not have ended."""

    seq: int
    writing: frozenset[str]


class Seals:
    """The seals over the audit events of one installation, made and checked with a key of its root keys."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key
        self._watched: _Watched | None = None

    async def seal_due(self, *, now: datetime) -> list[Seal]:
        """Seal what is settled and is not sealed yet, and return the seals made, at most 10 000 rows under each.

        Any number of workers may call it at once, and be killed at any point. Raises `SealNotOurs`.
        """
        through = await self._settled_through()
        last = await self._database.fetch_one(store.LAST_SEAL)
        if last is not None and not last.is_signed_by(self._key):
            raise SealNotOurs
        made: list[Seal] = []
        while seal := await self._next(last, through, now):
            if not await self._add(seal):
                break
            made.append(seal)
            last = seal
        return made

    def verify(
        self,
        *,
        from_seq: int = 1,
        to_seq: int | None = None,
        kept_since: datetime | None = None,
        expected_root: bytes | None = None,
    ) -> Verification:
        """Return a look at the log, or at the seals that touch a range of numbers; iterate over its findings.

        Rows younger than `kept_since` may not have been purged; `expected_root` is one that was noted elsewhere.
        """
        examination = Examination(
            self._key, from_seq=max(1, from_seq), kept_since=kept_since, expected_root=expected_root
        )
        return Verification(
            self._database, self._key, examination, from_seq, LARGEST_SEQ if to_seq is None else to_seq
        )

    async def last_seq(self) -> int:
        """Return the number of the newest row, or a later one that was given out."""
        return await self._database.fetch_one(store.GIVEN_OUT_THROUGH) or 0

    async def export_ndjson(self, selection: Selection, *, now: datetime) -> AsyncIterator[str]:
        """Yield the lines of an export that `verify_export` understands.

        Raises `PurgedMeanwhile` at the end if rows were purged while it was written.
        """
        purged_through = await self._database.fetch_one(store.PURGED_THROUGH) or 0
        export = NdjsonExport(
            self._key,
            selection,
            made_at=now,
            purged_through=purged_through,
            keys=await carried_keys(self._database),
        )
        yield export.header()
        async for item in walk(self._database, self._key):
            for line in export.lines(item):
                yield line
        if purged_through != (await self._database.fetch_one(store.PURGED_THROUGH) or 0):
            raise PurgedMeanwhile
        yield export.end()

    async def export_csv(self, selection: Selection, personal_data: PersonalData) -> AsyncIterator[str]:
        """Yield the lines of a table for people, without seals, with what is personal opened."""
        export = CsvExport()
        yield export.header()
        reader = RecordReader(self._database, from_seq=SMALLEST_SEQ)
        async for page in _pages(reader.through(LARGEST_SEQ)):
            wanted = [record for record in page if selection.includes(record)]
            opened = await personal_data.open([document_of(record) for record in wanted])
            for record, found in zip(wanted, opened, strict=True):
                yield export.line(record, found)

    async def _settled_through(self) -> int:
        """Return a number up to which nothing can appear any more, 0 if none is known to be.

        A transaction that draws a number holds a lock on the sequence until it ends. So a number is settled when
        whoever held such a lock after it was given out has ended; those are waited for from one call to the next.
        """
        watched = self._watched
        if watched is None:
            # In this order: who draws a smaller number later than this look does not exist.
            seq = await self._database.fetch_one(store.GIVEN_OUT_THROUGH) or 0
            watched = _Watched(seq, await self._writing())
        else:
            # Numbers begin again at a smaller one when an older copy of the database takes its place.
            seq = await self._database.fetch_one(store.GIVEN_OUT_THROUGH) or 0
            watched = _Watched(min(seq, watched.seq), watched.writing & await self._writing())
        self._watched = watched if watched.writing else None
        return 0 if watched.writing else watched.seq

    async def _writing(self) -> frozenset[str]:
        return frozenset(await self._database.fetch_all(store.STILL_WRITING))

    async def _next(self, last: Seal | None, through: int, now: datetime) -> Seal | None:
        """Make the seal that follows `last`, or None if nothing is due."""
        from_seq = last.to_seq + 1 if last else 1
        time = await self._database.fetch_one(store.DATABASE_TIME) or now
        reader = RecordReader(self._database, from_seq=from_seq)
        leaves = []
        to_seq = through
        async for record in reader.through(through):
            if _is_recent(record, time):
                to_seq = record.seq - 1
                break
            leaves.append(record.leaf())
            if len(leaves) == SEAL_LIMIT:
                to_seq = record.seq
                break
        due = [leaf for leaf in leaves if leaf.seq <= to_seq]
        if not due:
            return None
        return seal_over(
            due,
            from_seq=from_seq,
            to_seq=to_seq,
            previous_root=last.merkle_root if last else NO_ROOT,
            sealed_at=now,
            key=self._key,
        )

    async def _add(self, seal: Seal) -> bool:
        """Keep a seal; False if another worker has sealed this range."""
        count = await self._database.execute(
            store.ADD_SEAL,
            seal.from_seq,
            seal.to_seq,
            seal.events,
            seal.leaves,
            seal.merkle_root,
            seal.previous_root,
            seal.signature,
            moment_of(seal.sealed_at),
        )
        return count == 1


class Verification:
    """One look at a log in the database."""

    def __init__(
        self, database: Database, key: bytes, examination: Examination, from_seq: int, to_seq: int
    ) -> None:
        self._database = database
        self._key = key
        self._examination = examination
        self._from_seq = SMALLEST_SEQ if from_seq <= 1 else from_seq
        self._to_seq = to_seq
        self._given_out_through = 0
        self.tally: Final[Tally] = examination.tally
        """What was seen so far."""

    async def findings(self) -> AsyncIterator[Finding]:
        """Yield what is not as it was sealed, in the order of the log."""
        examination = self._examination
        async for item in walk(self._database, self._key, from_seq=self._from_seq, to_seq=self._to_seq):
            if isinstance(item, Seal):
                for finding in examination.begin(item, purged_through=await self._purged_through()):
                    yield finding
                continue
            for finding in examination.see(item):
                yield finding
            if item.seq > self.tally.sealed_through and await self._is_too_large(item.seq):
                yield examination.never_given_out(item)
        for finding in examination.finish(purged_through=await self._purged_through()):
            yield finding

    async def _purged_through(self) -> int:
        # Read after the rows: the mark moves before a row goes.
        if not self._examination.needs_purge_mark():
            return 0
        return await self._database.fetch_one(store.PURGED_THROUGH) or 0

    async def _is_too_large(self, seq: int) -> bool:
        if seq > self._given_out_through:
            self._given_out_through = await self._database.fetch_one(store.GIVEN_OUT_THROUGH) or 0
        return seq > self._given_out_through


async def _pages(records: AsyncIterator[Record]) -> AsyncIterator[list[Record]]:
    page: list[Record] = []
    async for record in records:
        page.append(record)
        if len(page) == _PAGE:
            yield page
            page = []
    yield page


def _is_recent(record: Record, time: datetime) -> bool:
    # Further in the future than clocks may differ is no reason to wait: one such row would hold up every seal.
    return abs(microseconds(time) - record.occurred_at) < _SETTLED_AFTER // timedelta(microseconds=1)
