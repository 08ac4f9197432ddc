"""Two ways of doing one thing, in turn, on one machine, so that a drifting machine does not lie."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Work = Callable[[int], Awaitable[float | None]]
"""Does one round of so many operations; returns the seconds they took if it had to prepare some of them first."""


@dataclass(frozen=True)
class Comparison:
    """`subject` against `floor`. A ratio of time above 1 says the subject is slower, unless `faster` asks how much faster."""

    name: str
    claim: str
    operations: int
    subject: Work
    floor: Work
    faster: bool = False
    bar: float | None = None


@dataclass
class Result:
    """Microseconds an operation, round by round, and the ratio of each pair."""

    name: str
    claim: str
    bar: float | None
    faster: bool
    subject_us: list[float] = field(default_factory=list)
    floor_us: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        pairs = zip(self.subject_us, self.floor_us, strict=True)
        return [floor / subject if self.faster else subject / floor for subject, floor in pairs]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool | None:
        if self.bar is None:
            return None
        return self.ratio >= self.bar if self.faster else self.ratio <= self.bar

    def summary(self) -> dict:
        """What is written to the report."""
        return {
            "name": self.name,
            "claim": self.claim,
            "ratio": round(self.ratio, 3),
            "ratio_min": round(min(self.ratios), 3),
            "ratio_max": round(max(self.ratios), 3),
            "bar": self.bar,
            "met": self.is_met,
            "subject_us": round(statistics.median(self.subject_us), 2),
            "floor_us": round(statistics.median(self.floor_us), 2),
        }


async def measure(comparison: Comparison, *, rounds: int, scale: float) -> Result:
    """Run both in turn after one round of warming up; who begins alternates as well."""
    operations = max(2, int(comparison.operations * scale))
    result = Result(comparison.name, comparison.claim, comparison.bar, comparison.faster)
    await _timed(comparison.subject, operations)
    await _timed(comparison.floor, operations)
    for turn in range(rounds):
        order = (comparison.subject, comparison.floor)
        taken = {}
        for work in order if turn % 2 else order[::-1]:
            taken[work] = await _timed(work, operations)
        result.subject_us.append(taken[comparison.subject])
        result.floor_us.append(taken[comparison.floor])
    return result


async def _timed(work: Work, operations: int) -> float:
    await asyncio.sleep(0)
    started = time.perf_counter()
    seconds = await work(operations)
    return (time.perf_counter() - started if seconds is None else seconds) / operations * 1e6


async def timed(work: Awaitable[object]) -> float:
    """Return the seconds a piece of work takes."""
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


async def in_flight(count: int, tasks: list[Callable[[], Awaitable[object]]]) -> None:
    """Run every task, `count` at a time."""
    waiting = iter(tasks)

    async def one_after_another() -> None:
        for task in waiting:
            await task()

    await asyncio.gather(*(one_after_another() for _ in range(count)))
