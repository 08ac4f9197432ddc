"""What the schema's tests share: statements on a bare connection, and other processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import ostiary
from ostiary.schema import deploy
from ostiary.schema.connection import connect

OURS = {
    "postgresql": "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ostiary%'",
    "sqlite": "SELECT name FROM sqlite_master WHERE name LIKE 'ostiary%'",
}


async def run(url, *statements):
    async with connect(url, create=True) as connection:
        for statement in statements:
            await connection.execute(statement)


async def fetch(url, statement):
    async with connect(url, create=True) as connection:
        return await connection.fetch(statement)


def deploy_together(barrier, url, answers):
    """Deploy in a process of its own, at the same moment as the others."""
    barrier.wait()
    answers.put(asyncio.run(deploy(url)))


def die_at_step(url, part, revision):
    """Deploy in a process of its own, which is killed after such a part of a revision."""

    def die(step):
        if step.revision == revision and step.number == max(1, int(step.total * part)):
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(deploy(url, on_step=die))


def start(code, *arguments):
    """Start another Python that runs `code`, its standard streams open to us."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(ostiary.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
