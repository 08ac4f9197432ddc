"""Trees of digests over rows in one order: two sides are the same if their roots are, and a row that differs is found.

Keyed (HMAC-SHA256), as an unkeyed digest of a phone number is a phone number to whoever tries them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ostiary.foundation.crypto import mac

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a leaf is made of is never what a node is made of (RFC 9162 §2.1.1).
_LEAF = b"\x00"
_NODE = b"\x01"
_EMPTY = b"\x02"


def leaf(key: bytes, content: bytes) -> bytes:
    """Return the digest of a row's content."""
    return mac(key, _LEAF + content)


class Tree:
    """The digests of some rows, of pairs of them, of pairs of pairs, up to one: the root."""

    def __init__(self, key: bytes, leaves: Sequence[bytes]) -> None:
        self.levels: list[list[bytes]] = [list(leaves)]
        while len(self.levels[-1]) > 1:
            self.levels.append(_paired(key, self.levels[-1]))
        self.root = self.levels[-1][0] if leaves else mac(key, _EMPTY)


def differing(one: Tree, other: Tree) -> tuple[list[int], int]:
    """Return the places of the leaves that differ, from the root down, and how many comparisons that took.

    Both have as many leaves. Raises `ValueError`.
    """
    if len(one.levels[0]) != len(other.levels[0]):
        raise ValueError("Trees of different sizes are not compared.")
    if one.root == other.root:
        return [], 1
    compared, places = 1, [0]
    for mine, theirs in zip(reversed(one.levels[:-1]), reversed(other.levels[:-1]), strict=True):
        below = [child for place in places for child in (2 * place, 2 * place + 1) if child < len(mine)]
        compared += len(below)
        places = [child for child in below if mine[child] != theirs[child]]
    return places, compared


@dataclass(slots=True)
class Ranges:
    """Two sides of a walk, a range at a time; of a range that is the same on both only its root stays."""

    key: bytes = field(repr=False)
    there: list[bytes] = field(default_factory=list, repr=False)
    here: list[bytes] = field(default_factory=list, repr=False)
    compared: int = 0

    def add(self, there: Sequence[bytes], here: Sequence[bytes]) -> list[int]:
        """Add a range, its rows in one order on both sides, and return the places of those that differ."""
        one, other = Tree(self.key, there), Tree(self.key, here)
        self.there.append(one.root)
        self.here.append(other.root)
        places, compared = differing(one, other)
        self.compared += compared
        return places

    def roots(self) -> tuple[bytes, bytes]:
        """Return the root of all ranges, of both sides."""
        return Tree(self.key, self.there).root, Tree(self.key, self.here).root


def _paired(key: bytes, level: Sequence[bytes]) -> list[bytes]:
    """Return the level above; one that is left over goes up as it is."""
    paired = [mac(key, _NODE + level[n] + level[n + 1]) for n in range(0, len(level) - 1, 2)]
    return paired if len(level) % 2 == 0 else [*paired, level[-1]]
