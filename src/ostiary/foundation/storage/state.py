"""What a running transaction remembers: whether it may still be used, and what waits for its end."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ostiary.foundation.storage.database import TransactionFailed, Unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ostiary.foundation.storage.database import Parameter, Query

_PLACEHOLDER = re.compile(r"\$(\d+)")
_RETURNING = re.compile(r"\breturning\b", re.IGNORECASE)
_AT_ONCE: Final = 16
"""How many changes one statement holds at the most; each number and order of them is planned once for a connection."""


class DividedByZero(Unstorable):
    """A statement divided by zero: how PostgreSQL says that a change which had to touch a row touched none."""


class Change(NamedTuple):
    """A change that waits for the end of its transaction; `otherwise` is raised if it touches no row."""

    query: Query[Any]
    parameters: tuple[Parameter, ...]
    otherwise: Exception | None


class TransactionState:
    """Whether a transaction may still be used; both drivers refuse the same things.

    SQLite would carry on after a failed statement and PostgreSQL does not, so nobody may rely on it.
    """

    __slots__ = ("callbacks", "changes", "ended", "failed")

    def __init__(self) -> None:
        self.ended = False
        self.failed = False
        self.callbacks: list[Callable[[], None]] = []
        self.changes: list[Change] = []

    def committed(self) -> None:
        """Do what was to be done once the change is on the disk."""
        for callback in self.callbacks:
            callback()

    def check(self) -> None:
        """Raise `TransactionFailed` after a failed statement, and `RuntimeError` after the end of the block."""
        if self.ended:
            raise RuntimeError("This transaction has ended: open another one.")
        if self.failed:
            raise TransactionFailed

    def defer(
        self, query: Query[Any], parameters: tuple[Parameter, ...], otherwise: Exception | None
    ) -> None:
        """Let a change wait for the end. Only one of them may have to touch a row: which it was is not told."""
        self.check()
        if otherwise is not None and any(change.otherwise for change in self.changes):
            raise RuntimeError("Another change of this transaction has to touch a row already.")
        self.changes.append(Change(query, parameters, otherwise))

    def batches(self) -> list[Sequence[Change]]:
        """Return what waits, in its order, as many at a time as go into one statement."""
        return [self.changes[start : start + _AT_ONCE] for start in range(0, len(self.changes), _AT_ONCE)]


def as_one_statement(changes: Sequence[Change]) -> tuple[str, tuple[Parameter, ...]]:
    """Write several changes as one statement for PostgreSQL, which makes them in their order.

    It fails with a division by zero where one that had to touch a row touched none: nothing else of ours divides.
    """
    if len(changes) == 1 and changes[0].otherwise is None:
        return changes[0].query.postgresql, changes[0].parameters
    shape = tuple((change.query, change.otherwise is not None, len(change.parameters)) for change in changes)
    return _written(shape), tuple(parameter for change in changes for parameter in change.parameters)


@lru_cache(maxsize=256)
def _written(shape: tuple[tuple[Query[Any], bool, int], ...]) -> str:
    parts, counts, before = [], [], 0
    for number, (query, is_required, parameters) in enumerate(shape):
        text = _renumbered(query.postgresql, before)
        if _RETURNING.search(text) is None:
            text += " RETURNING 1"
        parts.append(f"change_{number} AS ({text}\n)")
        # Counted one after another, so made one after another; left alone, the last would be made first.
        counted = f"(SELECT count(*) FROM change_{number})"
        counts.append(f"1 / {counted}" if is_required else counted)
        before += parameters
    return f"WITH {', '.join(parts)} SELECT {', '.join(counts)}"


def _renumbered(text: str, by: int) -> str:
    return _PLACEHOLDER.sub(lambda found: f"${int(found[1]) + by}", text)
