"""The event platform as a process of its own, started as its README says."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx2
from tests.ports import reserved_port, wait_until_served

ROOT = Path(__file__).parents[3]
CHEAP = {"WEAK_HASH_FOR_TESTS": "true", "MEMORY_KIB": "8", "TIME_COST": "1"}


def environment(database_url, folder):
    """What such a process finds around it."""
    settings = {f"OSTIARY_PASSWORDS__{name}": value for name, value in CHEAP.items()}
    return os.environ | settings | {"OSTIARY_DATABASE_URL": database_url, "OSTIARY_DATA": str(folder)}


@contextmanager
def served(database_url, folder):
    """Run `python -m examples.event_platform` while the block lasts; yield a client of it."""
    with reserved_port() as port:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.event_platform"],
            cwd=ROOT,
            env=environment(database_url, folder) | {"PORT": str(port)},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                wait_until_served(process, port)
                yield client
        finally:
            process.terminate()
            process.communicate()
