"""What becomes of a proof somebody gives about their own account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ProofRefused:
    """The password was not theirs; `retry_after` when the failure budget is spent."""

    retry_after: timedelta | None = None
