"""PBKDF2 (RFC 8018) as Django, Werkzeug, Passlib, PHC strings, ASP.NET Identity, FusionAuth and Clerk write it.

FusionAuth exports three values; they are stored as compact JSON of exactly these, verbatim:
`{"factor":24000,"password":"…","salt":"…"}`. ASP.NET Identity's text is one base64 of everything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.features.passwords.model import Readability
from ostiary.features.passwords.schemes.encodings import (
    decode_adapted,
    decode_base64,
    decode_unpadded,
    encode_adapted,
    encode_base64,
    encode_unpadded,
    letter_salt,
    read_object,
    write_object,
)
from ostiary.features.passwords.schemes.readings import Reading, refusal, salted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.passwords.schemes.readings import Reader

_WORK: Final = range(1, 10**7 + 1)
_DIGEST_SIZES: Final = range(16, 65)
_ASP_NET_ALGORITHMS: Final = ("sha1", "sha256", "sha512")
_ASP_NET_2_SIZE: Final = 49
_ASP_NET_2_ITERATIONS: Final = 1000
_ASP_NET_SALT_SIZE: Final = 16
_ASP_NET_HEADER: Final = 13
_CLERK_SALT_SIZE: Final = 16
_FUSIONAUTH_SIZES: Final = frozenset({32, 64})
_FUSIONAUTH: Final = ("factor", "password", "salt")
_NAMES: Final = {"sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}


def read_pbkdf2(
    algorithm: str,
    iterations: int,
    salt: bytes,
    digest: bytes,
    *,
    write: Callable[[bytes, bytes], str],
    fresh: Callable[[bytes], bytes] = bytes,
) -> Reading | Readability:
    """Read what was made with PBKDF2; what it costs is the iterations for each block of its digest."""
    if len(digest) not in _DIGEST_SIZES:
        return Readability.UNREADABLE
    blocks = -(-len(digest) // _NAMES[algorithm])
    refused = refusal((iterations * blocks, _WORK))
    if refused:
        return refused

    def derive(password: bytes, salt: bytes) -> bytes:
        return hashlib.pbkdf2_hmac(algorithm, password, salt, iterations, len(digest))

    return salted(derive, salt, digest, write=write, fresh=fresh)


def _as_text(salt: str) -> bytes:
    return salt.encode()


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text) if len(text) % 2 == 0 else b""


@dataclass(frozen=True, slots=True)
class _Format:
    """A way to write iterations, salt and digest, between `$` and other marks.

    Some hash the characters of a salt, some the bytes they stand for: `decode_salt` says which.
    """

    pattern: re.Pattern[str]
    algorithm: str
    decode: Callable[[str], bytes]
    encode: Callable[[bytes], str]
    decode_salt: Callable[[str], bytes]
    encode_salt: Callable[[bytes], str]
    fresh: Callable[[bytes], bytes]
    least_salt: int = 1
    whole_digest: bool = True

    def read(self, text: str) -> Reading | Readability:
        match = self.pattern.fullmatch(text)
        if match is None:
            return Readability.UNREADABLE
        salt, digest = self.decode_salt(match["salt"]), self.decode(match["digest"])
        size = int(match.groupdict().get("size") or len(digest))
        if len(salt) < self.least_salt or len(digest) != size or not self._fits(digest):
            return Readability.UNREADABLE
        write = partial(self._written, text[: match.start("salt")])
        return read_pbkdf2(
            self.algorithm, int(match["iterations"]), salt, digest, write=write, fresh=self.fresh
        )

    def _fits(self, digest: bytes) -> bool:
        return not self.whole_digest or len(digest) == _NAMES[self.algorithm]

    def _written(self, prefix: str, salt: bytes, digest: bytes) -> str:
        return f"{prefix}{self.encode_salt(salt)}${self.encode(digest)}"


_ITERATIONS: Final = r"(?P<iterations>[1-9]\d{0,9})"
_TEXT_SALT: Final = r"(?P<salt>[^$]+)"
_BASE64: Final = r"(?P<digest>[A-Za-z0-9+/=]+)"
_HEX: Final = r"(?P<digest>[0-9a-f]+)"
_UNPADDED: Final = r"(?P<salt>[A-Za-z0-9+/]+)\$(?P<digest>[A-Za-z0-9+/]+)"
_ADAPTED: Final = r"(?P<salt>[A-Za-z0-9./]+)\$(?P<digest>[A-Za-z0-9./]+)"


def _django(algorithm: str) -> Reader:
    pattern = re.compile(rf"pbkdf2_{algorithm}\${_ITERATIONS}\${_TEXT_SALT}\${_BASE64}", re.ASCII)
    return _Format(pattern, algorithm, decode_base64, encode_base64, _as_text, bytes.decode, letter_salt).read


def _werkzeug(algorithm: str) -> Reader:
    pattern = re.compile(rf"pbkdf2:{algorithm}:{_ITERATIONS}\${_TEXT_SALT}\${_HEX}", re.ASCII)
    return _Format(pattern, algorithm, _unhex, bytes.hex, _as_text, bytes.decode, letter_salt).read


def _passlib(algorithm: str) -> Reader:
    name = "pbkdf2" if algorithm == "sha1" else f"pbkdf2-{algorithm}"
    pattern = re.compile(rf"\${name}\${_ITERATIONS}\${_ADAPTED}", re.ASCII)
    return _Format(
        pattern, algorithm, decode_adapted, encode_adapted, decode_adapted, encode_adapted, bytes
    ).read


def _phc(algorithm: str) -> Reader:
    pattern = re.compile(
        rf"\$pbkdf2-{algorithm}\$i={_ITERATIONS},l=(?P<size>[1-9]\d?)\${_UNPADDED}", re.ASCII
    )
    return _Format(
        pattern,
        algorithm,
        decode_unpadded,
        encode_unpadded,
        decode_unpadded,
        encode_unpadded,
        bytes,
        whole_digest=False,
    ).read


# Clerk writes Django's text with a salt that is base64 of the salt, and for SHA-1 a digest that is hexadecimal.
_CLERK_SHA256 = _Format(
    re.compile(rf"pbkdf2_sha256\${_ITERATIONS}\$(?P<salt>[A-Za-z0-9+/=]+)\${_BASE64}", re.ASCII),
    "sha256",
    decode_base64,
    encode_base64,
    decode_base64,
    encode_base64,
    bytes,
    least_salt=_CLERK_SALT_SIZE,
)
_CLERK_SHA1 = _Format(
    re.compile(rf"pbkdf2_sha1\${_ITERATIONS}\${_TEXT_SALT}\${_HEX}", re.ASCII),
    "sha1",
    _unhex,
    bytes.hex,
    _as_text,
    bytes.decode,
    letter_salt,
)


def _read_asp_net(text: str) -> Reading | Readability:
    decoded = decode_base64(text)
    if decoded[:1] == b"\x00" and len(decoded) == _ASP_NET_2_SIZE:
        return _asp_net("sha1", _ASP_NET_2_ITERATIONS, decoded, 1, 1 + _ASP_NET_SALT_SIZE)
    if decoded[:1] != b"\x01" or len(decoded) < _ASP_NET_HEADER:
        return Readability.UNREADABLE
    algorithm, iterations, salt_size = (
        int.from_bytes(decoded[place : place + 4]) for place in range(1, _ASP_NET_HEADER, 4)
    )
    end = _ASP_NET_HEADER + salt_size
    if algorithm >= len(_ASP_NET_ALGORITHMS) or salt_size < _ASP_NET_SALT_SIZE:
        return Readability.UNREADABLE
    return _asp_net(_ASP_NET_ALGORITHMS[algorithm], iterations, decoded, _ASP_NET_HEADER, end)


def _asp_net(algorithm: str, iterations: int, data: bytes, start: int, end: int) -> Reading | Readability:
    return read_pbkdf2(
        algorithm,
        iterations,
        data[start:end],
        data[end:],
        write=lambda salt, digest: encode_base64(data[:start] + salt + digest),
    )


def _read_fusionauth(text: str) -> Reading | Readability:
    values = read_object(text)
    match values:
        case {"factor": int(factor), "password": str(password), "salt": str(salted_with)}:
            digest, salt = decode_base64(password), decode_base64(salted_with)
        case _:
            return Readability.UNREADABLE
    is_whole = len(digest) in _FUSIONAUTH_SIZES and bool(salt)
    if not is_whole or tuple(values) != _FUSIONAUTH or write_object(values) != text:
        return Readability.UNREADABLE
    return read_pbkdf2(
        "sha256",
        factor,
        salt,
        digest,
        write=lambda salt, digest: write_object(
            {"factor": factor, "password": encode_base64(digest), "salt": encode_base64(salt)}
        ),
    )


READERS: Final[Mapping[str, Reader]] = {
    "aspnet-identity": _read_asp_net,
    "clerk-pbkdf2-sha1": _CLERK_SHA1.read,
    "clerk-pbkdf2-sha256": _CLERK_SHA256.read,
    "django-pbkdf2-sha1": _django("sha1"),
    "django-pbkdf2-sha256": _django("sha256"),
    "fusionauth-pbkdf2-sha256": _read_fusionauth,
    **{f"passlib-pbkdf2-{name}": _passlib(name) for name in ("sha1", "sha256", "sha512")},
    **{f"phc-pbkdf2-{name}": _phc(name) for name in _NAMES},
    **{f"werkzeug-pbkdf2-{name}": _werkzeug(name) for name in _NAMES},
}
