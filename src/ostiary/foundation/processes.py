"""Which process does something, so that others can tell whether it is still there."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.foundation.entropy import Entropy


def holder_name(entropy: Entropy) -> str:
    """Name this process: machine, number, and something that no other run of it has."""
    return f"{_machine()}:{os.getpid()}:{entropy.token_bytes(3).hex()}"


def is_gone(holder: str) -> bool:
    """Say whether a named process was on this machine and is surely not there any more."""
    machine, _, rest = holder.partition(":")
    number = rest.partition(":")[0]
    if machine != _machine() or not number.isdecimal() or int(number) == os.getpid():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _machine() -> str:
    return platform.node() or "unknown"
