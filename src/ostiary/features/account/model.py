"""What becomes of a proof somebody gives about their own account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ProofRefused:
    """What they gave was not theirs, or not enough: `needs_factor` where a second factor has to be shown as well.

    `retry_after` when the failure budget is spent.
    """

    retry_after: timedelta | None = None
    needs_factor: bool = False
