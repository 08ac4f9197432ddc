"""What `crypt` and its relatives write: DES-crypt, MD5-crypt, Apache's variant of it, SHA-crypt, phpass and Drupal 7.

Written after the published descriptions (Poul-Henning Kamp's MD5-crypt, Ulrich Drepper's SHA-crypt 0.6, Solar
Designer's phpass): Python has them no more. Kratos writes two of them under names of its own.
"""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.features.passwords.model import Readability
from ostiary.features.passwords.schemes.bcrypt import read_bcrypt
from ostiary.features.passwords.schemes.des import des_crypt
from ostiary.features.passwords.schemes.encodings import UNIX_ALPHABET, encode_unix, unix_salt
from ostiary.features.passwords.schemes.readings import (
    Reading,
    behind,
    either,
    marked,
    refusal,
    salted,
    unsalted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.features.passwords.schemes.readings import Reader

_SALT: Final = r"([!-#%%-9;-~]{0,%d})"
_MD5_CRYPT: Final = {"$1$": b"$1$", "$md5-crypt$": b"$1$", "$apr1$": b"$apr1$"}
_MD5_TEXT = re.compile(rf"(\$1\$|\$md5-crypt\$|\$apr1\$){_SALT % 8}\$([./A-Za-z0-9]{{22}})", re.ASCII)
_MD5_ROUNDS: Final = 1000
_MD5_ORDER: Final = (12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11)

_SHA_NAMES: Final = {"sha256": r"\$5\$|\$sha256-crypt\$", "sha512": r"\$6\$|\$sha512-crypt\$"}
_SHA_TEXTS: Final = {"sha256": 43, "sha512": 86}
_SHA_ROUNDS: Final = range(1000, 10**6 + 1)
_SHA_DEFAULT_ROUNDS: Final = "5000"
_SHA_ORDERS: Final = {
    "sha256": (
        *(20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15, 26, 16, 6, 17, 7, 27, 8, 28, 18),
        *(29, 19, 9, 30, 31),
    ),
    "sha512": (
        *(42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8, 50),
        *(51, 30, 9, 10, 52, 31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58, 37, 38),
        *(17, 59, 60, 39, 18, 19, 61, 40, 41, 20, 62, 63),
    ),
}

_PHPASS = re.compile(r"(\$[PH]\$([./0-9A-Za-z]))([./0-9A-Za-z]{8})([./0-9A-Za-z]{22})", re.ASCII)
_DRUPAL = re.compile(r"(\$S\$([./0-9A-Za-z]))([./0-9A-Za-z]{8})([./0-9A-Za-z]{43})", re.ASCII)
_PHPASS_ROUNDS: Final = range(1 << 7, (1 << 20) + 1)
_DES_TEXT = re.compile(r"([./0-9A-Za-z]{2})([./0-9A-Za-z]{11})", re.ASCII)


def _read_des_crypt(text: str) -> Reading | Readability:
    match = _DES_TEXT.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    low, high = (UNIX_ALPHABET.index(character) for character in match[1])
    return unsalted(partial(_des_crypt, salt=high << 6 | low), match[2].encode("ascii"))


def _des_crypt(password: bytes, *, salt: int) -> bytes:
    # No `crypt` was ever handed a NUL; it would have meant the end.
    if b"\0" in password:
        return b""
    bits = des_crypt(password, salt) << 2
    return "".join(UNIX_ALPHABET[bits >> 60 - 6 * place & 63] for place in range(11)).encode("ascii")


def _read_md5_crypt(text: str, *, prefixes: frozenset[str]) -> Reading | Readability:
    match = _MD5_TEXT.fullmatch(text)
    if match is None or match[1] not in prefixes:
        return Readability.UNREADABLE
    return _crypt(partial(_md5_crypt, magic=_MD5_CRYPT[match[1]]), match[1], match[2], match[3])


def _crypt(
    derive: Callable[[bytes, bytes], bytes], prefix: str, salt: str, digest: str, separator: str = "$"
) -> Reading:
    return salted(
        derive,
        salt.encode("ascii"),
        digest.encode("ascii"),
        write=lambda salt, digest: f"{prefix}{salt.decode('ascii')}{separator}{digest.decode('ascii')}",
        fresh=unix_salt,
    )


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _md5_crypt(password: bytes, salt: bytes, *, magic: bytes) -> bytes:
    start = password + magic + salt + _stretched(_md5(password + salt + password), len(password))
    bits = len(password)
    while bits:
        start += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    digest = _md5(start)
    for number in range(_MD5_ROUNDS):
        digest = _md5(_mixed(number, digest, password, salt))
    return encode_unix(bytes(digest[place] for place in _MD5_ORDER)).encode("ascii")


def _stretched(data: bytes, size: int) -> bytes:
    return (data * (size // len(data) + 1))[:size]


def _mixed(number: int, digest: bytes, password: bytes, salt: bytes) -> bytes:
    """Return what one round hashes: MD5-crypt and SHA-crypt mix alike."""
    first, last = (password, digest) if number & 1 else (digest, password)
    return first + (salt if number % 3 else b"") + (password if number % 7 else b"") + last


def _read_sha_crypt(text: str, *, algorithm: str) -> Reading | Readability:
    match = _SHA_PATTERNS[algorithm].fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    rounds = int(match[3] or _SHA_DEFAULT_ROUNDS)
    refused = refusal((rounds, _SHA_ROUNDS))
    if refused:
        return refused
    return _crypt(partial(_sha_crypt, algorithm=algorithm, rounds=rounds), match[1], match[4], match[5])


_SHA_PATTERNS: Final = {
    name: re.compile(
        rf"((?:{prefix})(rounds=([1-9]\d{{0,9}})\$)?){_SALT % 16}\$([./A-Za-z0-9]{{{_SHA_TEXTS[name]}}})",
        re.ASCII,
    )
    for name, prefix in _SHA_NAMES.items()
}


def _sha_crypt(password: bytes, salt: bytes, *, algorithm: str, rounds: int) -> bytes:
    def sha(data: bytes) -> bytes:
        return hashlib.new(algorithm, data).digest()

    inner = sha(password + salt + password)
    start = password + salt + _stretched(inner, len(password))
    bits = len(password)
    while bits:
        start += inner if bits & 1 else password
        bits >>= 1
    digest = sha(start)
    password_part = _stretched(sha(password * len(password)), len(password))
    salt_part = _stretched(sha(salt * (16 + digest[0])), len(salt))
    for number in range(rounds):
        digest = sha(_mixed(number, digest, password_part, salt_part))
    return encode_unix(bytes(digest[place] for place in _SHA_ORDERS[algorithm])).encode("ascii")


def _read_portable(text: str, *, pattern: re.Pattern[str], algorithm: str) -> Reading | Readability:
    match = pattern.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    rounds = 1 << UNIX_ALPHABET.index(match[2])
    refused = refusal((rounds, _PHPASS_ROUNDS))
    if refused:
        return refused
    derive = partial(_portable, algorithm=algorithm, rounds=rounds, size=len(match[4]))
    return _crypt(derive, match[1], match[3], match[4], separator="")


def _portable(password: bytes, salt: bytes, *, algorithm: str, rounds: int, size: int) -> bytes:
    digest = hashlib.new(algorithm, salt + password, usedforsecurity=False).digest()
    for _ in range(rounds):
        digest = hashlib.new(algorithm, digest + password, usedforsecurity=False).digest()
    return encode_unix(digest)[:size].encode("ascii")


def _md5_hex(password: bytes) -> bytes:
    return hashlib.md5(password, usedforsecurity=False).hexdigest().encode("ascii")


_read_drupal = partial(_read_portable, pattern=_DRUPAL, algorithm="sha512")
_UNIX: Final[Mapping[str, Reader]] = {
    "des-crypt": _read_des_crypt,
    "md5-crypt": partial(_read_md5_crypt, prefixes=frozenset({"$1$", "$md5-crypt$"})),
    "sha256-crypt": partial(_read_sha_crypt, algorithm="sha256"),
    "sha512-crypt": partial(_read_sha_crypt, algorithm="sha512"),
}
READERS: Final[Mapping[str, Reader]] = {
    **_UNIX,
    "apache-md5-crypt": partial(_read_md5_crypt, prefixes=frozenset({"$apr1$"})),
    "django-crypt": behind(_read_des_crypt, prefix="crypt$$"),
    # What Drupal 6 had hashed with MD5 was hashed once more, and marked.
    "drupal7": either(_read_drupal, behind(_read_drupal, prefix="U", prepare=_md5_hex)),
    "ldap-crypt": marked(either(read_bcrypt, *_UNIX.values()), "CRYPT"),
    "phpass": partial(_read_portable, pattern=_PHPASS, algorithm="md5"),
}
