"""What the schema's tests share: statements on a bare connection, and other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ostiary
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


def start(code, *arguments):
    """Start another Python that runs `code`, its standard streams open to us."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(ostiary.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
