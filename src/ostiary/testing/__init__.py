"""What applications use in their own tests: a running auth on temporary storage, signed-in people, a movable clock.

The pytest plugin of this package offers the fixture `ostiary_auth`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ostiary.testing.auth import AuthForTests, SignedInForTests, auth_for_tests, principal
    from ostiary.testing.clock import MovableClock

# Imported when first used: the plugin is loaded in every test run of whoever installed Ostiary.
_HOMES: Final = {
    "AuthForTests": "auth",
    "MovableClock": "clock",
    "SignedInForTests": "auth",
    "auth_for_tests": "auth",
    "principal": "auth",
}

__all__ = ["AuthForTests", "MovableClock", "SignedInForTests", "auth_for_tests", "principal"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ostiary.testing.{_HOMES[name]}"), name)
