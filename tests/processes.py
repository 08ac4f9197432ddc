"""Processes of a test's own that cost milliseconds: forked from a server that has imported everything and runs no thread.

What is promised about a process from its first line on needs an interpreter of its own instead.
"""

from __future__ import annotations

from multiprocessing import get_context
from typing import Final

PROCESSES: Final = get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["ostiary.app", "ostiary.schema.commands", "tests.faults.mortal", "tests.schema.plain"]
)
