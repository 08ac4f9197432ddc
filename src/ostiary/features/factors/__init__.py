"""Factors: what somebody adds to their account to prove who they are, takes away again, or has lost.

Adding or removing one takes a session that was proven with a factor the account has already, ends every other session,
and is told to the owner on every address (MFA-06). Lost ones go after an operator approved it and time has passed in
which the owner could object; nothing signs in by itself.
"""

from ostiary.features.factors.changes import FactorChanges
from ostiary.features.factors.errors import (
    FactorDemanded,
    NothingToReset,
    OwnReset,
    ResetNotFound,
    SecondFactorRequired,
)
from ostiary.features.factors.model import Confirmed, FactorOverview, ResetRequest, WrongCode
from ostiary.features.factors.passkeys import PasskeyManagement
from ostiary.features.factors.resets import LostFactors
from ostiary.features.factors.service import FactorManagement

__all__ = [
    "Confirmed",
    "FactorChanges",
    "FactorDemanded",
    "FactorManagement",
    "FactorOverview",
    "LostFactors",
    "NothingToReset",
    "OwnReset",
    "PasskeyManagement",
    "ResetNotFound",
    "ResetRequest",
    "SecondFactorRequired",
    "WrongCode",
]
