"""`python -m benchmarks.peers`: measure Ostiary beside its peers, and write the report.

Example: `python -m benchmarks.peers --quick --only ostiary --only simplejwt`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import uvloop
from rich.console import Console
from rich.progress import Progress

from benchmarks.peers import report
from benchmarks.peers.contestants import Contestant, contestants, lay_out
from benchmarks.peers.load import FULL, QUICK, Load, Scale, people_needed
from benchmarks.peers.machine import Postgres, Worker, cores, postgresql

_LONGEST_TURN = 300


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description="Measure Ostiary beside its peers.",
        epilog="example: python -m benchmarks.peers --quick --only ostiary --only simplejwt",
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="only contestants whose name begins so"
    )
    parser.add_argument("--quick", action="store_true", help="one short round, and no report")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    # A stopped run ends its workers and its database as a finished one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lay_out()
    chosen = [
        one
        for one in contestants()
        if not arguments.only or any(one.name.startswith(name) for name in arguments.only)
    ]
    if not chosen:
        parser.error("no contestant has such a name; there are " + ", ".join(c.name for c in contestants()))
    scale = QUICK if arguments.quick else FULL
    results = uvloop.run(_run(chosen, scale))
    if arguments.json:
        print(json.dumps(results, indent=2))
    else:
        report.show(results)
    if not arguments.quick and not arguments.only:
        report.write(results)


async def _run(chosen: list[Contestant], scale: Scale) -> dict:
    _, others = cores()
    os.sched_setaffinity(0, others)
    missing = {one.name: reason for one in chosen if (reason := one.missing())}
    for name, reason in missing.items():
        Console(stderr=True).print(
            f"[yellow]{name} takes no part:[/] {reason}; `make bench-peers` installs it"
        )
    with ExitStack() as stack:
        postgres = stack.enter_context(postgresql())
        # Drawn only between measurements: drawing takes from the load generator's core.
        progress = stack.enter_context(
            Progress(console=Console(stderr=True), transient=True, auto_refresh=False)
        )
        present = [one for one in chosen if one.name not in missing]
        task = progress.add_task("Starting", total=len(present) * (scale.rounds + 2))

        def tell(what: str, *, done: bool = True) -> None:
            progress.update(task, description=what, advance=int(done), refresh=True)

        loads = []
        for contestant in present:
            tell(f"Starting {contestant.label}", done=False)
            loads.append(await _started(contestant, postgres, scale, stack))
            tell(f"Started {contestant.label}")
        for number in range(scale.rounds):
            # Who begins changes, and every other round runs backwards: a drifting machine favours nobody.
            turned = loads[number % len(loads) :] + loads[: number % len(loads)]
            for load in turned if number % 2 == 0 else reversed(turned):
                tell(f"Round {number + 1}: {load.contestant.label}", done=False)
                async with _explained(load.worker):
                    await load.round(number)
                tell(f"Round {number + 1}: {load.contestant.label}")
        for load in loads:
            tell(f"Counting statements: {load.contestant.label}", done=False)
            async with _explained(load.worker):
                await load.once(scale.rounds * scale.people)
            tell(f"Counted statements: {load.contestant.label}")
        return report.summary(loads, missing, scale, await postgres.version())


async def _started(contestant: Contestant, postgres: Postgres, scale: Scale, stack: ExitStack) -> Load:
    await postgres.create(contestant.name)
    worker = Worker(contestant, postgres)
    stack.callback(worker.stop)
    await worker.start(people_needed(scale))
    load = Load(worker, scale)
    async with _explained(worker):
        await load.register()
    worker.sleep()
    return load


@asynccontextmanager
async def _explained(worker: Worker) -> AsyncIterator[None]:
    """Say what a worker printed when something goes wrong with it, or when it does not come to an end."""
    try:
        async with asyncio.timeout(_LONGEST_TURN):
            yield
    except Exception as error:
        raise RuntimeError(f"{worker.contestant.label}: {error!r}\nIt printed:\n{worker.output()}") from error


if __name__ == "__main__":
    main()
