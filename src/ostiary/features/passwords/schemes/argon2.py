"""Argon2 as PHC strings (RFC 9106): ours, and everybody else's of every variant and version."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from argon2.low_level import Type, hash_secret_raw

from ostiary.features.passwords.model import MAX_MEMORY_KIB, MAX_TIME_COST, Readability
from ostiary.features.passwords.schemes.encodings import decode_unpadded, encode_unpadded
from ostiary.features.passwords.schemes.readings import Reading, behind, either, refusal, salted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.passwords.model import Argon2Parameters
    from ostiary.features.passwords.schemes.readings import Reader

ARGON2ID: Final = "argon2id"
SALT_SIZE: Final = 16
DIGEST_SIZE: Final = 32

VARIANTS: Final = {"argon2id": Type.ID, "argon2i": Type.I, "argon2d": Type.D}
PARALLELISM: Final = range(1, 17)
MEMORY_KIB: Final = range(8, MAX_MEMORY_KIB + 1)
TIME_COST: Final = range(1, MAX_TIME_COST + 1)
SALT_SIZES: Final = range(8, 65)
DIGEST_SIZES: Final = range(16, 129)
_TEXT = re.compile(
    r"(\$(argon2(?:id|i|d))(?:\$v=(16|19))?\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,9})\$)"
    r"([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)",
    re.ASCII,
)
# The version from before the text named it.
_FIRST_VERSION: Final = "16"


def argon2id_digest(password: bytes, salt: bytes, parameters: Argon2Parameters) -> bytes:
    """Return the Argon2id digest of `password` (RFC 9106); slow and large by design."""
    return hash_secret_raw(
        password,
        salt,
        parameters.time_cost,
        parameters.memory_kib,
        parameters.parallelism,
        DIGEST_SIZE,
        Type.ID,
    )


def argon2id_prefix(parameters: Argon2Parameters) -> str:
    """Return the part of the text that all Argon2id hashes of equal cost share, salt and digest to follow."""
    return f"$argon2id$v=19$m={parameters.memory_kib},t={parameters.time_cost},p={parameters.parallelism}$"


def argon2id_text(salt: bytes, digest: bytes, parameters: Argon2Parameters) -> str:
    """Write an Argon2id hash as the PHC string every library reads."""
    return _written(argon2id_prefix(parameters), salt, digest)


def within_argon2_bounds(memory_kib: int, time_cost: int, parallelism: int) -> Readability | None:
    """Say why an Argon2 hash of this cost is not made here: it is too costly, or there is no such hash."""
    if memory_kib < 8 * parallelism and parallelism in PARALLELISM:
        return Readability.UNREADABLE
    return refusal((memory_kib, MEMORY_KIB), (time_cost, TIME_COST), (parallelism, PARALLELISM))


def _read(text: str, *, variant: str) -> Reading | Readability:
    match = _TEXT.fullmatch(text)
    if match is None or match[2] != variant:
        return Readability.UNREADABLE
    version = int(match[3] or _FIRST_VERSION)
    memory_kib, time_cost, parallelism = int(match[4]), int(match[5]), int(match[6])
    salt, digest = decode_unpadded(match[7]), decode_unpadded(match[8])
    if len(salt) not in SALT_SIZES or len(digest) not in DIGEST_SIZES:
        return Readability.UNREADABLE
    refused = within_argon2_bounds(memory_kib, time_cost, parallelism)
    if refused:
        return refused

    def derive(password: bytes, salt: bytes) -> bytes:
        kind = VARIANTS[variant]
        return hash_secret_raw(password, salt, time_cost, memory_kib, parallelism, len(digest), kind, version)

    return salted(derive, salt, digest, write=partial(_written, match[1]))


def _written(prefix: str, salt: bytes, digest: bytes) -> str:
    return f"{prefix}{encode_unpadded(salt)}${encode_unpadded(digest)}"


_VARIANT_READERS: Final = {variant: partial(_read, variant=variant) for variant in VARIANTS}
READERS: Final[Mapping[str, Reader]] = {
    **_VARIANT_READERS,
    # Django writes its own name in front.
    "django-argon2": behind(either(*_VARIANT_READERS.values()), prefix="argon2"),
}
