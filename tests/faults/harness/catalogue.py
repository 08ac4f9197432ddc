"""Every fault the harness knows, in the order of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults.harness.clock_faults import WrongClock
from tests.faults.harness.database_faults import Failover, PowerCut, RestoredBackup, Slow, SplitBrain
from tests.faults.harness.faults import CutCommit, KilledWorker, Terminated, Thundering
from tests.faults.harness.key_faults import ReplacedKey
from tests.faults.harness.redis_faults import LostRedis

if TYPE_CHECKING:
    from tests.faults.harness.faults import Fault

FAULTS: Final[tuple[Fault, ...]] = (
    KilledWorker(),
    Failover(),
    CutCommit(),
    SplitBrain(),
    LostRedis(),
    WrongClock(),
    Slow(),
    Thundering(),
    ReplacedKey(),
    PowerCut(),
    RestoredBackup(),
    Terminated(),
)
