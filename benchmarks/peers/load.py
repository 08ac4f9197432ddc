"""The load: the same people do the same things to every contestant, and what that took is kept."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.peers.apis import Operation, Visitor
from benchmarks.peers.client import Connection
from benchmarks.peers.contestants import Contestant
from benchmarks.peers.machine import Worker, machine_seconds, until_quiet

# Of a thousand things done: what an application sees all day, with a sign-in now and then.
MIX = {"request": 950, "refresh": 40, "sessions": 8, "login": 2}
LOGINS_IN_FLIGHT = 8
DISTURBED = 0.15
_TRIES = 2
_COUNTED = 10
_BORDERS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


@dataclass(frozen=True)
class Scale:
    """How much is done: `people` on a connection each, `logins` of each of them, `seconds` for everything else."""

    rounds: int
    people: int
    logins: int
    seconds: float


FULL = Scale(rounds=5, people=32, logins=3, seconds=2.0)
QUICK = Scale(rounds=1, people=8, logins=1, seconds=0.5)


@dataclass(frozen=True)
class Sample:
    """One operation in one round; `…_busy` are cores kept at work, and `foreign_busy` is everybody else's."""

    rate: float
    p50_ms: float
    p99_ms: float
    server_us: float
    server_busy: float
    generator_busy: float
    postgresql_busy: float
    foreign_busy: float


class Load:
    """What is done to one contestant, and what was seen."""

    def __init__(self, worker: Worker, scale: Scale) -> None:
        self.worker = worker
        self.contestant: Contestant = worker.contestant
        self.samples: dict[str, list[Sample]] = {}
        self.statements: dict[str, float] = {}
        self.replay: dict[str, str | int | bool] = {}
        self.memory: dict[str, float] = {}
        self.sessions_listed = 0
        self._scale = scale
        self._operations = self.contestant.api.operations()

    @property
    def measured(self) -> list[str]:
        """What is measured of this contestant."""
        everything = [
            name for name in ("login", "request", "refresh", "sessions") if name in self._operations
        ]
        only = self.contestant.only
        return [name for name in (*everything, "mixed") if not only or name in only]

    async def register(self) -> None:
        """Register everybody who cannot be made beforehand."""
        register = getattr(self.contestant.api, "register", None)
        if register is None:
            return
        visitors = self._visitors(range(people_needed(self._scale)))
        await _all(LOGINS_IN_FLIGHT, [lambda visitor=visitor: register(visitor) for visitor in visitors])
        _close(visitors)

    async def round(self, number: int) -> None:
        """Measure every operation once, by people nobody has been yet."""
        people = self._scale.people
        visitors = self._visitors(range(number * people, (number + 1) * people))
        await until_quiet()
        await self.worker.wake()
        try:
            self._keep("login", await self._logins(visitors))
            for name in self.measured:
                if name in {"request", "refresh", "sessions"}:
                    self._keep(name, await self._undisturbed(visitors, itertools.repeat(name)))
            if "mixed" in self.measured:
                self._keep("mixed", await self._undisturbed(visitors, None))
            self.memory = self.worker.memory_mib()
        finally:
            self.worker.sleep()
            _close(visitors)

    async def once(self, number: int) -> None:
        """Count the statements of each operation, and log out and present the old credential again."""
        visitor, other = visitors = self._visitors(range(number, number + 2))
        await self.worker.wake()
        try:
            await self._count_statements(visitor, other)
            if "logout" in self._operations and self.contestant.only != ("login",):
                await self._replay(other)
        finally:
            self.worker.sleep()
            _close(visitors)

    async def _logins(self, visitors: list[Visitor]) -> Sample:
        login = self._operations["login"]
        clock = _Clock(self.worker)

        def again_and_again(visitor: Visitor) -> Callable:
            # One after the other: nobody is asked to do two things at once on one connection.
            async def run() -> None:
                for _ in range(self._scale.logins):
                    await clock.timed(login, visitor)()

            return run

        await _all(LOGINS_IN_FLIGHT, [again_and_again(visitor) for visitor in visitors])
        return clock.sample()

    async def _undisturbed(self, visitors: list[Visitor], names: Iterator[str] | None) -> Sample:
        """Measure again when somebody else was at work meanwhile, and return the least disturbed sample."""
        tries = []
        for _ in range(_TRIES):
            tries.append(await self._for_a_time(visitors, names))
            if tries[-1].foreign_busy < DISTURBED:
                break
            await until_quiet()
        return min(tries, key=lambda sample: sample.foreign_busy)

    async def _for_a_time(self, visitors: list[Visitor], names: Iterator[str] | None) -> Sample:
        async def until(end: float, clock: _Clock | None) -> None:
            async def one(visitor: Visitor, things: Iterator[str]) -> None:
                while time.perf_counter() < end:
                    operation = self._operations[next(things)]
                    await (operation(visitor) if clock is None else clock.timed(operation, visitor)())

            await asyncio.gather(
                *(one(each, names or self._mix(place)) for place, each in enumerate(visitors))
            )

        await until(time.perf_counter() + self._scale.seconds / 10, None)
        clock = _Clock(self.worker)
        await until(time.perf_counter() + self._scale.seconds, clock)
        return clock.sample()

    def _mix(self, place: int) -> Iterator[str]:
        """Return the same shuffled day for everybody, each beginning elsewhere; what is missing becomes a request."""
        has = set(self._operations)
        day = [name if name in has else "request" for name, count in MIX.items() for _ in range(count)]
        random.Random(7).shuffle(day)  # the same day at every run
        return itertools.islice(itertools.cycle(day), place * len(day) // self._scale.people, None)

    async def _count_statements(self, visitor: Visitor, other: Visitor) -> None:
        """Count by PostgreSQL's log; what it also says while nobody asks anything is taken out."""
        name, postgres = self.contestant.name, self.worker.postgres
        await self._operations["login"](other)
        await postgres.log_statements(on=True)
        try:
            mark = postgres.mark()
            await asyncio.sleep(1)
            idle = postgres.statements(name, mark)
            self.statements["idle_per_second"] = len(idle)
            # Sign-ins first, as often as in the load: lists are then counted at the length they are measured at.
            for operation in [each for each in ("login", *self.measured) if each != "mixed"]:
                if operation in self.statements:
                    continue
                times = self._scale.logins if operation == "login" else _COUNTED
                if operation != "login":
                    # Once without counting: what is prepared or fetched the first time only is no part of it.
                    await self._operations[operation](visitor)
                mark = postgres.mark()
                for _ in range(times):
                    await self._operations[operation](visitor)
                seen = [text for text in postgres.statements(name, mark) if text not in idle]
                self.statements[operation] = round(len(seen) / times, 2)
                borders = sum(text.upper().startswith(_BORDERS) for text in seen)
                self.statements[f"{operation}_transaction_control"] = round(borders / times, 2)
        finally:
            await postgres.log_statements(on=False)

    async def _replay(self, visitor: Visitor) -> None:
        api = self.contestant.api
        await api.login(visitor)
        await api.request(visitor)
        await api.logout(visitor)
        answer = await api.request(visitor, expect=None)
        self.replay = {"status": answer.status, "refused": answer.status in {401, 403}}

    def _visitors(self, numbers: range) -> list[Visitor]:
        return [
            Visitor(
                f"person{number}@example.org",
                Connection(self.worker.port, f"10.1.{number // 250}.{number % 250}"),
            )
            for number in numbers
        ]

    def _keep(self, name: str, sample: Sample) -> None:
        if name in self.measured:
            self.samples.setdefault(name, []).append(sample)


def people_needed(scale: Scale) -> int:
    """Return how many people all rounds and the counting take."""
    return scale.rounds * scale.people + 2


class _Clock:
    """What a stretch of load took, here and in the server."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._latencies: list[float] = []
        self._server = worker.cpu_seconds()
        self._generator = time.process_time()
        self._postgresql = worker.postgres.cpu_seconds()
        self._machine = machine_seconds()
        self._started = time.perf_counter()

    def timed(self, operation: Operation, visitor: Visitor) -> Callable:
        """Return the operation with its latency kept."""

        async def run() -> None:
            started = time.perf_counter()
            await operation(visitor)
            self._latencies.append(time.perf_counter() - started)

        return run

    def sample(self) -> Sample:
        """Return what was seen since the clock was made."""
        seconds = time.perf_counter() - self._started
        server = self._worker.cpu_seconds() - self._server
        generator = time.process_time() - self._generator
        postgresql = self._worker.postgres.cpu_seconds() - self._postgresql
        machine = machine_seconds() - self._machine
        ordered = sorted(self._latencies)
        count = len(ordered)
        return Sample(
            rate=count / seconds,
            p50_ms=ordered[count // 2] * 1000,
            p99_ms=ordered[min(count - 1, count * 99 // 100)] * 1000,
            server_us=server / count * 1e6,
            server_busy=server / seconds,
            generator_busy=generator / seconds,
            postgresql_busy=postgresql / seconds,
            foreign_busy=max(0.0, machine - server - generator - postgresql) / seconds,
        )


async def _all(flights: int, tasks: list[Callable]) -> None:
    waiting = iter(tasks)

    async def one_after_another() -> None:
        for task in waiting:
            await task()

    await asyncio.gather(*(one_after_another() for _ in range(flights)))


def _close(visitors: list[Visitor]) -> None:
    for visitor in visitors:
        visitor.connection.close()
