"""The rows of a table in a file: where each of them is, and which have a value, in a few bytes a row.

A file is scanned once. Of each record its place is kept, of each row the hash of its key; what a row says is read again
from the file, and a key that was found by its hash is compared with what stands there.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ostiary.foundation.foreign.file_formats import CSVFormat, format_of, opened
from ostiary.foundation.foreign.model import FileTable, ForeignDataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ostiary.foundation.foreign.model import Key, Row, Value

PARENT: Final = "#parent"
INDEX: Final = "#index"
_PLAIN: Final = "value"

# An entry of an index is 64 bits: of the hash the upper ones, and the number of the row.
_ROW_BITS: Final = 28
_ROW: Final = (1 << _ROW_BITS) - 1
_HASH: Final = (1 << (64 - _ROW_BITS)) - 1
# A row within a record is named by the record's number and its own.
_ORDINAL_BITS: Final = 24
_ORDINAL: Final = (1 << _ORDINAL_BITS) - 1
_PORTION: Final = 1000

Element = tuple[Any, "Mapping[str, Value]"]
"""What stands in the file, and what its place says of it."""


class Records:
    """The records of a file: the elements of one array, lines, or CSV records."""

    def __init__(self, table: FileTable, names: Sequence[str]) -> None:
        self.path = table.file
        self._format = format_of(table, names)
        self._offsets = array("Q")

    def __len__(self) -> int:
        return len(self._offsets)

    def scan(self) -> Iterator[Any]:
        """Yield every record, and keep where it is. Raises `ForeignDataError`."""
        with opened(self.path) as handle:
            for offset, record in self._format.scan(handle):
                self._offsets.append(offset)
                yield record

    @property
    def columns(self) -> Sequence[str]:
        """The columns a CSV file names, if it is one."""
        return self._format.columns if isinstance(self._format, CSVFormat) else ()

    def read(self, handle: BinaryIO, first: int, last: int) -> list[Any]:
        """Return the records from one number to another, both included."""
        limits = [*self._offsets[first : last + 1], self._end(last)]
        handle.seek(limits[0])
        data = handle.read(limits[-1] - limits[0])
        try:
            return [self._format.decode(data[a - limits[0] : b - limits[0]]) for a, b in pairwise(limits)]
        except ValueError:
            raise ForeignDataError(
                f"{self.path.name} is not what it was when it was opened: open it again."
            ) from None

    def place(self, number: int) -> str:
        """Say where a record is, for people."""
        return f"{self.path.name}, byte {self._offsets[number]}"

    def _end(self, number: int) -> int:
        return self._offsets[number + 1] if number + 1 < len(self._offsets) else self._format.end


class FileRows:
    """The rows of one table: the records themselves, or the elements of an array within each of the rows of `above`."""

    def __init__(
        self, table: FileTable, records: Records, above: FileRows | None, names: Sequence[str]
    ) -> None:
        self.table = table
        self.records = records
        self.above = above
        self._names = names
        self._places = array("Q")
        self._indexes: dict[tuple[str, ...], array[int]] = {}
        self._keys = array("Q")
        # In the order in which they are met; the key's are there though no row is.
        self._columns = dict.fromkeys((*table.columns, *table.key))
        if above is not None:
            self._columns |= {PARENT: None, INDEX: None}

    def __len__(self) -> int:
        return len(self.records) if self.above is None else len(self._places)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that any of the rows has."""
        return tuple({**dict.fromkeys(self.records.columns), **self._columns})

    def note(self, record: Any) -> None:
        """Keep where the rows of the record are that was scanned last."""
        number = len(self.records) - 1
        for ordinal, element in enumerate(self._elements(record)):
            row = len(self._keys)
            if row > _ROW or ordinal > _ORDINAL:
                raise ForeignDataError(
                    f"{self.records.place(number)}: the file has too many rows to be read."
                )
            if self.above is not None:
                self._places.append(number << _ORDINAL_BITS | ordinal)
            self._columns.update(dict.fromkeys(_names_of(element)))
            key = _key(element, self.table.key)
            if None in key:
                raise ForeignDataError(
                    f'{self.records.place(number)}: a row of "{self.table.name}" has no value for its key. Add it, or '
                    "name another key."
                )
            self._keys.append(_entry(key, row))

    def finish(self, handle: BinaryIO) -> None:
        """Make the index of the keys. Raises `ForeignDataError` if two rows have the same."""
        if not self.table.key:
            return
        index = self._indexes[self.table.key] = array("Q", sorted(self._keys))
        self._keys = array("Q")
        for _, same in groupby(index, lambda entry: entry >> _ROW_BITS):
            rows = [entry & _ROW for entry in same]
            if len(rows) > 1:
                self._refuse_twins(handle, rows)

    def page(self, handle: BinaryIO, first: int, limit: int, columns: Sequence[str]) -> list[Row]:
        """Return some rows as they follow one another in the file."""
        numbers = range(first, min(first + limit, len(self)))
        return [_row(element, columns) for element in self._read(handle, numbers)]

    def number(self, handle: BinaryIO, key: Sequence[str], wanted: Key) -> int | None:
        """Return the number of the row with this key, if there is one."""
        return next((number for number, _ in self._matching(handle, key, [wanted])), None)

    def find(
        self, handle: BinaryIO, names: Sequence[str], wanted: Sequence[Key], columns: Sequence[str]
    ) -> list[Row]:
        """Return the rows that have one of these combinations of values, in the order of the file."""
        return [_row(element, columns) for _, element in self._matching(handle, names, wanted)]

    def _matching(
        self, handle: BinaryIO, names: Sequence[str], wanted: Sequence[Key]
    ) -> Iterator[tuple[int, Element]]:
        index = self._index(handle, tuple(names))
        texts = {tuple(_as_text(value) for value in key) for key in wanted if None not in key}
        numbers: set[int] = set()
        for key in texts:
            start = (hash(key) & _HASH) << _ROW_BITS
            place = bisect_left(index, start)
            while place < len(index) and index[place] >> _ROW_BITS == start >> _ROW_BITS:
                numbers.add(index[place] & _ROW)
                place += 1
        found = sorted(numbers)
        for number, element in zip(found, self._read(handle, found), strict=True):
            if _key(element, names) in texts:
                yield number, element

    def _index(self, handle: BinaryIO, names: tuple[str, ...]) -> array[int]:
        index = self._indexes.get(names)
        if index is None:
            entries = array("Q")
            for row, element in enumerate(self._read(handle, range(len(self)))):
                key = _key(element, names)
                if None not in key:
                    entries.append(_entry(key, row))
            index = self._indexes[names] = array("Q", sorted(entries))
        return index

    def _read(self, handle: BinaryIO, numbers: Sequence[int]) -> Iterator[Element]:
        """Yield rows by their numbers, which ascend; neighbours are read at once."""
        run: list[int] = []
        for number in numbers:
            if run and (number != run[-1] + 1 or len(run) == _PORTION):
                yield from self._read_run(handle, run)
                run = []
            run.append(number)
        if run:
            yield from self._read_run(handle, run)

    def _read_run(self, handle: BinaryIO, run: Sequence[int]) -> Iterator[Element]:
        if self.above is None:
            for record in self.records.read(handle, run[0], run[-1]):
                yield record, {}
            return
        places = [self._places[number] for number in run]
        first = places[0] >> _ORDINAL_BITS
        records = self.records.read(handle, first, places[-1] >> _ORDINAL_BITS)
        for number, same in groupby(places, lambda place: place >> _ORDINAL_BITS):
            elements = self._elements(records[number - first])
            for place in same:
                yield elements[place & _ORDINAL]

    def _elements(self, record: Any) -> list[Element]:
        """Return the rows that a record holds."""
        if self.above is None:
            return [(record, {})]
        found: list[Element] = []
        for element in self.above._elements(record):  # noqa: SLF001 - another of this class
            inner = element[0]
            for name in self._names:
                inner = inner.get(name) if isinstance(inner, dict) else None
            if inner is None:
                continue
            if not isinstance(inner, list):
                raise ForeignDataError(
                    f'{self.records.place(len(self.records) - 1)}: "{self.table.path}" is no array: correct its path.'
                )
            parent = ",".join(str(part) for part in _key(element, self.above.table.key))
            found += [(each, {PARENT: parent, INDEX: place}) for place, each in enumerate(inner)]
        return found

    def _refuse_twins(self, handle: BinaryIO, rows: Sequence[int]) -> None:
        seen: dict[Key, int] = {}
        for number, element in zip(rows, self._read(handle, rows), strict=True):
            key = _key(element, self.table.key)
            if key in seen:
                first, second = (self._record_of(row) for row in (seen[key], number))
                raise ForeignDataError(
                    f'{self.records.place(second)}: a row of "{self.table.name}" has the same key as the one at '
                    f"{self.records.place(first)}. Remove one of them, or name another key."
                )
            seen[key] = number

    def _record_of(self, row: int) -> int:
        return row if self.above is None else self._places[row] >> _ORDINAL_BITS


def _names_of(element: Element) -> Sequence[str]:
    return [*element[0]] if isinstance(element[0], dict) else [_PLAIN]


def _value(element: Element, column: str) -> Value:
    inner, place = element
    if column in place:
        return place[column]
    if not isinstance(inner, dict):
        return _scalar(inner) if column == _PLAIN else None
    return _scalar(inner.get(column))


def _scalar(value: Any) -> Value:
    match value:
        case bool():
            return "true" if value else "false"
        case None | str() | int() | float():
            return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _as_text(value: Value) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _key(element: Element, names: Sequence[str]) -> Key:
    """Return the values that name a row, as texts: one file may quote a number where another does not."""
    return tuple(_as_text(_value(element, name)) for name in names)


def _row(element: Element, columns: Sequence[str]) -> Row:
    return {column: _value(element, column) for column in columns}


def _entry(key: Key, row: int) -> int:
    return (hash(key) & _HASH) << _ROW_BITS | row
