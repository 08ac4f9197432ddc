"""bcrypt and what was built on it: by Django, Passlib and WordPress.

bcrypt takes 72 bytes of a password. Every system that used it ignored the rest, so it is ignored here, and those
which did not want that hashed the password beforehand, each in its own way.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import partial
from typing import TYPE_CHECKING, Final

import bcrypt

from ostiary.features.passwords.model import Readability
from ostiary.features.passwords.schemes.encodings import encode_base64
from ostiary.features.passwords.schemes.readings import Reading, Renewal, behind, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.passwords.schemes.readings import Prepare, Reader

_TEXT = re.compile(r"\$(2[abxy]?)\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})", re.ASCII)
_ALPHABET: Final = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_FROM_BASE64: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", _ALPHABET, "="
)
COSTS: Final = range(4, 16)
INPUT_SIZE: Final = 72
_SALT_SIZE: Final = 16

_PASSLIB_1 = re.compile(r"\$bcrypt-sha256\$(2[ab]),([1-9]\d?)\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})")
_PASSLIB_2 = re.compile(r"\$bcrypt-sha256\$v=2,t=(2b),r=([1-9]\d?)\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})")
# What PHP's trim() takes away, and WordPress with it whenever somebody signs in.
_PHP_SPACE: Final = b" \n\r\t\v\0"


def read_bcrypt(text: str) -> Reading | Readability:
    """Read a bcrypt text of any of its prefixes."""
    match = _TEXT.fullmatch(text)
    refused = refusal((int(match[2]), COSTS)) if match else Readability.UNREADABLE
    if match is None or refused:
        return refused or Readability.UNREADABLE
    revision, cost, salt, digest = match.groups()
    # The last character of a salt carries two bits. Some libraries filled the other four with noise, which
    # this one refuses to read.
    last = _ALPHABET[_ALPHABET.index(salt[-1]) & 0b110000]
    stored = f"$2b${cost}${salt[:-1]}{last}{digest}".encode("ascii")
    prepare = _PREPARED.get(revision, _cut)

    def check(password: bytes) -> bool:
        ready = prepare(password)
        return ready is not None and bcrypt.checkpw(ready, stored)

    def write(password: bytes, random: bytes) -> str | None:
        ready = prepare(password)
        if ready is None:
            return None
        salt = base64.b64encode(random).decode("ascii").translate(_FROM_BASE64)
        made = bcrypt.hashpw(ready, f"$2b${cost}${salt}".encode("ascii")).decode("ascii")
        return f"${revision}${made.removeprefix('$2b$')}"

    return Reading(check, Renewal(_SALT_SIZE, write))


def _cut(password: bytes) -> bytes:
    """Every bcrypt ignores what comes after 72 bytes; this one asks the caller to say so."""
    return password[:INPUT_SIZE]


def _repeated(password: bytes) -> bytes:
    """The first bcrypt repeated a password without the NUL that ends it in all later ones."""
    return (password * INPUT_SIZE)[:INPUT_SIZE]


def _if_ascii(password: bytes) -> bytes | None:
    """`2x` marks hashes of a version that garbled every byte above 127, and hashed only the rest as all do."""
    return _cut(password) if password.isascii() else None


_PREPARED: Final[Mapping[str, Prepare]] = {"2": _repeated, "2x": _if_ascii}


def _sha256_hex(password: bytes) -> bytes:
    return hashlib.sha256(password).hexdigest().encode("ascii")


def _wordpress(password: bytes) -> bytes:
    made = hmac.digest(b"wp-sha384", password.strip(_PHP_SPACE), "sha384")
    return base64.b64encode(made)


def _read_passlib(text: str) -> Reading | Readability:
    first, second = _PASSLIB_1.fullmatch(text), _PASSLIB_2.fullmatch(text)
    match = first or second
    if match is None:
        return Readability.UNREADABLE
    revision, cost, salt, digest = match.groups()
    key = salt.encode("ascii")
    prepare = _sha256_base64 if first else partial(_hmac_base64, key)
    answer = read_bcrypt(f"${revision}${int(cost):02}${salt}{digest}")
    return (
        Reading(lambda password: answer.check(prepare(password))) if isinstance(answer, Reading) else answer
    )


def _sha256_base64(password: bytes) -> bytes:
    return encode_base64(hashlib.sha256(password).digest()).encode("ascii")


def _hmac_base64(key: bytes, password: bytes) -> bytes:
    return encode_base64(hmac.digest(key, password, "sha256")).encode("ascii")


READERS: Final[Mapping[str, Reader]] = {
    "bcrypt": read_bcrypt,
    "django-bcrypt": behind(read_bcrypt, prefix="bcrypt$"),
    "django-bcrypt-sha256": behind(read_bcrypt, prefix="bcrypt_sha256$", prepare=_sha256_hex),
    "passlib-bcrypt-sha256": _read_passlib,
    "spring-bcrypt": behind(read_bcrypt, prefix="{bcrypt}"),
    "wordpress-bcrypt": behind(read_bcrypt, prefix="$wp", prepare=_wordpress),
}
