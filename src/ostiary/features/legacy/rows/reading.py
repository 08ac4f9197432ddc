"""Reading the fields of one row; what cannot be read is noted and left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.legacy.rows import values
from ostiary.features.legacy.rows.reasons import Reason
from ostiary.features.legacy.rows.values import LONGEST_SECRET, Unreadable

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.legacy.model import SourceRow
    from ostiary.features.legacy.rows.deriving import Deriving, Progress
    from ostiary.features.legacy.rows.fields import Fields
    from ostiary.foundation.foreign import Value


class Reading:
    """Reads the fields of one row; what cannot be read is noted and left out. A field that the profile does not give is none."""

    __slots__ = ("_deriving", "_fields", "_get", "_progress", "_row")

    def __init__(self, deriving: Deriving, progress: Progress, fields: Fields, row: SourceRow) -> None:
        self._deriving = deriving
        self._progress = progress
        self._fields = fields
        self._get = fields.get
        self._row = row

    def raw(self, name: str) -> Value:
        """Return a field as it is over there."""
        get = self._get.get(name)
        return None if get is None else get(self._row, self._progress.shared)

    def text(self, name: str, longest: int = values.LONGEST_TEXT) -> str | None:
        """Return a text; the empty one is none."""
        get = self._get.get(name)
        if get is None:
            return None
        value = get(self._row, self._progress.shared)
        # Nearly every text, without asking further.
        if isinstance(value, str) and len(value) <= longest and value.isascii() and "\0" not in value:
            return value or None
        try:
            return values.text(value, longest) or None
        except Unreadable as error:
            self.note(error.reason, name)
            return None

    def secret(self, name: str) -> str | None:
        """Return a token or a hash."""
        return self.text(name, LONGEST_SECRET)

    def flag(self, name: str) -> bool | None:
        """Return a flag, or what it is the opposite of, or whether there is a value."""
        if name not in self._get:
            return None
        value, unit = self.raw(name), self._fields.units.get(name)
        if unit == "present":
            return value is not None
        try:
            found = values.flag(value)
        except Unreadable as error:
            self.note(error.reason, name)
            return None
        return not found if unit == "inverse" and found is not None else found

    def number(self, name: str) -> int | None:
        """Return a whole number."""
        try:
            return values.number(self.raw(name))
        except Unreadable as error:
            self.note(error.reason, name)
            return None

    def moment(self, name: str) -> datetime | None:
        """Return a moment; one without a time zone is taken to be in the profile's."""
        get = self._get.get(name)
        value = None if get is None else get(self._row, self._progress.shared)
        if value is None:
            return None
        try:
            found, naive = values.moment(value, self._fields.units.get(name), self._deriving.zone)
        except Unreadable as error:
            self.note(error.reason, name)
            return None
        if naive:
            self.note(Reason.TIME_NAIVE, name)
        plus = self._fields.plus.get(name)
        return found + plus if plus is not None and found is not None else found

    def unit(self, name: str) -> str | None:
        """Return what the profile says a field is written `as`."""
        return self._fields.units.get(name)

    def note(self, reason: Reason, name: str, claim: bytes | None = None) -> None:
        """Remember something about a field."""
        self._progress.note(reason, self._row, self._fields.column(name), claim)
