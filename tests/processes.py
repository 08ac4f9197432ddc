"""Processes of a test's own that cost milliseconds: forked from a server that has imported everything and runs no thread.

What is promised about a process from its first line on needs an interpreter of its own instead.
"""

from __future__ import annotations

from multiprocessing import get_context
from typing import Final

PROCESSES: Final = get_context("forkserver")
# A job is found in the module of its test, so whatever that imports belongs here: forked, it would be read anew each time.
PROCESSES.set_forkserver_preload(
    [
        "pytest",
        "ostiary.app",
        "ostiary.schema.commands",
        "tests.factories",
        "tests.faults.mortal",
        "tests.faults.test_disk_full",
        "tests.features.legacy.schedules",
        "tests.journeys.factor_walks",
        "tests.schema.plain",
        "tests.vaulted",
    ]
)
