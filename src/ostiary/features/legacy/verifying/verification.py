"""What a verification found: numbers, and the keys of rows that differ. No value of a row, and no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

from ostiary.foundation.secret import Secret

Level = Literal["counts", "digest", "deep"]
MOST_NAMED: Final = 1000
"""How many mismatches are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Canary:
    """Somebody whose password is known: an e-mail address, a phone number or the key of their row, and the password."""

    identifier: str = field(repr=False)
    password: Secret


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that differs: in which table, of which row over there, and what."""

    table: str
    key: str
    what: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The rows of one table: how many there are over there, and what became of how many."""

    there: int
    mapped: int
    quarantined: int
    dropped: int

    @property
    def agrees(self) -> bool:
        """Whether every row became something, and nothing else did."""
        return self.there == self.mapped + self.quarantined + self.dropped


@dataclass(slots=True)
class Checked:
    """One kind of check: of how many, and how many differ."""

    total: int = 0
    differing: int = 0


class Step(NamedTuple):
    """How far a verification is; `total` is None where it is not known."""

    check: str
    done: int
    total: int | None


Tell = Callable[[Step], None]


@dataclass(slots=True)
class Verification:
    """What a verification found."""

    level: Level
    sample: float | None
    at: datetime
    counts: dict[str, Counted] = field(default_factory=dict)
    checks: dict[str, Checked] = field(default_factory=dict)
    ranges: int = 0
    compared: int = 0
    """How many digests were compared."""
    root_there: str | None = None
    root_here: str | None = None
    waiting: int = 0
    """Owners that changed over there and wait to be taken over; nothing is said of them."""
    schemes: dict[str, int] = field(default_factory=dict)
    """Hash schemes, and how many passwords have each."""
    covered: set[str] = field(default_factory=set)
    """Schemes that a canary has shown to work."""
    total: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def is_green(self) -> bool:
        """Whether nothing differs."""
        return self.total == 0

    @property
    def is_complete(self) -> bool:
        """Whether every owner was compared, so that it can be relied on."""
        return self.sample is None and self.level != "counts"

    def check(self, name: str) -> Checked:
        """Return one kind of check, begun if it was not."""
        return self.checks.setdefault(name, Checked())

    def differ(self, check: str, table: str, key: str, what: str) -> None:
        """Note that something differs."""
        self.differ_in(check, key, [(table, what)])

    def differ_in(self, check: str, key: str, found: Iterable[tuple[str, str]]) -> None:
        """Note that something differs in several places: tables, and what of each."""
        self.check(check).differing += 1
        for table, what in found:
            self.total += 1
            if len(self.mismatches) < MOST_NAMED:
                self.mismatches.append(Mismatch(table, key, what))

    def document(self, *, with_mismatches: bool = True) -> dict[str, Any]:
        """Write it as JSON has it: with what differs, or how much of it there is."""
        written: dict[str, Any] = msgspec.to_builtins(self, order="sorted")
        written |= {"is_green": self.is_green, "is_complete": self.is_complete}
        return written if with_mismatches else {**written, "mismatches": self.total}
