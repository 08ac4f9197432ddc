"""Signing keys: the private keys our tokens are signed with, and the public ones they are checked with.

Owns `signing_keys`. Private keys rest sealed under the root keys; only public members are ever published. A key is
published before it signs, and until the last token it signed is dead: JWT-11.
"""

from ostiary.features.signing_keys.errors import SigningKeyInUse, SigningKeyNotFound
from ostiary.features.signing_keys.model import LAG, PROMPT_OVERLAP, KeyRecord, Schedule, State
from ostiary.features.signing_keys.service import SigningKeys

__all__ = [
    "LAG",
    "PROMPT_OVERLAP",
    "KeyRecord",
    "Schedule",
    "SigningKeyInUse",
    "SigningKeyNotFound",
    "SigningKeys",
    "State",
]
