"""MD4 (RFC 1320), for hashes of Windows: OpenSSL has none any more. Broken, and used to compare and never to make."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK_SIZE: Final = 64
_LENGTH_SIZE: Final = 8
_WORD: Final = 0xFFFFFFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)


def _select(x: int, y: int, z: int) -> int:
    return x & y | ~x & z


def _majority(x: int, y: int, z: int) -> int:
    return x & y | x & z | y & z


def _parity(x: int, y: int, z: int) -> int:
    return x ^ y ^ z


# What a round mixes with, the constant it adds, how far it rotates, and which words it takes (RFC 1320 §3.4).
_ROUNDS: Final[tuple[tuple[Callable[[int, int, int], int], int, tuple[int, ...], tuple[int, ...]], ...]] = (
    (_select, 0, (3, 7, 11, 19), tuple(range(16))),
    (_majority, 0x5A827999, (3, 5, 9, 13), (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)),
    (_parity, 0x6ED9EBA1, (3, 9, 11, 15), (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)),
)


def md4(data: bytes) -> bytes:
    """Return the 16 bytes of MD4 of `data`."""
    zeros = (-len(data) - 1 - _LENGTH_SIZE) % _BLOCK_SIZE
    padded = data + b"\x80" + bytes(zeros) + (8 * len(data)).to_bytes(_LENGTH_SIZE, "little")
    state: tuple[int, ...] = _START
    for block in range(0, len(padded), _BLOCK_SIZE):
        state = _compressed(state, struct.unpack("<16I", padded[block : block + _BLOCK_SIZE]))
    return struct.pack("<4I", *state)


def _compressed(state: tuple[int, ...], words: tuple[int, ...]) -> tuple[int, ...]:
    a, b, c, d = state
    for mix, constant, shifts, order in _ROUNDS:
        for step, word in enumerate(order):
            total = a + mix(b, c, d) + words[word] + constant & _WORD
            shift = shifts[step % 4]
            a, b, c, d = d, (total << shift | total >> 32 - shift) & _WORD, b, c
    return tuple(old + new & _WORD for old, new in zip(state, (a, b, c, d), strict=True))
