"""What commands print: tables for people, JSON for machines, errors without a traceback."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_BAR_WIDTH: Final = 40
# What is copied from one command into the next.
_WHOLE: Final = frozenset({"id", "task"})

_out = Console(highlight=False)
_errors = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print one JSON document, at once: a server that follows does not end for whoever waits to read it."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_line(text: str, *, style: str | None = None) -> None:
    """Print a line for people; square brackets are themselves."""
    _out.print(text, style=style, markup=False, soft_wrap=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their headings; what is None is shown as a dash."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    _out.print(table)


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, "-" if value is None else str(value))
    _out.print(table)


def print_bars(
    title: str, bars: Sequence[tuple[str, float]], *, write: Callable[[float], str] = "{:,}".format
) -> None:
    """Print figures as bars, the largest as long as there is room for."""
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column()
    largest = max((value for _, value in bars), default=0)
    for name, value in bars:
        table.add_row(name, write(value), Bar(max(largest, 1), 0, value, width=_BAR_WIDTH, color="cyan"))
    _out.print(table)


def print_error(error: Exception) -> None:
    """Print what went wrong to the standard error, as JSON if this process was asked for JSON."""
    if "--json" in sys.argv:
        sys.stderr.write(msgspec.json.encode({"error": str(error)}).decode() + "\n")
    else:
        _errors.print(str(error), style="red", markup=False, soft_wrap=True)


def confirm(question: str, *, yes: bool, word: str = "yes") -> None:
    """Ask before something that cannot be undone, unless `yes`. Raises `OstiaryError` when the answer is no."""
    if not yes and input(f"{question} Write {word} to go on: ") != word:
        raise OstiaryError("Nothing was changed.")
