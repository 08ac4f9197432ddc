"""F01, F04, F11, F20: a short run of each on real workers under load, and the checker finds nothing.

`make faults` runs these and the others at full size. The seed decides where and when a fault strikes; which request it
meets is up to the machine, and the verdict is the same.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.faults.harness.faults import CutCommit, KilledWorker, Terminated, Thundering
from tests.faults.harness.run import QUICK, run_fault

pytestmark = pytest.mark.anyio
SEED = 20


async def test_f01_killed_workers_lose_nothing_that_was_acknowledged():
    """Workers die by `kill -9` under load: no acknowledged write is lost, no ended token lives, no family forks."""
    report = await run_fault(KilledWorker(), seed=SEED, dialect="postgresql", size=QUICK)

    assert report.violations == []


async def test_f04_connections_cut_during_commit_leave_no_doubt_behind():
    """Connections break when COMMIT was done and not heard of: what is unknown is read again, never done twice."""
    report = await run_fault(CutCommit(), seed=SEED, dialect="postgresql", size=QUICK)

    assert report.violations == []
    assert report.unknown


async def test_f11_a_storm_of_refreshes_leaves_every_family_whole():
    """After an outage forty clients refresh in five tabs at once: one successor each, and nobody is signed out."""
    report = await run_fault(Thundering(), seed=SEED, dialect="postgresql", size=QUICK)

    assert report.violations == []


async def test_f20_a_rolling_restart_loses_nothing():
    """Every worker gets SIGTERM in turn under load: each ends by itself, and nothing acknowledged is lost."""
    once = replace(QUICK, blows=1)
    report = await run_fault(Terminated(), seed=SEED, dialect="postgresql", size=once)

    assert report.violations == []
