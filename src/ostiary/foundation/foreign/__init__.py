"""Somebody else's databases and files: their tables, and rows as they are.

Reads one moment at a time, writes nothing unless told to, notes which rows change, and can put every value back exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.foundation.foreign.model import (
    Capture,
    Capturing,
    Change,
    Column,
    FileTable,
    ForeignDataError,
    Key,
    Reference,
    Row,
    Snapshot,
    Source,
    Table,
    Value,
    Watch,
)

__all__ = [
    "Capture",
    "Capturing",
    "Change",
    "Column",
    "FileTable",
    "ForeignDataError",
    "Key",
    "Reference",
    "Row",
    "Snapshot",
    "Source",
    "Table",
    "Value",
    "Watch",
    "source_at",
]

if TYPE_CHECKING:
    from collections.abc import Sequence

_SQLITE: Final = "sqlite:///"
_FILES: Final = "files:"


def source_at(url: str, *, layout: Sequence[FileTable] = ()) -> Source:
    """Return the source a URL names, not yet open.

    `postgresql://user@host/name`, `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, or `files:` with the
    layout of an export. Raises `ForeignDataError` for anything else.
    """
    # Imported here because each costs start-up time that users of the others need not pay.
    if url.startswith(("postgresql://", "postgres://")):
        from ostiary.foundation.foreign.postgresql import PostgreSQLSource  # noqa: PLC0415 - see above

        return PostgreSQLSource(url)
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        from ostiary.foundation.foreign.sqlite import SQLiteSource  # noqa: PLC0415 - see above

        return SQLiteSource(url.removeprefix(_SQLITE))
    if url == _FILES and layout:
        from ostiary.foundation.foreign.files import FileSource  # noqa: PLC0415 - see above

        return FileSource(layout)
    raise ForeignDataError(
        "The source is not one we know: write postgresql://user@host/name or sqlite:///path/to/file.db, or files: with "
        "the layout of an export."
    )
