"""The values passwords are described by: a stored hash, the answer to a check, the cost of a hash."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ostiary.features.passwords.errors import UnsafeSettings

MAX_MEMORY_KIB: Final = 1 << 20
MAX_TIME_COST: Final = 10
# ASVS Appendix C and the OWASP Password Storage sheet hold these two equal (memory in KiB, passes).
_MINIMUM_COSTS: Final = ((19 * 1024, 2), (46 * 1024, 1))


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A hash as it is stored: its own text, verbatim, and the name of the scheme that reads it.

    What was mixed in and is kept elsewhere is named behind the scheme: `argon2id+pepper:1`, `firebase-scrypt+key:NAME`.
    """

    text: str = field(repr=False)
    scheme: str

    @classmethod
    def stored(cls, text: str | None, scheme: str | None) -> PasswordHash | None:
        """Read the two columns of an identity, which are both null where there is no password."""
        return None if text is None or scheme is None else cls(text, scheme)


class Readability(StrEnum):
    """What can be done with a stored hash."""

    READABLE = "readable"
    """A password can be compared with it."""
    UNREADABLE = "unreadable"
    """It is not written as its scheme writes, or nothing here knows the scheme."""
    TOO_COSTLY = "too_costly"
    """It is well written and asks for more work or memory than one hash may take."""
    NEEDS_PARAMETERS = "needs_parameters"
    """It was made with a key or a pepper that is kept beside the hashes, and that is not at hand."""


@dataclass(frozen=True, slots=True)
class ImportedParameters:
    """What one system made all of its hashes with, and kept outside them.

    `signer_key` (Firebase, SuperTokens) and `salt_separator` (Firebase) are bytes, `rounds` and `memory_cost`
    the numbers of a Firebase project; `pepper` is Devise's pepper, or the PASSWORD_SALT of Flask-Security.
    """

    signer_key: bytes = field(default=b"", repr=False)
    salt_separator: bytes = field(default=b"", repr=False)
    rounds: int = 8
    memory_cost: int = 14
    pepper: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer to one password: whether it is right, and whether its hash should be replaced now.

    `needs_rehash` is only ever true of a valid password.
    """

    valid: bool
    needs_rehash: bool


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """What one Argon2id hash costs (RFC 9106 §3.1). Raises `UnsafeSettings` outside the safe range (PWD-05)."""

    memory_kib: int = 19 * 1024
    time_cost: int = 2
    parallelism: int = 1
    weak_hash_for_tests: bool = False

    def __post_init__(self) -> None:
        if self.weak_hash_for_tests:
            return
        enough = any(self.memory_kib >= memory and self.time_cost >= time for memory, time in _MINIMUM_COSTS)
        bounded = self.memory_kib <= MAX_MEMORY_KIB and self.time_cost <= MAX_TIME_COST
        if not (enough and bounded and self.parallelism == 1):
            raise UnsafeSettings(
                "The Argon2id parameters are out of range: use at least 19456 KiB with a time cost of 2, or "
                "47104 KiB with 1; at most 1048576 KiB and 10; and a parallelism of 1."
            )
