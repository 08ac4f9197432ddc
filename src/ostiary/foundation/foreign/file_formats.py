"""The formats exports come in: where each record of a file begins, and what it says.

A record is a mapping of its members, or whatever else an element of an array is. Complaints name file and place, and
quote nothing.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from ostiary.foundation.foreign.json_text import (
    LARGEST,
    JSONText,
    MalformedJSONError,
    decode,
    decode_whole,
)
from ostiary.foundation.foreign.model import ForeignDataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ostiary.foundation.foreign.model import FileTable

_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class Format(Protocol):
    """A way to read a file of records."""

    end: int
    """Where the last record ends at the latest, once the file was scanned."""

    def scan(self, handle: BinaryIO) -> Iterator[tuple[int, Any]]:
        """Yield every record and where it begins. Raises `ForeignDataError`."""

    def decode(self, data: bytes) -> Any:
        """Return the record that begins these bytes."""


def opened(path: Path) -> BinaryIO:
    """Open a file that has no byte order mark. Raises `ForeignDataError`."""
    try:
        handle = path.open("rb")
    except OSError as error:
        raise ForeignDataError(
            f"{path.name} cannot be opened ({type(error).__name__}): check its path and its permissions."
        ) from None
    if handle.read(3).startswith(_MARKS):
        handle.close()
        raise ForeignDataError(
            f"{path.name} cannot be read at byte 0: it begins with a byte order mark. Save it as UTF-8 without one."
        )
    handle.seek(0)
    return handle


def format_of(table: FileTable, names: Sequence[str]) -> Format:
    """Return how the file of a table is read; `names` lead to its records."""
    if table.format == "json":
        return JSONFormat(table.file.name, names)
    if table.format == "ndjson":
        return NDJSONFormat(table.file.name)
    return CSVFormat(table.file.name, table.columns)


class JSONFormat:
    """One document, whose records are the elements of an array."""

    def __init__(self, name: str, names: Sequence[str]) -> None:
        self._name = name
        self._names = names
        self.end = 0

    def scan(self, handle: BinaryIO) -> Iterator[tuple[int, Any]]:
        """Yield the elements of the array."""
        text = JSONText(handle, self._name)
        elements = text.elements(self._names)
        for offset, value in elements:
            self.end = text.offset
            yield offset, value

    @staticmethod
    def decode(data: bytes) -> Any:
        """Return the element that begins these bytes."""
        return decode(data.decode())


class NDJSONFormat:
    """A document on every line."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.end = 0

    def scan(self, handle: BinaryIO) -> Iterator[tuple[int, Any]]:
        """Yield the lines that are not empty."""
        number = 0
        while line := handle.readline(LARGEST + 1):
            number += 1
            begin, self.end = self.end, self.end + len(line)
            if len(line) > LARGEST:
                raise _complaint(self._name, number, "it is longer than 16 MiB")
            if not line.strip():
                continue
            try:
                value = decode_whole(line.decode())
            except UnicodeDecodeError:
                raise _complaint(self._name, number, "it is not UTF-8") from None
            except MalformedJSONError as error:
                raise _complaint(self._name, number, str(error)) from None
            yield begin, value

    @staticmethod
    def decode(data: bytes) -> Any:
        """Return the document that begins these bytes."""
        return decode(data.decode())


class CSVFormat:
    """Comma-separated values as RFC 4180 has them; the first line names the columns unless `columns` does."""

    def __init__(self, name: str, columns: Sequence[str]) -> None:
        self._name = name
        self._columns = tuple(columns)
        self.end = 0
        self._line = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; before the file was scanned, those that were declared."""
        return self._columns

    def scan(self, handle: BinaryIO) -> Iterator[tuple[int, Any]]:
        """Yield the records, each of which may be of several lines."""
        reader = csv.reader(self._lines(handle), strict=True)
        while True:
            begin, line = self.end, self._line + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError:
                raise _complaint(self._name, self._line, "it is not UTF-8") from None
            except csv.Error:
                raise _complaint(
                    self._name,
                    line,
                    "a quotation mark is missing or in the wrong place, or a field is too long",
                ) from None
            if not values:
                continue
            if not self._columns:
                self._columns = tuple(values)
                if len(set(values)) != len(values):
                    raise _complaint(self._name, line, "it names a column twice")
                continue
            if len(values) != len(self._columns):
                raise _complaint(
                    self._name, line, f"it has {len(values)} fields instead of {len(self._columns)}"
                )
            yield begin, dict(zip(self._columns, values, strict=True))

    def decode(self, data: bytes) -> Any:
        """Return the record that begins these bytes."""
        for values in csv.reader(io.StringIO(data.decode(), newline=""), strict=True):
            if values:
                return dict(zip(self._columns, values, strict=True))
        raise ForeignDataError(f"{self._name} is not what it was when it was opened: open it again.")

    def _lines(self, handle: BinaryIO) -> Iterator[str]:
        while line := handle.readline(LARGEST):
            self._line += 1
            self.end += len(line)
            yield line.decode()


def _complaint(name: str, line: int, reason: str) -> ForeignDataError:
    return ForeignDataError(f"{name} cannot be read at line {line}: {reason}. Export it again.")
