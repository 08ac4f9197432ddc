"""Recovery codes: for whoever has lost what they sign in with.

Ten codes of 80 random bits, written in four groups of Crockford's base32. The same key outside the database that keeps
their MACs makes guessing at a stolen copy hopeless (docs/decisions/0021).
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from ostiary.foundation.entropy import Entropy

CODES: Final = 10
"""How many there are in a set."""
_SIZE: Final = 10
_GROUP: Final = 4
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_WRITE: Final = str.maketrans(_BASE32, _CROCKFORD)
# What people write for what they see (Crockford): the letter O for zero, I and L for one.
_READ: Final = str.maketrans("OIL", "011")
_SPACING: Final = re.compile(r"[ \t-]+")
_CODE: Final = re.compile(rf"[{_CROCKFORD}]{{16}}", re.ASCII)
_LONGEST: Final = 64


def new_code(entropy: Entropy) -> Secret:
    """Draw a code, `XXXX-XXXX-XXXX-XXXX`."""
    text = base64.b32encode(entropy.token_bytes(_SIZE)).decode("ascii").translate(_WRITE)
    return Secret("-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP)))


def normalized(presented: Secret) -> str | None:
    """Return what a code says however it was typed, or None for what cannot be one."""
    text = presented.reveal()
    if len(text) > _LONGEST or not text.isascii():
        return None
    plain = _SPACING.sub("", text).upper().translate(_READ)
    return plain if _CODE.fullmatch(plain) else None
