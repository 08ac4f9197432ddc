"""What changing factors answers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ostiary.features.flows import Factor
from ostiary.features.mfa import FactorKind, Factors
from ostiary.foundation.secret import Secret


@dataclass(frozen=True, slots=True)
class FactorOverview:
    """The factors of an account as its owner sees them.

    `usable` is what can be shown at a sign-in now, passkeys included; `offered` the kinds that can be added here.
    """

    factors: Factors
    usable: frozenset[Factor]
    offered: frozenset[FactorKind]
    demanded: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A factor counts from now on; the recovery codes are new, shown once, and none where some were left."""

    recovery_codes: Sequence[Secret]


@dataclass(frozen=True, slots=True)
class WrongCode:
    """The code was wrong, or the failure budget is spent until `retry_after` has passed."""

    retry_after: timedelta | None = None


class ResetRequest(StrEnum):
    """What became of the wish to be rid of lost factors."""

    RECEIVED = "received"
    """It is written down; the answer is the same for one that was written down before."""
    NO_FLOW = "no_flow"
    """No sign-in waits for a factor under this token."""
    TOO_OFTEN = "too_often"
    """So many messages about it were sent that nobody is told any more, and what nobody is told is not done."""
