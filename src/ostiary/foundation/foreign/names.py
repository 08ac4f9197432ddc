"""Names of tables and columns as SQL has to spell them, and the complaint about those that are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ostiary.foundation.foreign.model import ForeignDataError, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")


def quoted(name: str) -> str:
    """Return a name so that SQL takes it letter by letter."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as an SQL literal, where the database takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


def listed(names: Iterable[str]) -> str:
    """Return names as SQL lists them."""
    return ", ".join(map(quoted, names))


def table_named(tables: Mapping[str, Table], name: str, columns: Sequence[str] = ()) -> Table:
    """Return a table that has these columns. Raises `ForeignDataError`."""
    table = tables.get(name)
    if table is None:
        raise ForeignDataError(
            f'The source has no table "{name}": check the name, and that its role may see it.'
        )
    known = {column.name for column in table.columns}
    missing = [column for column in columns if column not in known]
    if missing:
        raise ForeignDataError(
            f'The table "{name}" has no column "{missing[0]}": its tables changed, or the name is wrong.'
        )
    return table


def paged_by(table: Table, key: Sequence[str]) -> None:
    """Raise `ForeignDataError` if there is nothing to go by."""
    if not key:
        raise ForeignDataError(
            f'The table "{table.name}" has no key to go through it by: name columns that are one.'
        )


def portions(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Return the items in order, some at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
