"""Verification: whether the audit events are what was sealed, and if not, which of them.

An `Examination` is pure: it is told of seals and rows in order, by whoever reads them from a database or a file, and
remembers no more than one seal.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ostiary.features.audit.model import EVENT_PREFIX
from ostiary.features.audit.seals import NO_ROOT, Leaf, Record, Seal, merkle_root, moment_of
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(StrEnum):
    """What was done to the log."""

    ROW_ALTERED = "row altered"
    ROW_DELETED = "row deleted"
    ROW_INSERTED = "row inserted"
    ROWS_ALTERED = "rows altered"
    SEAL_MISSING = "seal missing"
    SEAL_FORGED = "seal forged"
    SEAL_DAMAGED = "seal damaged"
    CHAIN_BROKEN = "chain broken"
    PURGED_EARLY = "purged early"
    ROOT_UNKNOWN = "root unknown"
    FILE_ALTERED = "file altered"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was sealed: a sentence, and the numbers and the id it is about."""

    kind: Kind
    text: str
    from_seq: int | None = None
    to_seq: int | None = None
    event_id: str | None = None


@dataclass(slots=True)
class Tally:
    """What an examination has seen so far; moments are those the rows and seals state."""

    seals: int = 0
    forged: int = 0
    events: int = 0
    purged: int = 0
    newest_purged_at: datetime | None = None
    unsealed: int = 0
    unsealed_since: datetime | None = None
    sealed_through: int = 0
    root: bytes | None = None
    findings: int = 0


class Examination:
    """Holds a log against its seals.

    `from_seq` is where the look begins, 1 for the whole log. `is_partial` says that rows and seals were left out on
    purpose. Rows younger than `kept_since` may not have been purged. `expected_root` is the root of a seal that was
    noted elsewhere, and must be met.
    """

    def __init__(
        self,
        key: bytes,
        *,
        from_seq: int = 1,
        is_partial: bool = False,
        kept_since: datetime | None = None,
        expected_root: bytes | None = None,
    ) -> None:
        self._key = key
        self._is_partial = is_partial
        self._kept_since = kept_since
        self._expected_root = expected_root
        self._next_seq = from_seq
        # Unknown where the look begins in the middle, and behind a gap.
        self._previous_root: bytes | None = NO_ROOT if from_seq == 1 else None
        self._comparison: _Comparison | None = None
        self.tally: Final = Tally()

    def needs_purge_mark(self) -> bool:
        """Say whether rows of the seal at hand have not come, so that it matters up to where rows were purged."""
        return self._comparison is not None and self._comparison.has_missing()

    def begin(self, seal: Seal, *, purged_through: int) -> Iterator[Finding]:
        """Go on to the next seal; rows up to `purged_through` may be missing from the one before."""
        yield from self.end(purged_through=purged_through)
        self.tally.seals += 1
        if seal.merkle_root == self._expected_root:
            self._expected_root = None
        if not seal.is_signed_by(self._key):
            self.tally.forged += 1
            yield self._found(
                _about(seal, Kind.SEAL_FORGED, "does not fit the root key: it was altered or forged")
            )
            return
        if seal.from_seq < self._next_seq and self.tally.root is not None:
            yield self._found(_about(seal, Kind.CHAIN_BROKEN, "covers numbers another seal covers already"))
            return
        if seal.from_seq > self._next_seq and not self._is_partial:
            yield self._found(_missing(self._next_seq, seal.from_seq - 1))
        elif seal.from_seq == self._next_seq and self._previous_root not in {None, seal.previous_root}:
            yield self._found(_about(seal, Kind.CHAIN_BROKEN, "was not made on top of the seal before it"))
        self._next_seq = seal.to_seq + 1
        self._previous_root = seal.merkle_root
        self.tally.sealed_through, self.tally.root = seal.to_seq, seal.merkle_root
        self._comparison = _Comparison(seal)

    def see(self, record: Record) -> Iterator[Finding]:
        """Look at the next row."""
        self.tally.events += 1
        if self._comparison is not None and record.seq <= self._comparison.seal.to_seq:
            if record.seq >= self._comparison.seal.from_seq:
                finding = self._comparison.see(record)
                if finding:
                    yield self._found(finding)
                return
        elif record.seq > self.tally.sealed_through:
            self.tally.unsealed += 1
            occurred_at = moment_of(record.occurred_at)
            self.tally.unsealed_since = min(self.tally.unsealed_since or occurred_at, occurred_at)
        if record.seq < 1:
            yield self._found(_inserted(record.leaf(), "numbers begin at 1"))

    def never_given_out(self, record: Record) -> Finding:
        """Tell of a row whose number the database has not given out yet."""
        return self._found(_inserted(record.leaf(), "the database has not given out this number yet"))

    def end(self, *, purged_through: int) -> Iterator[Finding]:
        """Close the seal at hand; rows up to `purged_through` may be missing."""
        comparison, self._comparison = self._comparison, None
        if comparison is None:
            return
        for finding in comparison.conclusion():
            yield self._found(finding)
        for leaf in comparison.missing:
            if leaf.seq <= purged_through:
                yield from self._purged(leaf)
            elif not self._is_partial:
                yield self._found(_about_row(leaf, Kind.ROW_DELETED, "was deleted"))

    def finish(self, *, purged_through: int) -> Iterator[Finding]:
        """Close the log."""
        yield from self.end(purged_through=purged_through)
        if self._expected_root is not None:
            text = "No seal has the expected root: seals that once were there have been removed or replaced."
            yield self._found(Finding(Kind.ROOT_UNKNOWN, text))

    def found(self, kind: Kind, text: str) -> Finding:
        """Tell of something that is about no row and no seal."""
        return self._found(Finding(kind, text))

    def _purged(self, leaf: Leaf) -> Iterator[Finding]:
        made_at = leaf.made_at()
        self.tally.purged += 1
        self.tally.newest_purged_at = max(self.tally.newest_purged_at or made_at, made_at)
        if self._kept_since is not None and made_at > self._kept_since:
            yield self._found(_about_row(leaf, Kind.PURGED_EARLY, "was purged before its time"))

    def _found(self, finding: Finding) -> Finding:
        self.tally.findings += 1
        return finding


class _Comparison:
    """The rows of one seal against its list of leaves, or against its root alone if the list was altered."""

    def __init__(self, seal: Seal) -> None:
        self.seal: Final = seal
        listed = seal.listed()
        self._has_list = listed is not None
        self._expected = deque(listed or ())
        self._seen: list[bytes] = []
        self.missing: Final[list[Leaf]] = []

    def has_missing(self) -> bool:
        """Say whether leaves are left over."""
        return bool(self._expected or self.missing)

    def see(self, record: Record) -> Finding | None:
        """Compare the next row, in the order of number and id."""
        leaf = record.leaf()
        if not self._has_list:
            # One too many settles it; more need not be remembered.
            if len(self._seen) <= self.seal.events:
                self._seen.append(leaf.pack())
            return None
        while self._expected and self._expected[0][:2] < leaf[:2]:
            self.missing.append(self._expected.popleft())
        if not self._expected or self._expected[0][:2] != leaf[:2]:
            return _inserted(leaf, "no such row was there when this range was sealed")
        if self._expected.popleft() != leaf:
            return _about_row(leaf, Kind.ROW_ALTERED, "was altered")
        return None

    def conclusion(self) -> Iterator[Finding]:
        """Say what only the end shows."""
        self.missing.extend(self._expected)
        if self._has_list:
            return
        seal = self.seal
        if merkle_root(self._seen) == seal.merkle_root:
            yield _about(
                seal, Kind.SEAL_DAMAGED, "lost its list of rows, which was altered; the rows are intact"
            )
        else:
            text = "lost its list of rows, which was altered, and rows under it are not what was sealed"
            yield _about(seal, Kind.ROWS_ALTERED, text)


def _about(seal: Seal, kind: Kind, text: str) -> Finding:
    sentence = f"The seal over {_range(seal.from_seq, seal.to_seq)} {text}."
    return Finding(kind, sentence, seal.from_seq, seal.to_seq)


def _missing(from_seq: int, to_seq: int) -> Finding:
    text = f"The seal over {_range(from_seq, to_seq)} is missing, or none there fits: these rows cannot be vouched for."
    return Finding(Kind.SEAL_MISSING, text, from_seq, to_seq)


def _range(from_seq: int, to_seq: int) -> str:
    return f"{from_seq} to {to_seq}"


def _inserted(leaf: Leaf, reason: str) -> Finding:
    return _about_row(leaf, Kind.ROW_INSERTED, f"was inserted: {reason}")


def _about_row(leaf: Leaf, kind: Kind, text: str) -> Finding:
    event_id = format_id(EVENT_PREFIX, leaf.uuid())
    sentence = f"Row {leaf.seq} ({event_id}, {leaf.made_at():%Y-%m-%d %H:%M:%S} UTC) {text}."
    return Finding(kind, sentence, leaf.seq, leaf.seq, event_id)
