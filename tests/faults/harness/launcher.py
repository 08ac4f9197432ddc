"""A worker with one thing changed: its clock, or the point of its work at which it dies.

`python -m tests.faults.harness.launcher --port 8001 --clock-offset 3600`: from its start on
`python -m tests.faults.harness.launcher --port 8001 --clock-leap -3600`: as soon as it gets SIGUSR1
`python -m tests.faults.harness.launcher --port 8001 --die-at 40:during`
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from datetime import UTC, datetime, timedelta

import uvicorn
from tests.faults.mortal import Death, MortalDatabase, is_the_job

from ostiary import Ostiary, app
from ostiary.foundation.clock import SystemClock
from ostiary.foundation.storage import database_at


class OffsetClock(SystemClock):
    """The machine's clock, moved: a worker believes it, and compares it with the database's."""

    def __init__(self, offset: float) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """Return the moved moment."""
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def leap(self, offset: float) -> None:
        """Move it."""
        self.offset = offset


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clock-offset", type=float, default=0.0, help="seconds")
    parser.add_argument("--clock-leap", type=float, default=0.0, help="seconds")
    parser.add_argument("--die-at", type=_death, help="call:moment, as in 40:during")
    arguments = parser.parse_args()
    if arguments.die_at is not None:
        app.database_at = lambda *args, **options: MortalDatabase(database_at(*args, **options))
    asyncio.run(_serve(arguments))


def _death(text: str) -> Death:
    call, _, moment = text.partition(":")
    return Death(int(call), moment)


async def _serve(arguments: argparse.Namespace) -> None:
    clock = OffsetClock(arguments.clock_offset)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, clock.leap, arguments.clock_leap)
    async with Ostiary(clock=clock) as auth:
        if arguments.die_at is not None:
            auth.services.database.death = arguments.die_at
            # Every request is, as the server is started from here; what was started before goes on uncounted.
            is_the_job.set(True)
        config = uvicorn.Config(
            auth,
            port=arguments.port,
            lifespan="off",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    main()
