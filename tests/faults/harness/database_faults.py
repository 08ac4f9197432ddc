"""The faults of PostgreSQL: failover, split brain, slowness, power cuts."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

import asyncpg
import httpx2
from tests.faults.harness.faults import BOTH, Blow, Fault
from tests.faults.harness.history import Kind
from tests.faults.harness.workload import Device, Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.harness.clusters import Cluster
    from tests.faults.harness.run import Run
    from tests.faults.harness.world import World

# Seconds; longer than the storage waits for an answer: commits are given up while they wait for the standby.
_SILENCE = 8.0


class Failover(Fault):
    """The primary dies; its synchronous standby is promoted, and the database's address leads there."""

    id = "F03"
    title = "kill -9 of the primary, promotion of the synchronous standby, switch under load"
    ways = ("dead", "standby cut off first")

    async def prepare(self, world: World) -> None:
        """Put a synchronous standby beside the primary."""
        await self._stand_by(world)

    async def inject(self, run: Run, blow: Blow) -> None:
        """Kill the primary; in the second way, after a while in which it could not reach its standby."""
        if blow.way != "dead":
            self._wire.cut()
            await asyncio.sleep(_SILENCE)
        run.world.primary.signal(signal.SIGKILL)

    async def heal(self, run: Run, blow: Blow) -> None:
        """Promote, switch, and put a new standby beside the new primary."""
        began = run.history.now()
        await self._standby.promote()
        run.world.lead_to(self._standby)
        await run.world.all_ready()
        run.remarks.append(f"ready {run.history.now() - began:.1f} s after the promotion began ({blow.way})")
        await self._stand_by(run.world)

    async def _stand_by(self, world: World) -> None:
        self._standby, self._wire = await world.standby()
        await world.primary.run(
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
        )


class SplitBrain(Fault):
    """The server that is asked is not the one that takes writes: it is read-only, or a replica that lags."""

    id = "F05"
    title = "old primary read-only; one worker at a lagging replica"
    ways = ("read-only", "lagging")

    async def prepare(self, world: World) -> None:
        """Put a standby beside the primary."""
        self._replica, _ = await world.standby()

    async def inject(self, run: Run, blow: Blow) -> None:
        """Make the primary refuse writes, or lead one worker to the replica after it stopped to follow."""
        if blow.way == "read-only":
            await _set_read_only(run.world.primary, "on")
            return
        await self._replica.run("SELECT pg_wal_replay_pause()")
        self._lead(run, blow, self._replica)
        # Long enough for every worker that has no news to know it.
        await asyncio.sleep(run.limits.propagation + 1)

    async def heal(self, run: Run, blow: Blow) -> None:
        """Let the primary take writes, and everybody ask it."""
        if blow.way == "read-only":
            await _set_read_only(run.world.primary, "off")
            return
        self._lead(run, blow, run.world.primary)
        await self._replica.run("SELECT pg_wal_replay_resume()")

    @staticmethod
    def _lead(run: Run, blow: Blow, cluster: Cluster) -> None:
        wire = run.world.wires[blow.worker]
        wire.server = cluster.folder
        wire.break_connections()


async def _set_read_only(cluster: Cluster, value: str) -> None:
    await cluster.run(
        "SET default_transaction_read_only = off",
        f"ALTER SYSTEM SET default_transaction_read_only = {value}",
        "SELECT pg_reload_conf()",
    )


class Slow(Fault):
    """The database answers late, or waits for a lock until every connection of every worker waits."""

    id = "F09"
    title = "database two seconds late; a long lock that exhausts the pools"
    ways = ("late", "locked")
    settings: ClassVar[dict[str, str]] = {"DATABASE_POOL_SIZE": "2"}
    longest_answer = 20.0
    _probes: ClassVar[int] = 9

    async def drive(self, run: Run) -> None:
        """Strike in both ways, and ask the workers meanwhile whether they live and are ready."""
        async with run.load():
            for way in self.ways:
                await run.during(run.size.operations)
                run.history.note(f"{self.id} {way}")
                async with self._struck(run, way):
                    await self._probe(run, way)
                run.history.note(f"{self.id} healed")
                await run.world.all_ready()
            await run.during(run.size.operations)
        await run.look_again()

    @asynccontextmanager
    async def _struck(self, run: Run, way: str) -> AsyncIterator[None]:
        if way == "late":
            for wire in run.world.wires:
                wire.delay = 2.0
            yield
            run.world.mend()
            return
        connection = await asyncpg.connect(run.world.primary.url)
        async with connection.transaction():
            await connection.execute("LOCK TABLE ostiary.identities IN ACCESS EXCLUSIVE MODE")
            yield
        await connection.close()

    async def _probe(self, run: Run, way: str) -> None:
        """A load balancer's questions: a worker in trouble lives on, and asks for no requests."""
        ready = set()
        async with httpx2.AsyncClient(timeout=self.longest_answer) as client:
            for number in range(self._probes):
                worker = run.world.workers[number % len(run.world.workers)]
                ready.add((await client.get(f"{worker.address}/readyz")).status_code)
                if (await client.get(f"{worker.address}/healthz")).status_code != httpx2.codes.OK:
                    run.broken("clean answers", f"a worker seemed dead while the database was {way}")
                await asyncio.sleep(0.5)
        if httpx2.codes.SERVICE_UNAVAILABLE not in ready:
            run.broken("readiness", f"every worker called itself ready while the database was {way}")


class PowerCut(Fault):
    """Everything dies at once: every worker by `kill -9`, and the database as by a power cut."""

    id = "F17"
    title = "kill -9 of every worker, pg_ctl stop -m immediate, start again"
    dialects = BOTH
    ways = ("everything",)

    async def inject(self, run: Run, _blow: Blow) -> None:
        """End everything without a word."""
        await asyncio.gather(*(worker.kill() for worker in run.world.workers))
        if run.world.cluster:
            await run.world.cluster.stop("immediate")

    async def heal(self, run: Run, _blow: Blow) -> None:
        """Start everything again."""
        if run.world.cluster:
            await run.world.cluster.start()
        await asyncio.gather(*(worker.started() for worker in run.world.workers))


class RestoredBackup(Fault):
    """The database is put back to a backup, which knows nothing of what was ended since it was taken."""

    id = "F17-restore"
    title = "a backup is restored and everything ended with `ostiary revoke --all`"
    dialects = BOTH

    async def drive(self, run: Run) -> None:
        """Take a backup under load, go on, restore it, end everything, and present every token there ever was."""
        async with run.load():
            await run.during(run.size.operations)
            backup = await run.world.backup()
            run.history.note(f"{self.id} backup taken")
            await run.during(2 * run.size.operations)
        await run.close_judgement()
        await asyncio.gather(*(worker.kill() for worker in run.world.workers))
        await run.world.restore(backup)
        if not await run.operator.run("revoke", "--all", "--yes", "--reason", "restored"):
            run.broken("restore", "`ostiary revoke --all` failed on the restored database")
        await run.world.all_ready()
        run.history.note(f"{self.id} restored")
        await self._nothing_lives(run)
        newcomer = Device(Person("newcomer", 0), 3, run.door, "")
        await newcomer.register()
        if not newcomer.held:
            run.broken("restore", "nobody can register after the restore")

    async def _nothing_lives(self, run: Run) -> None:
        before = len(run.history.operations())
        for device in run.devices:
            newest = {tokens.session: tokens for tokens in device.held}
            for tokens in newest.values():
                for worker in range(len(run.world.workers)):
                    await device.me(tokens, worker=worker)
                await device.present(tokens)
        for operation in run.history.operations()[before:]:
            if operation.outcome == "ok" and operation.kind in {Kind.ME, Kind.REFRESH}:
                run.broken(
                    "no revived token", f"{operation.kind} #{operation.number} lives after the restore"
                )
