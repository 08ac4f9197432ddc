"""Ids: UUIDv7 inside, prefixed text outside.

An id is made by the application from the time and randomness it was handed (RFC 9562 §5.7, the sub-millisecond
part in `rand_a` as §6.2 method 3 allows, so ids made in one process sort by creation). Outside the database it
is written as a TypeID: `usr_` and 26 characters of Crockford base32.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from ostiary.foundation.entropy import Entropy

_BASE32HEX = b"0123456789ABCDEFGHIJKLMNOPQRSTUV"
_CROCKFORD = b"0123456789abcdefghjkmnpqrstvwxyz"
_TO_CROCKFORD = bytes.maketrans(_BASE32HEX, _CROCKFORD)
_FROM_CROCKFORD = bytes.maketrans(_CROCKFORD, _BASE32HEX)
# The first character carries three bits only: a larger one would overflow 128 bits.
ENCODED_PATTERN = "[0-7][0-9a-hjkmnp-tv-z]{25}"
"""What is behind the prefix of an id."""
_ENCODED = re.compile(ENCODED_PATTERN, re.ASCII)
_PADDING = 20 - 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST_MILLISECOND = 253_402_128_000_000


class InvalidId(OstiaryError):
    """A text is not an id of the expected kind."""


def new_id(now: datetime, entropy: Entropy) -> UUID:
    """Make a UUIDv7 for the moment `now` (RFC 9562 §5.7)."""
    milliseconds, rest = divmod((now - _EPOCH) // _MICROSECOND, 1000)
    fraction = rest * 4096 // 1000
    tail = int.from_bytes(entropy.token_bytes(8)) & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | tail)


def first_id_at(moment: datetime) -> UUID:
    """Return the bound of the ids made from `moment` on, to the millisecond: none made earlier is as large.

    Before 1970, where there are none, it is the smallest id there can be.
    """
    return UUID(int=max(0, (moment - _EPOCH) // _MICROSECOND // 1000) << 80)


def moment_of_id(value: UUID) -> datetime:
    """Return the moment a UUIDv7 was made, to the millisecond; no later than Python knows."""
    milliseconds = min(value.int >> 80, _LATEST_MILLISECOND)
    return _EPOCH + timedelta(milliseconds=milliseconds)


def encode(value: UUID) -> str:
    """Write `value` as 26 characters of lower-case Crockford base32."""
    # Twenty bytes are exactly 32 characters; the value sits in the last 26 (130 bits, the top two zero).
    padded = base64.b32hexencode(value.bytes.rjust(20, b"\0"))
    return padded.translate(_TO_CROCKFORD)[6:].decode("ascii")


def decode(text: str) -> UUID:
    """Read 26 characters of Crockford base32, strictly: lower case, no aliases, no overflow.

    Raises `InvalidId`.
    """
    if _ENCODED.fullmatch(text) is None:
        raise InvalidId("The text is not an id: 26 characters of lower-case Crockford base32 are expected.")
    padded = base64.b32hexdecode(b"000000" + text.encode("ascii").translate(_FROM_CROCKFORD))
    return UUID(bytes=padded[_PADDING:])


def format_id(prefix: str, value: UUID) -> str:
    """Write `value` in its external form, `usr_01h…`."""
    return f"{prefix}_{encode(value)}"


def parse_id(prefix: str, text: str) -> UUID:
    """Read an id of kind `prefix` from its external form. Raises `InvalidId`."""
    kind, separator, encoded = text.rpartition("_")
    if not separator or kind != prefix:
        raise InvalidId(
            f"The text is not an id of the kind {prefix!r}: it should begin with {prefix + '_'!r}."
        )
    return decode(encoded)
