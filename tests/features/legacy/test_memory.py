"""How much memory a run takes does not depend on how many there are."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import asyncio, resource, sys
from pathlib import Path
from tests.features.legacy.moving import move, opened, plan_for
from tests.features.legacy.systems import NOW, build
from ostiary.testing import auth_for_tests

async def main(folder, count):
    url = f"sqlite:///{folder}/old.db"
    await build("token-tables", count).write(url)
    async with auth_for_tests(database_url=f"sqlite:///{folder}/new.db") as running:
        running.clock.move(NOW - running.clock.now())
        async with opened(url) as source:
            plan = await plan_for("token-tables", source)
            heard = []
            def tell(progress):
                heard[:] = [progress.done]
                if progress.done >= 5_000 and len(first) == 0:
                    first.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            await move(running.auth.services.legacy, plan, source, batch_size=1000, tell=tell)
    print(heard[0], (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first[0]) // 1024)

first = []
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def test_a_run_takes_no_more_memory_for_more_people(tmp_path):
    """Between the 5 000th and the 20 000th person the most it ever took grows by less than 15 megabytes."""
    finished = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path), "20000"], capture_output=True, text=True, check=False
    )

    assert finished.returncode == 0, finished.stderr[-2000:]
    done, growth = map(int, finished.stdout.split())
    assert done == 20_000
    assert growth < 15
