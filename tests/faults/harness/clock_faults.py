"""The fault of clocks: one worker's is an hour off, from its start or by a leap."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from tests.faults.harness.faults import BOTH, Blow, Fault

if TYPE_CHECKING:
    from tests.faults.harness.run import Run


class WrongClock(Fault):
    """One worker's clock is an hour off; it must notice, answer 503 and issue nothing."""

    id = "F07"
    title = "the clock of one worker an hour ahead or behind, from its start or by a leap"
    dialects = BOTH
    ways = ("start 3600", "start -3600", "leap 3600", "leap -3600")

    async def inject(self, run: Run, blow: Blow) -> None:
        """Give one worker another clock."""
        how, offset = blow.way.split()
        worker = run.world.workers[blow.worker]
        await worker.kill()
        if how == "start":
            worker.start("--clock-offset", offset)
        else:
            await worker.started("--clock-leap", offset)
            worker.signal(signal.SIGUSR1)
        # It may take as long to notice as revocations may take to be felt.
        await asyncio.sleep(run.limits.propagation)
        self._since = run.history.now()

    async def heal(self, run: Run, blow: Blow) -> None:
        """Start it with the right clock, and look at what it did with the wrong one."""
        wrong = [
            operation
            for operation in run.history.operations()
            if operation.worker == blow.worker and operation.started > self._since and operation.issued
        ]
        if wrong:
            run.broken("clock", f"a worker an hour off ({blow.way}) issued tokens {len(wrong)} times")
        worker = run.world.workers[blow.worker]
        await worker.kill()
        await worker.started()
