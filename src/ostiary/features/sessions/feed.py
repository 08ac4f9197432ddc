"""The feed of revocations as its readers see it: rows, pages, and places in between."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostiary.foundation.errors import OstiaryError
from ostiary.verifier import Revocation, RevocationKind

_CURSOR: Final = re.compile(r"(\d{1,19})\.(\d{1,19})\.([0-9a-f]{1,16})", re.ASCII)
_LARGEST_SEQ: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One revocation as stored; `is_settled` says that no smaller `seq` can still appear."""

    seq: int
    kind: RevocationKind
    subject: str
    min_epoch: int | None
    not_before: datetime | None
    expires_at: datetime
    is_settled: bool

    def entry(self) -> Revocation:
        """Return the part verifiers need."""
        return Revocation(
            seq=self.seq,
            kind=self.kind,
            subject=self.subject,
            min_epoch=self.min_epoch,
            not_before=self.not_before,
            expires_at=self.expires_at,
        )


class InvalidCursor(OstiaryError):
    """A text is not a place in the feed."""

    def __init__(self) -> None:
        super().__init__("The cursor is not one this server gave out: leave it away to begin anew.")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the feed: what is settled, how far the reading got, and what was read beyond the settled part.

    Numbers are drawn before the commit, so a row may still appear between rows already read. The sum of the numbers
    read tells whether one has.
    """

    settled: int = 0
    position: int = 0
    unsettled: int = 0

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what `str` wrote. Raises `InvalidCursor`."""
        match = _CURSOR.fullmatch(text)
        if match is None or max(int(match[1]), int(match[2])) > _LARGEST_SEQ:
            raise InvalidCursor
        return cls(int(match[1]), int(match[2]), int(match[3], 16))

    def __str__(self) -> str:
        return f"{self.settled}.{self.position}.{self.unsettled:x}"

    def after(self, row: FeedRow) -> Cursor:
        """Return the place behind a row."""
        if row.is_settled:
            return Cursor(row.seq, row.seq)
        return Cursor(self.settled, row.seq, self.unsettled + row.seq)


@dataclass(frozen=True, slots=True)
class Page:
    """What a reader of the feed gets: entries, the place behind them, and whether there is more at once."""

    entries: list[Revocation]
    cursor: Cursor
    more: bool
