"""Reading values of another system: texts, moments and flags as databases and exports write them.

Each reader returns the value, or raises `Unreadable` with the reason; none invents anything.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.foundation.foreign import Value

LONGEST_TEXT: Final = 500
"""Of a name, an id or an address; the same as a profile may have."""
LONGEST_SECRET: Final = 65_536
"""Of a token or a hash."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
)
_FLAGS: Final[Mapping[str, bool]] = MappingProxyType(
    {"t": True, "true": True, "1": True, "yes": True, "f": False, "false": False, "0": False, "no": False}
)


class Unreadable(Exception):
    """A value cannot be what it should be."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def text(value: Value, longest: int = LONGEST_TEXT) -> str | None:
    """Read a text; the empty one is a text. Raises `Unreadable`."""
    if value is None:
        return None
    if isinstance(value, bytes):
        raise Unreadable(Reason.VALUE_UNSTORABLE)
    written = value if isinstance(value, str) else str(value)
    if len(written) > longest:
        raise Unreadable(Reason.ROW_TOO_LARGE)
    if not is_storable(written):
        raise Unreadable(Reason.VALUE_UNSTORABLE)
    return written


def is_storable(written: str) -> bool:
    """Say whether both databases can hold a text: Unicode without NUL."""
    if written.isascii():
        return "\0" not in written
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in written


def flag(value: Value) -> bool | None:
    """Read a flag however it is written; None where there is none. Raises `Unreadable`."""
    if value is None:
        return None
    found = _FLAGS.get(str(value).strip().lower())
    if found is None:
        raise Unreadable(Reason.VALUE_UNSTORABLE)
    return found


def number(value: Value) -> int | None:
    """Read a whole number. Raises `Unreadable`."""
    if value is None:
        return None
    try:
        found = int(value)
    except (ValueError, OverflowError):
        raise Unreadable(Reason.VALUE_UNSTORABLE) from None
    if abs(found) >= 1 << 31:
        raise Unreadable(Reason.VALUE_UNSTORABLE)
    return found


def moment(value: Value, unit: str | None, zone: tzinfo) -> tuple[datetime | None, bool]:
    """Read a moment, and say whether it was written without a time zone, so that `zone` was taken. Raises `Unreadable`.

    A number counts in `unit`: `seconds`, `milliseconds` or `microseconds` since 1970; without a unit it is none.
    """
    if value is None:
        return None, False
    try:
        if unit is not None and unit in _UNITS:
            counted = _counted(value, _UNITS[unit])
            if counted is not None:
                return counted, False
        if not isinstance(value, str):
            raise Unreadable(Reason.TIME_INVALID)
        found = datetime.fromisoformat(value)
        is_naive = found.tzinfo is None
        if is_naive:
            # As `replace` would, at a fifth of its price.
            found = datetime.combine(found, found.time(), zone)
        if found.tzinfo is not UTC:
            found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(Reason.TIME_INVALID) from None
    # The first moment of the calendar is what systems write that have none, and no moment at all to PostgreSQL's driver.
    if found == _FIRST:
        raise Unreadable(Reason.TIME_INVALID)
    return found, is_naive


def _counted(value: Value, microseconds: int) -> datetime | None:
    """Return the moment of a number, also one written as text; None for what is no number."""
    # A time of day is no number, and finding that out by trying takes longest.
    if value is None or isinstance(value, bytes) or (isinstance(value, str) and ":" in value):
        return None
    try:
        count = int(value)
    except ValueError:
        return None
    return _EPOCH + timedelta(microseconds=count * microseconds)
