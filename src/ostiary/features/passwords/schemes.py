"""The table of hash schemes: how each one's text is read, bounded and compared.

A reader takes a stored text and returns the check that text asks for, or `None` when it is malformed or asks
for more work than its bound allows. So nothing costly starts, and nothing can raise, once a check exists.
The texts are those of the systems they came from, verbatim.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING, Final

import bcrypt
from argon2.low_level import Type, hash_secret_raw

from ostiary.features.passwords.model import MAX_MEMORY_KIB, MAX_TIME_COST
from ostiary.foundation.crypto import equal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.features.passwords.model import Argon2Parameters

    Check = Callable[[bytes], bool]
    Reader = Callable[[str], Check | None]

ARGON2ID: Final = "argon2id"
SALT_SIZE: Final = 16
DIGEST_SIZE: Final = 32

_VARIANTS: Final = {"argon2id": Type.ID, "argon2i": Type.I, "argon2d": Type.D}
_ARGON2 = re.compile(
    r"\$(argon2(?:id|i|d))(?:\$v=(16|19))?\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})"
    r"\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)",
    re.ASCII,
)
# The version from before the text named it.
_FIRST_ARGON2_VERSION: Final = "16"
_MAX_PARALLELISM: Final = 16
_ARGON2_SALT_SIZES: Final = range(8, 65)
_ARGON2_DIGEST_SIZES: Final = range(16, 129)

_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})", re.ASCII)
_BCRYPT_ALPHABET: Final = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BCRYPT_COSTS: Final = range(4, 16)
_BCRYPT_INPUT: Final = 72

_DJANGO_PBKDF2_SHA256 = re.compile(r"pbkdf2_sha256\$(\d{1,8})\$([^$]+)\$([A-Za-z0-9+/=]+)", re.ASCII)
_PBKDF2_ITERATIONS: Final = range(1, 10**7 + 1)
_SHA256_SIZE: Final = 32

_DJANGO_SCRYPT = re.compile(
    r"scrypt\$(\d{1,6})\$([^$]+)\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/=]+)",
    re.ASCII,
)
_SCRYPT_COSTS: Final = frozenset(1 << power for power in range(1, 18))
_SCRYPT_BLOCK_SIZES: Final = range(1, 9)
_DJANGO_SCRYPT_SIZE: Final = 64


def read(scheme: str, text: str) -> Check | None:
    """Return the check `text` asks for under `scheme`, or None where there is none to be made."""
    reader = _READERS.get(scheme)
    return reader(text) if reader else None


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
    return argon2id_prefix(parameters) + "$".join(
        base64.b64encode(part).decode("ascii").rstrip("=") for part in (salt, digest)
    )


def _decode_base64(text: str) -> bytes:
    """Return the bytes of the one way to write them in base64; nothing, if this is not it."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
    return decoded if base64.b64encode(decoded).decode("ascii") == text else b""


def _decode_unpadded_base64(text: str) -> bytes:
    return _decode_base64(text + "=" * (-len(text) % 4))


def _read_argon2(text: str, *, variant: str) -> Check | None:
    match = _ARGON2.fullmatch(text)
    if match is None or match[1] != variant:
        return None
    version = int(match[2] or _FIRST_ARGON2_VERSION)
    memory_kib, time_cost, parallelism = int(match[3]), int(match[4]), int(match[5])
    salt, digest = _decode_unpadded_base64(match[6]), _decode_unpadded_base64(match[7])
    within_bounds = (
        1 <= parallelism <= _MAX_PARALLELISM
        and 8 * parallelism <= memory_kib <= MAX_MEMORY_KIB
        and 1 <= time_cost <= MAX_TIME_COST
        and len(salt) in _ARGON2_SALT_SIZES
        and len(digest) in _ARGON2_DIGEST_SIZES
    )
    if not within_bounds:
        return None

    def check(password: bytes) -> bool:
        kind = _VARIANTS[variant]
        made = hash_secret_raw(password, salt, time_cost, memory_kib, parallelism, len(digest), kind, version)
        return equal(made, digest)

    return check


def _read_bcrypt(text: str) -> Check | None:
    match = _BCRYPT.fullmatch(text)
    if match is None or int(match[1]) not in _BCRYPT_COSTS:
        return None
    cost, salt, digest = match.groups()
    # The last character of a salt carries two bits. Some libraries filled the other four with noise, which
    # this one refuses to read.
    last = _BCRYPT_ALPHABET[_BCRYPT_ALPHABET.index(salt[-1]) & 0b110000]
    stored = f"$2b${cost}${salt[:-1]}{last}{digest}".encode("ascii")
    # Every bcrypt ignores what comes after 72 bytes; this one asks the caller to say so.
    return lambda password: bcrypt.checkpw(password[:_BCRYPT_INPUT], stored)


def _read_django_pbkdf2_sha256(text: str) -> Check | None:
    match = _DJANGO_PBKDF2_SHA256.fullmatch(text)
    if match is None:
        return None
    iterations, salt, digest = int(match[1]), match[2].encode(), _decode_base64(match[3])
    if iterations not in _PBKDF2_ITERATIONS or len(digest) != _SHA256_SIZE:
        return None
    return lambda password: equal(hashlib.pbkdf2_hmac("sha256", password, salt, iterations), digest)


def _read_django_scrypt(text: str) -> Check | None:
    match = _DJANGO_SCRYPT.fullmatch(text)
    if match is None:
        return None
    n, r, p = int(match[1]), int(match[3]), int(match[4])
    salt, digest = match[2].encode(), _decode_base64(match[5])
    within_bounds = (
        n in _SCRYPT_COSTS
        and r in _SCRYPT_BLOCK_SIZES
        and 1 <= p <= _MAX_PARALLELISM
        and len(digest) == _DJANGO_SCRYPT_SIZE
    )
    if not within_bounds:
        return None
    # What OpenSSL needs is 128 * r * (n + p + 2) bytes, and a little.
    memory = 132 * r * (n + p + 2)

    def check(password: bytes) -> bool:
        made = hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=len(digest))
        return equal(made, digest)

    return check


_READERS: Final[Mapping[str, Reader]] = {
    **{variant: partial(_read_argon2, variant=variant) for variant in _VARIANTS},
    "bcrypt": _read_bcrypt,
    "django-pbkdf2-sha256": _read_django_pbkdf2_sha256,
    "django-scrypt": _read_django_scrypt,
}
