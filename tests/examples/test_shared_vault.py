"""The demonstration of the vault, as its README says to start it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEPS = 10


def test_two_browsers_share_a_row_while_the_root_key_is_replaced(database_url, dialect):
    """Sessions come and go, a service goes on reading, and no read is refused until the last session has ended."""
    command = [sys.executable, str(ROOT / "examples" / "shared_vault" / "shared_vault.py"), "--json"]
    if dialect == "postgresql":
        command += ["--database-url", database_url]

    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert shown.returncode == 0, shown.stdout + shown.stderr
    steps = [json.loads(line) for line in shown.stdout.splitlines()]
    assert len(steps) == STEPS
