"""Python's search for cycles while owners are read by the thousand: what they become has none, and is gone after its batch."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MANY: Final = 100_000
"""So many objects more than before, a few batches' worth, and it is looked all the same."""


@contextmanager
def collected_less_often() -> Iterator[None]:
    """Look for cycles less often within the block; at every few hundred new objects it takes a fifth of the time."""
    before = gc.get_threshold()
    # Whoever has turned it off, by a threshold of 0, meant it.
    gc.set_threshold(max(before[0], _MANY) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
