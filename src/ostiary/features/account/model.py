"""What becomes of a proof somebody gives about their own account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from ostiary.features.flows import Factor
from ostiary.foundation.secret import Secret


@dataclass(frozen=True, slots=True)
class ProofRefused:
    """What they gave was not theirs, or not enough: `needs_factor` where a second factor has to be shown as well.

    `retry_after` when the failure budget is spent.
    """

    retry_after: timedelta | None = None
    needs_factor: bool = False


@dataclass(frozen=True, slots=True)
class FactorGiven:
    """A second factor that is shown, and its code."""

    factor: Factor
    code: Secret
