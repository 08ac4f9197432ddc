"""A migration in a process of its own: `python -m benchmarks.moving_apart plan|run SOURCE TARGET FOLDER`.

Says on a line of JSON how far it is after every batch, and at the end how much memory it needed at the most.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from benchmarks.old_system import PROFILE
from ostiary.app import Ostiary
from ostiary.features.legacy import Decisions, Pace, Plan, load_profile
from ostiary.foundation.foreign import source_at


async def move(what: str, source_url: str, target_url: str, folder: Path) -> None:
    """Plan into a folder, or run what was planned there."""
    source = source_at(source_url)
    await source.open()
    async with Ostiary(run_worker=False, database_url=target_url, data=folder / "data") as auth:
        legacy = auth.services.legacy
        if what == "plan":
            profile = load_profile(PROFILE)
            await legacy.plan(source, profile, Decisions(), folder / "plan", tell=lambda *_: None)
        else:
            plan = Plan.read(folder / "plan")
            await legacy.run(
                plan, source, pace=Pace(), tell=lambda one: _say(done=one.done), stop=asyncio.Event()
            )
    await source.close()
    _say(kilobytes=_most_memory())


def _most_memory() -> int:
    """Return the most this process has held; what `getrusage` says begins with what its parent held. Linux only."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def _say(**words: int) -> None:
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(move(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])))
