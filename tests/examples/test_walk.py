"""The walk through an account, as its README says to start it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEPS = 9


def test_a_person_walks_the_whole_way(database_url, dialect):
    """From the first mail to the last, over HTTP, with a server, a mail server and a gateway of their own."""
    command = [sys.executable, str(ROOT / "examples" / "walk" / "walk.py")]
    if dialect == "postgresql":
        command += ["--database-url", database_url]

    walked = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert walked.returncode == 0, walked.stdout + walked.stderr
    assert walked.stdout.count("✓") == STEPS
