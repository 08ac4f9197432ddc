"""Accounts elsewhere, as their owner sees them: listed, unlinked, and two people here who are one made one."""

from ostiary.features.accounts_elsewhere.model import (
    LastWayIn,
    LinkedAccountNotFound,
    Merged,
    MergeHooks,
    MergeRefused,
    OnMerged,
)
from ostiary.features.accounts_elsewhere.service import AccountsElsewhere

__all__ = [
    "AccountsElsewhere",
    "LastWayIn",
    "LinkedAccountNotFound",
    "MergeHooks",
    "MergeRefused",
    "Merged",
    "OnMerged",
]
