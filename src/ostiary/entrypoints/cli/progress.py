"""How far a long command is: a bar with rate and remaining time on a terminal, plain lines elsewhere, nothing with `--json`.

It goes to the standard error: what a command found is what it prints.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

if TYPE_CHECKING:
    from types import TracebackType

_PLAIN_EVERY: Final = timedelta(seconds=5)
_FIRST_SHARE: Final = 0.01
"""Before this much is done nobody can say how long the rest takes."""


class ProgressDisplay:
    """Shows phases one after another; `tell` hears how much of a phase is done, of how much: 0 if nobody knows."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._is_plain = not sys.stderr.isatty()
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description:<20}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[told]}", markup=False),
            console=self._console,
            disable=quiet or self._is_plain,
        )
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, float] = {}
        self._told_at = monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def tell(self, phase: str, done: int, total: int, *, more: str = "") -> None:
        """Show how far a phase is, and what else there is to say of it."""
        if self._quiet:
            return
        now = monotonic()
        began = self._began.setdefault(phase, now)
        told = _told(done, total, now - began) + more
        if not self._is_plain:
            if phase not in self._tasks:
                self._tasks[phase] = self._bars.add_task(phase, total=total or None, told=told)
            self._bars.update(self._tasks[phase], completed=done, told=told)
        elif now - self._told_at >= _PLAIN_EVERY.total_seconds() or (total and done >= total):
            self._told_at = now
            self._console.print(f"{phase}: {told}", markup=False, soft_wrap=True)


def _told(done: int, total: int, seconds: float) -> str:
    """Say how much is done, how fast, and for how long it may go on: `71 % 855,000/1,200,000 1,480/s ~3m56s`."""
    rate = done / seconds if seconds > 0 else 0.0
    speed = f" {rate:,.0f}/s" if rate and seconds >= 1 else ""
    if not total:
        return f"{done:,}{speed}"
    share = min(done / total, 1.0)
    rest = ""
    if _FIRST_SHARE <= share < 1 and speed:
        rest = f" ~{duration((total - done) / rate)}"
    return f"{share:4.0%} {done:,}/{total:,}{speed}{rest}"


def duration(seconds: float) -> str:
    """Write a time for people: `42s`, `3m56s`, `2h05m`."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{whole}s"
    minutes, left = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{left:02}s"
