"""scrypt (RFC 7914) as Django, Werkzeug, Passlib, Kratos, Lucia and Better Auth write it.

Lucia 1 and Lucia 3 (which Better Auth took over) write the same text and mean two block sizes: which one it is has
to be declared.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.features.passwords.model import Readability
from ostiary.features.passwords.schemes.encodings import (
    decode_base64,
    decode_unpadded,
    encode_base64,
    encode_unpadded,
    letter_salt,
    text_of,
)
from ostiary.features.passwords.schemes.readings import Reading, behind, refusal, salted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.features.passwords.schemes.readings import Reader

_COSTS: Final = range(2, (1 << 17) + 1)
_BLOCK_SIZES: Final = range(1, 9)
_PARALLELISM: Final = range(1, 17)
_DIGEST_SIZES: Final = range(16, 65)
_TEXT_DIGEST_SIZE: Final = 64
_LUCIA_COST: Final = 1 << 14
_LUCIA_BLOCK_SIZES: Final = {"lucia-1": 8, "lucia-2": 16, "lucia-3": 16}

_NUMBER: Final = r"([1-9]\d{0,9})"
_DJANGO = re.compile(rf"scrypt\${_NUMBER}\$([^$]+)\${_NUMBER}\${_NUMBER}\$([A-Za-z0-9+/=]+)", re.ASCII)
_WERKZEUG = re.compile(rf"scrypt:{_NUMBER}:{_NUMBER}:{_NUMBER}\$([^$]+)\$([0-9a-f]{{128}})", re.ASCII)
_PASSLIB = re.compile(
    rf"\$scrypt\$ln=([1-9]\d?),r={_NUMBER},p={_NUMBER}\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)", re.ASCII
)
_KRATOS = re.compile(
    rf"\$scrypt\$ln={_NUMBER},r={_NUMBER},p={_NUMBER}\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)", re.ASCII
)
_LUCIA = re.compile(r"([A-Za-z0-9]{8,64}):([0-9a-f]{128})", re.ASCII)


def scrypt(password: bytes, salt: bytes, *, n: int, r: int, p: int, size: int) -> bytes:
    """Return `size` bytes of scrypt; the caller has bounded what it costs."""
    # What OpenSSL needs is 128 * r * (n + p + 2) bytes, and a little.
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=132 * r * (n + p + 2), dklen=size)


def within_scrypt_bounds(n: int, r: int, p: int) -> Readability | None:
    """Say why a hash of this cost is not made here: it is too costly, or there is no such hash."""
    refused = refusal((n, _COSTS), (r, _BLOCK_SIZES), (p, _PARALLELISM))
    return refused if n & (n - 1) == 0 else Readability.UNREADABLE


def _scrypt_reading(
    costs: tuple[int, int, int],
    salt: bytes,
    digest: bytes,
    write: Callable[[bytes, bytes], str],
    fresh: Callable[[bytes], bytes] = bytes,
) -> Reading | Readability:
    if not salt or len(digest) not in _DIGEST_SIZES:
        return Readability.UNREADABLE
    n, r, p = costs
    refused = within_scrypt_bounds(n, r, p)
    if refused:
        return refused
    derive = partial(scrypt, n=n, r=r, p=p, size=len(digest))
    return salted(derive, salt, digest, write=write, fresh=fresh)


def _read_django(text: str) -> Reading | Readability:
    match = _DJANGO.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    n, r, p = (int(match[place]) for place in (1, 3, 4))
    digest = decode_base64(match[5])
    if len(digest) != _TEXT_DIGEST_SIZE:
        return Readability.UNREADABLE

    def write(salt: bytes, digest: bytes) -> str:
        return f"scrypt${n}${salt.decode()}${r}${p}${encode_base64(digest)}"

    return _scrypt_reading((n, r, p), match[2].encode(), digest, write, letter_salt)


def _read_werkzeug(text: str) -> Reading | Readability:
    match = _WERKZEUG.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    n, r, p = (int(number) for number in match.group(1, 2, 3))

    def write(salt: bytes, digest: bytes) -> str:
        return f"scrypt:{n}:{r}:{p}${salt.decode()}${digest.hex()}"

    return _scrypt_reading((n, r, p), match[4].encode(), bytes.fromhex(match[5]), write, letter_salt)


def _read_passlib(text: str) -> Reading | Readability:
    match = _PASSLIB.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    power, r, p = (int(number) for number in match.group(1, 2, 3))

    def write(salt: bytes, digest: bytes) -> str:
        return f"$scrypt$ln={power},r={r},p={p}${encode_unpadded(salt)}${encode_unpadded(digest)}"

    salt, digest = decode_unpadded(match[4]), decode_unpadded(match[5])
    return _scrypt_reading((1 << power, r, p), salt, digest, write)


def _read_kratos(text: str) -> Reading | Readability:
    match = _KRATOS.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    n, r, p = (int(number) for number in match.group(1, 2, 3))

    def write(salt: bytes, digest: bytes) -> str:
        return f"$scrypt$ln={n},r={r},p={p}${encode_base64(salt)}${encode_base64(digest)}"

    return _scrypt_reading((n, r, p), decode_base64(match[4]), decode_base64(match[5]), write)


def _read_lucia(text: str, *, block_size: int) -> Reading | Readability:
    match = _LUCIA.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    derive = partial(scrypt, n=_LUCIA_COST, r=block_size, p=1, size=_TEXT_DIGEST_SIZE)
    return salted(
        derive,
        match[1].encode("ascii"),
        bytes.fromhex(match[2]),
        write=lambda salt, digest: f"{salt.decode('ascii')}:{digest.hex()}",
        fresh=letter_salt,
    )


def _compatible(password: bytes) -> bytes | None:
    """Lucia and Better Auth hash the compatibility form of a password (NFKC, Unicode Annex 15)."""
    text = text_of(password)
    return None if text is None else unicodedata.normalize("NFKC", text).encode()


def _lucia(name: str) -> Reader:
    reader = partial(_read_lucia, block_size=_LUCIA_BLOCK_SIZES[name])
    return behind(reader, prefix="s2:" if name == "lucia-2" else "", prepare=_compatible)


READERS: Final[Mapping[str, Reader]] = {
    "django-scrypt": _read_django,
    "kratos-scrypt": _read_kratos,
    **{name: _lucia(name) for name in _LUCIA_BLOCK_SIZES},
    "passlib-scrypt": _read_passlib,
    "werkzeug-scrypt": _read_werkzeug,
}
