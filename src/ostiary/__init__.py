"""Ostiary: the doorkeeper for Python."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ostiary.app import Ostiary
    from ostiary.features.administration import Decision
    from ostiary.features.identities import Identity, NewIdentity
    from ostiary.features.onboarding import OnboardingFlow, OnboardingStep
    from ostiary.features.profiles import InvalidProfile
    from ostiary.foundation.storage import Query, Transaction
    from ostiary.settings import Settings
    from ostiary.verifier import Principal

# Imported when first used: an application that only verifies tokens loads none of the rest.
_HOMES: Final = {
    "Decision": "ostiary.features.administration",
    "Identity": "ostiary.features.identities",
    "InvalidProfile": "ostiary.features.profiles",
    "NewIdentity": "ostiary.features.identities",
    "OnboardingFlow": "ostiary.features.onboarding",
    "OnboardingStep": "ostiary.features.onboarding",
    "Ostiary": "ostiary.app",
    "Principal": "ostiary.verifier",
    "Query": "ostiary.foundation.storage",
    "Settings": "ostiary.settings",
    "Transaction": "ostiary.foundation.storage",
}

__all__ = [
    "Decision",
    "Identity",
    "InvalidProfile",
    "NewIdentity",
    "OnboardingFlow",
    "OnboardingStep",
    "Ostiary",
    "Principal",
    "Query",
    "Settings",
    "Transaction",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
