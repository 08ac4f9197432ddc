"""One run: a world, a workload in it, a fault from a seed, and the checker's verdict."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from tests.faults.harness.checker import Limits, Violation, check
from tests.faults.harness.clients import Door, Operator
from tests.faults.harness.facts import Facts
from tests.faults.harness.history import History, Operation
from tests.faults.harness.records import Records, check_records
from tests.faults.harness.workload import Device, Helpdesk, Person
from tests.faults.harness.world import PROPAGATION, world_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    from tests.faults.harness.faults import Fault
    from tests.faults.harness.world import Dialect, World

_DEVICES: Final = 2
_LONGEST_PHASE: Final = 30.0
_LONGEST_END: Final = 90.0
_PRESENTED_AGAIN: Final = 12


@dataclass(frozen=True)
class Size:
    """How much of everything: workers, people with two devices each, blows, operations between them, tabs at once."""

    workers: int
    people: int
    blows: int
    operations: int
    clients: int
    tabs: int = 5


FULL: Final = Size(workers=3, people=10, blows=6, operations=120, clients=1000)
QUICK: Final = Size(workers=2, people=3, blows=2, operations=40, clients=40)


@dataclass
class Report:
    """What came of a run."""

    fault: str
    seed: int
    dialect: str
    operations: list[Operation]
    violations: list[Violation]
    remarks: list[str] = field(default_factory=list)

    @property
    def unknown(self) -> int:
        """How many operations ended without the client knowing how."""
        return sum(operation.outcome == "unknown" for operation in self.operations)


class Run:
    """A run under way: what a fault may touch."""

    def __init__(self, world: World, history: History, seed: int, size: Size, limits: Limits) -> None:
        self.world = world
        self.history = history
        self.size = size
        self.limits = limits
        self.random = Random(seed)
        self.violations: list[Violation] = []
        self.remarks: list[str] = []
        self.records: Records | None = None
        """What the database held when judgement was closed early; what comes after is for the fault to judge."""
        self.judged: int | None = None
        self.door = Door(world.workers, history)
        self.operator = Operator(history, world.folder, world.environment)
        self.people = [Person("person", number) for number in range(size.people)]
        self.devices = [
            Device(person, number, self.door, str(seed))
            for person in self.people
            for number in range(_DEVICES)
        ]
        self._seed = seed
        self._stopping: list[Device | Helpdesk] = []

    async def during(self, operations: int) -> None:
        """Let so many more operations end, or a phase pass."""
        await at_most(_LONGEST_PHASE, self.history.reaches(self.history.ended + operations))

    def broken(self, rule: str, what: str) -> None:
        """Report a promise that is broken in a way no history shows."""
        last = max(self.history.ended - 1, 0)
        self.violations.append(Violation(rule, what, (last,)))

    async def close_judgement(self) -> None:
        """Judge the history and the records as they are now, and nothing that comes later."""
        self.records = await self.world.records()
        self.judged = len(self.history.operations())

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Register everybody, and keep the workload going while the block lasts."""
        first = self.devices[::_DEVICES]
        await asyncio.gather(*(device.register() for device in first))
        helpdesk = Helpdesk(self.people, self.operator, str(self._seed))
        self._stopping = [*self.devices, helpdesk]
        tasks = [asyncio.create_task(actor.run()) for actor in self._stopping]
        try:
            yield
            await self._end(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _end(self, tasks: list[asyncio.Task[None]]) -> None:
        for actor in self._stopping:
            actor.stop()
        async with asyncio.timeout(_LONGEST_END):
            await asyncio.gather(*tasks)

    async def look_again(self) -> None:
        """Present everything once more, to every worker: what lives must work, what was ended must not."""
        await self.world.all_ready()
        await asyncio.gather(*(self._sign_in_again(device) for device in self.devices))
        await asyncio.sleep(self.limits.propagation)
        await asyncio.gather(*(self._present_again(device) for device in self.devices))

    async def _sign_in_again(self, device: Device) -> None:
        if device.tokens is not None:
            for worker in range(len(self.world.workers)):
                if device.tokens is not None:
                    await device.me(device.tokens, worker=worker)
        if device.tokens is None:
            for password in device.person.candidates:
                await device.prove(password)
        if device.tokens is not None:
            await device.list_sessions(device.tokens)

    async def _present_again(self, device: Device) -> None:
        """Present access tokens of every session this device had, then its sessions' last refresh tokens."""
        newest = {tokens.session: tokens for tokens in device.held}
        current = device.tokens
        for tokens in [*newest.values()][-_PRESENTED_AGAIN:]:
            for worker in range(len(self.world.workers)):
                await device.me(tokens, worker=worker)
            if current is None or tokens.session != current.session:
                await device.present(tokens)
        if current is not None:
            await device.exchange(current)


async def run_fault(
    fault: Fault, *, seed: int, dialect: Dialect, size: Size, kept: Path | None = None
) -> Report:
    """Run one fault once."""
    limits = Limits(grace=fault.grace, propagation=PROPAGATION, answer=fault.longest_answer)
    history = History(kept)
    try:
        async with world_on(dialect) as world:
            await fault.prepare(world)
            workers = size.workers if dialect == "postgresql" else 1
            grace = {"TOKENS__REFRESH_GRACE": f"{fault.grace:.0f}s"}
            await world.start_workers(workers, grace | fault.settings)
            run = Run(world, history, seed, size, limits)
            try:
                await fault.drive(run)
                records = run.records or await world.records()
            finally:
                await run.door.close()
            run.violations += _complaints(world)
        operations = history.operations()[: run.judged]
        found = [*check(operations, limits), *check_records(operations, records, limits), *run.violations]
        remarks = [*run.remarks, *_remarks(operations, limits)]
        return Report(fault.id, seed, dialect, operations, found, remarks)
    finally:
        history.close()


def _complaints(world: World) -> list[Violation]:
    """Say which workers wrote a traceback: every failure under a fault is an expected one."""
    return [
        Violation(
            "clean answers", f"worker {worker.index} wrote a traceback: {_last_traceback(worker.log)}", ()
        )
        for worker in world.workers
        if "Traceback (most recent call last)" in worker.log
    ]


def _last_traceback(log: str) -> str:
    """Return the line an exception ends with."""
    tail = log.rpartition("Traceback (most recent call last)")[2]
    return next((line for line in tail.splitlines() if line and not line.startswith((" ", ":"))), "")[:200]


def _remarks(operations: list[Operation], limits: Limits) -> list[str]:
    """Say what is no violation and worth knowing: how long revocations took to be felt at other workers."""
    facts = Facts(operations, grace=limits.grace)
    late = [
        operation.started - end.ended
        for operation in operations
        if operation.outcome == "ok" and operation.access and operation.session in facts.sessions
        if (end := facts.sessions[operation.session].ended_by(operation.started)) is not None
    ]
    return [f"a revocation was felt elsewhere after {max(late) * 1000:.0f} ms at the latest"] if late else []


async def at_most(seconds: float, waited_for: Awaitable[object]) -> bool:
    """Wait for something for so long at the most; return whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await waited_for
    except TimeoutError:
        return False
    return True
