"""DES as the first `crypt` bends it (FIPS 46-3, with a salt in its expansion). Broken, and used to compare only.

Bits are numbered as the standard does it: the first is the highest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMES: Final = 25
_KEY_CHARACTERS: Final = 8
_HALF: Final = (1 << 28) - 1
_EXPANDED_HALF: Final = (1 << 24) - 1
_SALT_BITS: Final = 12
_SHIFTS: Final = (1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1)
_KEY_CHOICE: Final = (
    *(
        57,
        49,
        41,
        33,
        25,
        17,
        9,
        1,
        58,
        50,
        42,
        34,
        26,
        18,
        10,
        2,
        59,
        51,
        43,
        35,
        27,
        19,
        11,
        3,
        60,
        52,
        44,
        36,
    ),
    *(
        63,
        55,
        47,
        39,
        31,
        23,
        15,
        7,
        62,
        54,
        46,
        38,
        30,
        22,
        14,
        6,
        61,
        53,
        45,
        37,
        29,
        21,
        13,
        5,
        28,
        20,
        12,
        4,
    ),
)
_ROUND_KEY_CHOICE: Final = (
    *(14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2),
    *(41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32),
)
_PERMUTATION: Final = (
    *(16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10),
    *(2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25),
)
_LAST_PERMUTATION: Final = tuple(
    place - column for column in range(8) for place in (40, 8, 48, 16, 56, 24, 64, 32)
)
# Row by row, sixteen values each.
_BOXES: Final = (
    "e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d",
    "f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9",
    "a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c",
    "7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e",
    "2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453",
    "c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d",
    "4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c",
    "d2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b",
)


def _chosen(value: int, size: int, places: Sequence[int]) -> int:
    """Return the bits at these places of a value of `size` bits."""
    chosen = 0
    for place in places:
        chosen = chosen << 1 | value >> size - place & 1
    return chosen


def _substituted(box: int, six: int) -> int:
    """Return what a box makes of six bits, where the permutation puts it."""
    row, column = six >> 4 & 2 | six & 1, six >> 1 & 15
    return _chosen(int(_BOXES[box][16 * row + column], 16) << 28 - 4 * box, 32, _PERMUTATION)


_SUBSTITUTIONS: Final = tuple(tuple(_substituted(box, six) for six in range(64)) for box in range(8))


def des_crypt(password: bytes, salt: int) -> int:
    """Return the 64 bits that `crypt` makes of the first eight characters of a password, with 12 bits of salt."""
    keys = _round_keys(password)
    swapped = sum((salt >> bit & 1) << 23 - bit for bit in range(_SALT_BITS))
    left = right = 0
    for _ in range(_TIMES):
        for key in keys:
            left, right = right, left ^ _mixed(right, key, swapped)
        left, right = right, left
    return _chosen(left << 32 | right, 64, _LAST_PERMUTATION)


def _round_keys(password: bytes) -> list[int]:
    characters = password[:_KEY_CHARACTERS].ljust(_KEY_CHARACTERS, b"\0")
    key = _chosen(int.from_bytes(byte << 1 & 0xFE for byte in characters), 64, _KEY_CHOICE)
    left, right, keys = key >> 28, key & _HALF, []
    for shift in _SHIFTS:
        left, right = (half << shift & _HALF | half >> 28 - shift for half in (left, right))
        keys.append(_chosen(left << 28 | right, 56, _ROUND_KEY_CHOICE))
    return keys


def _mixed(half: int, key: int, swapped: int) -> int:
    # Every four bits and one neighbour on either side, around the corner.
    around = (half & 1) << 33 | half << 1 | half >> 31
    expanded = sum((around >> 28 - 4 * box & 63) << 42 - 6 * box for box in range(8))
    upper, lower = expanded >> 24, expanded & _EXPANDED_HALF
    difference = (upper ^ lower) & swapped
    mixed = (upper ^ difference) << 24 | lower ^ difference
    mixed ^= key
    return sum(_SUBSTITUTIONS[box][mixed >> 42 - 6 * box & 63] for box in range(8))
