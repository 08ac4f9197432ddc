"""An export: tables that are read from JSON, NDJSON and CSV files, and never written."""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from ostiary.foundation.errors import Unavailable
from ostiary.foundation.foreign.file_formats import opened
from ostiary.foundation.foreign.file_rows import PARENT, FileRows, Records
from ostiary.foundation.foreign.model import Column, ForeignDataError, Reference, Table
from ostiary.foundation.foreign.names import paged_by, table_named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeVar

    from ostiary.foundation.foreign.model import Capture, Change, FileTable, Key, Row, Snapshot, Value

    T = TypeVar("T")

_PORTION: Final = 1000
_PATH: Final = re.compile(r"((\w[\w-]*)?(\.[\w-]+)*\[\])?((\.[\w-]+)+\[\])*")


class FileSource:
    """The files that a layout names."""

    dialect = "files"

    def __init__(self, layout: Sequence[FileTable]) -> None:
        self._layout = [*layout]
        self.capture: Capture | None = None
        self.description = f"files {', '.join(dict.fromkeys(table.file.name for table in layout))}"
        self._rows: dict[str, FileRows] = {}
        self._tables: dict[str, Table] = {}
        self._state = ""

    async def open(self) -> None:
        """Read every file once, to know where its rows are. Raises `ForeignDataError`."""
        self._rows, self._tables, self._state = await asyncio.to_thread(_opened, self._layout)

    async def close(self) -> None:
        """Forget where the rows are. May be called twice."""
        self._rows = {}

    async def tables(self) -> Mapping[str, Table]:
        """Return every table of the layout, by name, with the columns that any of its rows has."""
        return self._tables

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Read the files as they were opened. Raises `ForeignDataError` if they were changed since."""
        if not self._rows:
            raise Unavailable("The source is not open.")
        if await self.state() != self._state:
            raise ForeignDataError("The files were changed since they were opened: open them again.")
        with ExitStack() as stack:
            handles = {path: stack.enter_context(opened(path)) for path in _paths(self._layout)}
            yield FileSnapshot(self._rows, self._tables, handles)

    async def write(self, changes: Sequence[Change], *, as_they_were: bool = False) -> int:
        """Refuse: an export is only read."""
        del changes, as_they_were
        raise _only_read()

    async def erase(self, table: str, columns: Sequence[str], *, delete_rows: bool) -> int:
        """Refuse: an export is only read."""
        del table, columns, delete_rows
        raise _only_read()

    async def state(self) -> str:
        """Return a text that is another one when a file was written."""
        return await asyncio.to_thread(_state, _paths(self._layout))


class FileSnapshot:
    """The files of an export; whoever shares it takes turns."""

    def __init__(
        self, rows: Mapping[str, FileRows], tables: Mapping[str, Table], handles: Mapping[Path, BinaryIO]
    ) -> None:
        self._rows = rows
        self._tables = tables
        self._handles = handles
        self._turn = asyncio.Lock()

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""
        table_named(self._tables, table)
        return len(self._rows[table])

    async def after(
        self, table: str, key: Sequence[str], last: Key | None, limit: int, *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the next rows in the order of the file, behind the one with the key `last`."""
        paged_by(table_named(self._tables, table, [*columns, *key]), key)

        def look(rows: FileRows, handle: BinaryIO) -> list[Row]:
            number = -1 if last is None else rows.number(handle, key, last)
            if number is None:
                raise ForeignDataError(
                    f'"{table}" has no row with the key to go on from: begin at the start.'
                )
            return rows.page(handle, number + 1, limit, columns)

        return await self._ask(table, look)

    async def where(
        self, table: str, column: str, values: Sequence[Value], *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the rows whose column has one of these values, in the order of the file; null is none of them."""
        return await self.with_keys(table, [column], [(value,) for value in values], columns=columns)

    async def with_keys(
        self, table: str, key: Sequence[str], keys: Sequence[Key], *, columns: Sequence[str]
    ) -> list[Row]:
        """Return the rows with these keys."""
        table_named(self._tables, table, [*columns, *key])
        return await self._ask(table, lambda rows, handle: rows.find(handle, key, keys, columns))

    async def strays(
        self, table: str, column: str, parent: str, target: str, *, columns: Sequence[str]
    ) -> AsyncIterator[Row]:
        """Return the rows whose column is null, or names no row of `parent`."""
        table_named(self._tables, table, [*columns, column])
        asked = [*dict.fromkeys([*columns, column])]
        for first in range(0, await self.count(table), _PORTION):

            def look(rows: FileRows, handle: BinaryIO, first: int = first) -> list[Row]:
                return rows.page(handle, first, _PORTION, asked)

            page = await self._ask(table, look)
            owners = [row[column] for row in page]
            found = await self.where(parent, target, [*dict.fromkeys(owners)], columns=[target])
            known = {str(row[target]) for row in found}
            for row, owner in zip(page, owners, strict=True):
                if owner is None or str(owner) not in known:
                    yield {name: row[name] for name in columns}

    async def versions(self, keys: Sequence[Key]) -> Mapping[Key, int]:
        """Return nothing: a file does not change."""
        del keys
        return {}

    async def _ask(self, table: str, look: Callable[[FileRows, BinaryIO], T]) -> T:
        rows = self._rows[table]
        async with self._turn:
            return await asyncio.to_thread(look, rows, self._handles[rows.table.file])


def _opened(layout: Sequence[FileTable]) -> tuple[dict[str, FileRows], dict[str, Table], str]:
    state = _state(_paths(layout))
    groups: dict[tuple[Path, str], Records] = {}
    rows: dict[str, FileRows] = {}
    # Whoever is further up comes first.
    for table in sorted(layout, key=lambda table: len(_steps(table))):
        outer, *inner = _steps(table)
        place = (table.file, outer)
        if place not in groups:
            groups[place] = Records(table, [name for name in outer.split(".") if name])
        above = _above(table, layout, rows) if inner else None
        rows[table.name] = FileRows(table, groups[place], above, inner[-1].split(".") if inner else ())
    if len(rows) != len(layout):
        raise ForeignDataError("Two tables of the layout have the same name: rename one of them.")
    for records in groups.values():
        _scan(records, [table for table in rows.values() if table.records is records])
    return rows, {name: _table(rows[name], rows) for name in rows}, state


def _scan(records: Records, tables: Sequence[FileRows]) -> None:
    for record in records.scan():
        for table in tables:
            table.note(record)
    with opened(records.path) as handle:
        for table in tables:
            table.finish(handle)


def _steps(table: FileTable) -> list[str]:
    """Split a path into what leads to its records, and from each array to the one within."""
    if not _PATH.fullmatch(table.path):
        raise ForeignDataError(
            f'"{table.path}" is no path: write users[], [] or users[].providers[], and nothing for lines and CSV.'
        )
    if table.format == "csv" and table.path:
        raise ForeignDataError(
            f'The table "{table.name}" is read from CSV, so it has no path: leave it empty.'
        )
    if table.format == "json" and not table.path.endswith("[]"):
        raise ForeignDataError(f'The table "{table.name}" needs the path of an array: write users[] or [].')
    steps = [step.strip(".") for step in table.path.split("[]")[:-1]]
    return steps if table.format == "json" else ["", *steps]


def _above(table: FileTable, layout: Sequence[FileTable], rows: Mapping[str, FileRows]) -> FileRows:
    wanted = _steps(table)[:-1]
    for candidate in layout:
        if candidate.file == table.file and candidate.format == table.format and _steps(candidate) == wanted:
            return rows[candidate.name]
    raise ForeignDataError(
        f'The rows of "{table.name}" lie within others: the layout needs a table for those, too.'
    )


def _table(rows: FileRows, others: Mapping[str, FileRows]) -> Table:
    kind = "text" if rows.table.format == "csv" else "json"
    above = rows.above
    references = []
    if above is not None and above.table.name in others and len(above.table.key) == 1:
        references.append(Reference((PARENT,), above.table.name, above.table.key))
    return Table(
        rows.table.name,
        tuple(Column(name, kind) for name in rows.columns),
        key=rows.table.key,
        references=tuple(references),
    )


def _paths(layout: Sequence[FileTable]) -> list[Path]:
    return [*dict.fromkeys(table.file for table in layout)]


def _state(paths: Sequence[Path]) -> str:
    parts = []
    for path in paths:
        try:
            found = path.stat()
        except OSError as error:
            raise ForeignDataError(
                f"{path.name} cannot be opened ({type(error).__name__}): check its path and its permissions."
            ) from None
        parts.append(f"{found.st_ino}.{found.st_size}.{found.st_mtime_ns}")
    return " ".join(parts)


def _only_read() -> ForeignDataError:
    return ForeignDataError("The source is an export: its files are read and never written.")
