"""Passwords: which ones are acceptable, how they are hashed, how they are verified.

Owns no table: callers keep the hash text and its scheme beside the identity. Every new hash is Argon2id;
imported hashes of other schemes verify once and ask to be replaced. Hashing never runs on the event loop,
and never without a bound on how much of it waits.
"""

from ostiary.features.passwords.errors import (
    HashingOverloaded,
    UnacceptablePassword,
    UnacceptableReason,
    UnsafeSettings,
)
from ostiary.features.passwords.model import (
    Argon2Parameters,
    ImportedParameters,
    PasswordHash,
    Readability,
    Verification,
)
from ostiary.features.passwords.policy import Policy
from ostiary.features.passwords.schemes import (
    DECLARED_ONLY_SCHEMES,
    KNOWN_SCHEMES,
    WEAK_SCHEMES,
    detect,
    plain_text,
)
from ostiary.features.passwords.service import Passwords

__all__ = [
    "DECLARED_ONLY_SCHEMES",
    "KNOWN_SCHEMES",
    "WEAK_SCHEMES",
    "Argon2Parameters",
    "HashingOverloaded",
    "ImportedParameters",
    "PasswordHash",
    "Passwords",
    "Policy",
    "Readability",
    "UnacceptablePassword",
    "UnacceptableReason",
    "UnsafeSettings",
    "Verification",
    "detect",
    "plain_text",
]
