"""Two ways of doing one thing, in turn, on one machine, so that a drifting machine does not lie."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Work = Callable[[int], Awaitable[float | None]]
"""Does one round of so many operations; returns the seconds they took if it had to prepare some of them first."""


class Reads(StrEnum):
    """How a ratio is to be read; a bar is the most of a cost, and the least of the others."""

    COST = "× the cost"
    FASTER = "× faster"
    RATE = "× the rate"


@dataclass(frozen=True)
class Comparison:
    """`subject` against `floor`."""

    name: str
    claim: str
    operations: int
    subject: Work
    floor: Work
    reads: Reads = Reads.COST
    bar: float | None = None
    least: int = 2
    """How many operations a round has at the least, however small the scale."""


@dataclass
class Result:
    """Microseconds an operation, round by round, and the ratio of each pair."""

    name: str
    claim: str
    bar: float | None
    reads: Reads
    subject_us: list[float] = field(default_factory=list)
    floor_us: list[float] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        pairs = zip(self.subject_us, self.floor_us, strict=True)
        return [subject / floor if self.reads is Reads.COST else floor / subject for subject, floor in pairs]

    @property
    def value(self) -> float:
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool | None:
        if self.bar is None:
            return None
        return self.value <= self.bar if self.reads is Reads.COST else self.value >= self.bar

    def summary(self) -> dict:
        """What is written to the report."""
        return {
            "name": self.name,
            "claim": self.claim,
            "ratio": round(self.value, 3),
            "reads": self.reads,
            "ratio_min": round(min(self.ratios), 3),
            "ratio_max": round(max(self.ratios), 3),
            "bar": self.bar,
            "met": self.is_met,
            "subject_us": round(statistics.median(self.subject_us), 2),
            "floor_us": round(statistics.median(self.floor_us), 2),
            "details": self.details,
        }


@dataclass
class Figure:
    """One number that stands for itself; its bar is the most it may be."""

    name: str
    claim: str
    value: float
    unit: str
    bar: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_met(self) -> bool | None:
        return None if self.bar is None else self.value <= self.bar

    def summary(self) -> dict:
        """What is written to the report."""
        return {
            "name": self.name,
            "claim": self.claim,
            "value": round(self.value, 3),
            "unit": self.unit,
            "bar": self.bar,
            "met": self.is_met,
            "details": self.details,
        }


Finding = Result | Figure


@dataclass(frozen=True)
class Scale:
    """How much is done: `rounds` of each comparison at `share` of its operations, on so many identities."""

    rounds: int
    share: float
    identities: int

    def of(self, count: int, *, least: int = 2) -> int:
        return max(least, int(count * self.share))


@dataclass(frozen=True)
class Part:
    """Findings that are made together; `run` is told which scale and calls back to say what it is doing."""

    names: Sequence[str]
    run: Callable[[Scale, Tell], Awaitable[Sequence[Finding]]]


Tell = Callable[[str, float], None]
"""Told what is being done, and what share of the part is behind us."""


async def measure(comparison: Comparison, scale: Scale, tell: Tell) -> Result:
    """Run both in turn after one round of warming up; who begins alternates as well."""
    operations = scale.of(comparison.operations, least=comparison.least)
    result = Result(comparison.name, comparison.claim, comparison.bar, comparison.reads)
    await _timed(comparison.subject, operations)
    await _timed(comparison.floor, operations)
    for turn in range(scale.rounds):
        tell(comparison.name, turn / scale.rounds)
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


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spaced(number: int) -> str:
    """Write a large number so that it can be read."""
    return f"{number:,}".replace(",", " ")
