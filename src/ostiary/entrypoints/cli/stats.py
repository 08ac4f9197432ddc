"""`ostiary stats`: how large an installation is, and how its clean-up does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from ostiary.app import Ostiary
from ostiary.entrypoints.cli.output import print_bars, print_facts, print_json, print_table

if TYPE_CHECKING:
    from ostiary.features.maintenance import Figures

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024
_SHOWN: Final = 12


async def stats(*, json: Annotated[bool, Parameter(help="Print JSON.")] = False) -> None:
    """Show revocations, sessions, the sizes of tables, the use of indexes, and how long the clean-up took.

    Example: `ostiary stats --json`.
    """
    async with Ostiary(run_worker=False) as auth:
        statistics = auth.services.statistics
        figures = await statistics.figures(now=auth.clock.now())
    if json:
        print_json(figures)
    else:
        _show(figures)


def _show(figures: Figures) -> None:
    revocations, sessions = figures.revocations, figures.sessions
    print_facts("Database", {"size": _size(figures.database_bytes), "as of": figures.as_of})
    print_bars(
        f"Revocations: {revocations.total:,} in {_size(figures.revocations_bytes)}",
        [("active", revocations.active), ("expired", revocations.expired)],
    )
    print_bars(
        f"Sessions: {sessions.total:,} in {_size(figures.sessions_bytes)}",
        [("active", sessions.active), ("used within 7 days", sessions.recent)],
    )
    messages = figures.messages
    waits = f", the oldest since {messages.oldest_pending_at}" if messages.oldest_pending_at else ""
    print_bars(f"Messages{waits}", [("waiting", messages.pending), ("dead", messages.dead)])
    vault = figures.vault
    print_bars(
        f"Accounts at providers: {vault.linked:,}",
        [("with tokens", vault.sealed), ("to be connected again", vault.needing_reconnection)],
    )
    if figures.tables:
        print_bars("Tables", [(table.name, table.bytes) for table in figures.tables[:_SHOWN]], write=_size)
    if any(index.scans is not None for index in figures.indexes):
        rows = ((index.name, index.table, index.scans, _size(index.bytes)) for index in figures.indexes)
        print_table("Indexes, the least used first", ("index", "table", "scans", "size"), rows)
    if figures.maintenance:
        done = [(run.task, round(run.seconds, 1)) for run in figures.maintenance]
        print_bars("Clean-up, seconds of the last run", done)


def _size(size: float | None) -> str:
    if size is None:
        return "a table of unknown size"
    for unit in _UNITS:
        if size < _STEP or unit == _UNITS[-1]:
            break
        size /= _STEP
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
