"""The faults: each says how it is done to a world and undone, and draws where and when from the seed."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from tests.faults.harness.run import at_most
from tests.faults.harness.workload import Device, Person

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.faults.harness.run import Run
    from tests.faults.harness.world import World

BOTH: Final = ("sqlite", "postgresql")
POSTGRESQL: Final = ("postgresql",)
_IN_FLIGHT: Final = 250
# Seconds; it comes with the first requests.
_DEATH: Final = 60.0


@dataclass(frozen=True)
class Blow:
    """One time the fault strikes: after so many operations, at a worker, in a way, for so many operations."""

    after: int
    worker: int
    way: str
    hold: int


class Fault:
    """A fault that strikes several times while the workload goes on."""

    id: ClassVar[str]
    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]] = POSTGRESQL
    ways: ClassVar[tuple[str, ...]] = ("",)
    settings: ClassVar[dict[str, str]] = {}
    grace: ClassVar[float] = 10.0
    """Seconds: what the run sets OSTIARY_TOKENS__REFRESH_GRACE to."""
    longest_answer: ClassVar[float] = 25.0
    """Seconds: how long a client may wait for any answer while this fault is on."""

    async def prepare(self, world: World) -> None:
        """Change the world before the workers start."""

    async def inject(self, run: Run, blow: Blow) -> None:
        """Strike."""
        raise NotImplementedError

    async def heal(self, run: Run, blow: Blow) -> None:
        """Undo it, as whoever operates it would."""
        raise NotImplementedError

    def schedule(self, run: Run) -> list[Blow]:
        """Draw the blows from the seed; the ways take turns in an order that is drawn."""
        ways = run.random.sample(self.ways, len(self.ways))
        around = run.size.operations
        return [
            Blow(
                after=run.random.randint(around // 2, around),
                worker=run.random.randrange(len(run.world.workers)),
                way=ways[number % len(ways)],
                hold=run.random.randint(around // 4, around // 2),
            )
            for number in range(run.size.blows)
        ]

    async def drive(self, run: Run) -> None:
        """Strike and heal under load, then look at everything again."""
        async with run.load():
            for blow in self.schedule(run):
                await run.during(blow.after)
                run.history.note(f"{self.id} {blow}")
                await self.inject(run, blow)
                await run.during(blow.hold)
                await self.heal(run, blow)
                run.history.note(f"{self.id} healed")
            await run.during(run.size.operations)
        await run.look_again()


class KilledWorker(Fault):
    """A worker dies by `kill -9`: at any moment, or at a chosen call to its database."""

    id = "F01"
    title = "kill -9 of a worker, at any moment and at chosen calls"
    dialects = BOTH
    ways = ("now", "before", "during", "after")

    async def inject(self, run: Run, blow: Blow) -> None:
        worker = run.world.workers[blow.worker]
        await worker.kill()
        if blow.way != "now":
            call = run.random.randint(10, 60)
            worker.start("--die-at", f"{call}:{blow.way}")
            if not await at_most(_DEATH, worker.death()):
                run.broken("the fault", f"a worker did not die {blow.way} call {call}")

    async def heal(self, run: Run, blow: Blow) -> None:
        worker = run.world.workers[blow.worker]
        await worker.kill()
        await worker.started()


class CutCommit(Fault):
    """The connection to the database breaks when a change was made and nobody has heard of it yet."""

    id = "F04"
    title = "TCP cut during COMMIT, and after a rotation"
    ways = ("COMMIT", "successor_sealed", "everything")

    async def inject(self, run: Run, blow: Blow) -> None:
        if blow.way == "everything":
            run.world.cut()
        else:
            wire = run.world.wires[blow.worker]
            wire.cut_at(blow.way.encode(), run.random.randint(2, 6))

    async def heal(self, run: Run, _blow: Blow) -> None:
        run.world.mend()


class Terminated(Fault):
    """Every worker is asked to end in turn, as a rolling restart does."""

    id = "F20"
    title = "SIGTERM of every worker in turn under load"
    dialects = BOTH
    ways = ("rolling",)

    async def inject(self, run: Run, _blow: Blow) -> None:
        for worker in run.world.workers:
            code = await worker.terminate()
            if code not in {0, -signal.SIGTERM}:
                run.broken("clean end", f"a worker that was asked to end did so with {code}")
            await worker.started()

    async def heal(self, run: Run, _blow: Blow) -> None:
        await run.world.all_ready()


class Thundering(Fault):
    """After an outage every client refreshes in every tab at once."""

    id = "F11"
    title = "every client refreshes in five tabs at once after an outage"
    dialects = BOTH
    # Longer than a slow machine needs for all of them: what is tested is the storm, not the machine.
    grace = 60.0

    async def drive(self, run: Run) -> None:
        """Sign everybody in, take the database away, and let everybody refresh when it comes back."""
        people = [Person("client", number) for number in range(run.size.clients)]
        devices = [Device(person, 1, run.door, "storm") for person in people]
        await in_flight(16, [device.register for device in devices])
        await self._outage(run)
        tabs = [
            partial(device.exchange, device.tokens)
            for device in devices
            for _ in range(run.size.tabs)
            if device.tokens
        ]
        storm = asyncio.create_task(in_flight(_IN_FLIGHT, tabs))
        await run.during(run.size.operations)
        await self._recovery(run)
        run.history.note("F11 recovered")
        await storm
        waits = sorted(each.ended - each.started for each in run.history.operations() if each.refresh)
        run.remarks.append(f"99 of 100 refreshes were answered within {waits[len(waits) * 99 // 100]:.1f} s")
        await in_flight(16, [partial(_goes_on, run, device) for device in devices])
        records = await run.world.records()
        if any(event.action == "session:refresh_token:reused" for event in records.events):
            run.broken("no false alarm", "an honest family was ended in the storm")

    async def _outage(self, run: Run) -> None:
        if run.world.cluster:
            run.world.cut()
        else:
            await run.world.workers[0].kill()

    async def _recovery(self, run: Run) -> None:
        if run.world.cluster:
            run.world.mend()
        await run.world.all_ready()


async def _goes_on(run: Run, device: Device) -> None:
    """Go on with the newest tokens, as the next day does."""
    tokens = device.held[-1]
    if await device.exchange(tokens) is None:
        run.broken("no false alarm", f"{device.person.email} was signed out by the storm")


async def in_flight(count: int, calls: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Make every call, `count` at a time."""
    waiting = iter(calls)

    async def one_after_another() -> None:
        for call in waiting:
            await call()

    await asyncio.gather(*(one_after_another() for _ in range(count)))
