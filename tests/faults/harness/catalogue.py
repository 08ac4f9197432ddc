"""Every fault the harness knows, in the order of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults.harness.faults import CutCommit, KilledWorker, Terminated, Thundering

if TYPE_CHECKING:
    from tests.faults.harness.faults import Fault

FAULTS: Final[tuple[Fault, ...]] = (
    KilledWorker(),
    CutCommit(),
    Thundering(),
    Terminated(),
)
