"""One pass of a fast hash, which is no protection: bare, salted, keyed, or in a template, and text that is not hashed.

They are read so that whoever has such a hash can sign in once more and get a better one; none is ever written, but
those of LDAP with a salt, for a directory that others still read.
"""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.features.passwords.model import Readability
from ostiary.features.passwords.schemes.encodings import decode_base64, encode_base64, text_of
from ostiary.features.passwords.schemes.md4 import md4
from ostiary.features.passwords.schemes.readings import Reading, behind, marked, salted, unsalted
from ostiary.foundation.crypto import equal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.passwords.schemes.readings import Reader

_SIZES: Final = {"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}
_BLOCK_SIZES: Final = {"sha384": 128, "sha512": 128}
_NTLM_TEXT = re.compile(r"(?:\$NT\$|\$3\$\$)?([0-9A-Fa-f]{32})", re.ASCII)
_MYSQL_TEXT = re.compile(r"\*?([0-9A-Fa-f]{40})", re.ASCII)
_DJANGO_TEXT = re.compile(r"(md5|sha1)\$([^$]*)\$([0-9a-f]+)", re.ASCII)
_KRATOS_TEXT = re.compile(
    r"\$(md5|sha1|sha256|sha512)(?:\$pf=([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]*))?\$([A-Za-z0-9+/=]+)", re.ASCII
)
_KRATOS: Final = ("md5", "sha1", "sha256", "sha512")
_HMAC_TEXT = re.compile(r"\$hmac-(md[45]|sha\d{1,3})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)", re.ASCII)
_PLACEHOLDER = re.compile(rb"(\{SALT\}|\{PASSWORD\})")
_PASSWORD: Final = b"{PASSWORD}"
_LONGEST_TEMPLATE: Final = 256
_LDAP: Final = {"md5": "MD5", "sha1": "SHA", "sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}
_LDAP_SALT_SIZES: Final = range(1, 65)


def _digest(algorithm: str, data: bytes) -> bytes:
    return md4(data) if algorithm == "md4" else hashlib.new(algorithm, data, usedforsecurity=False).digest()


def _read_bare(text: str, *, algorithm: str) -> Reading | Readability:
    is_hex = re.fullmatch(r"[0-9A-Fa-f]+", text) and len(text) == 2 * _SIZES[algorithm]
    return unsalted(partial(_digest, algorithm), bytes.fromhex(text)) if is_hex else Readability.UNREADABLE


def _read_ntlm(text: str) -> Reading | Readability:
    match = _NTLM_TEXT.fullmatch(text)
    return unsalted(_ntlm, bytes.fromhex(match[1])) if match else Readability.UNREADABLE


def _ntlm(password: bytes) -> bytes:
    text = text_of(password)
    return b"" if text is None else md4(text.encode("utf-16-le"))


def _read_mysql(text: str) -> Reading | Readability:
    match = _MYSQL_TEXT.fullmatch(text)
    return unsalted(_mysql, bytes.fromhex(match[1])) if match else Readability.UNREADABLE


def _mysql(password: bytes) -> bytes:
    return _digest("sha1", _digest("sha1", password))


def _read_django(text: str, *, algorithm: str) -> Reading | Readability:
    match = _DJANGO_TEXT.fullmatch(text)
    if match is None or match[1] != algorithm or len(match[3]) != 2 * _SIZES[algorithm]:
        return Readability.UNREADABLE
    salt = match[2].encode()
    return unsalted(lambda password: _digest(algorithm, salt + password), bytes.fromhex(match[3]))


def _read_kratos(text: str, *, algorithm: str) -> Reading | Readability:
    match = _KRATOS_TEXT.fullmatch(text)
    if match is None or match[1] != algorithm or (match[2] is None and algorithm != "md5"):
        return Readability.UNREADABLE
    digest = decode_base64(match[4])
    template = _PASSWORD if match[2] is None else decode_base64(match[2])
    salt = decode_base64(match[3] or "")
    is_whole = bool(salt) or not match[3]
    is_known = _PASSWORD in template and len(template) <= _LONGEST_TEMPLATE
    if len(digest) != _SIZES[algorithm] or not is_whole or not is_known:
        return Readability.UNREADABLE
    pieces = _PLACEHOLDER.split(template)

    def derive(password: bytes) -> bytes:
        # Each piece is looked at once, so that no password is taken for a template.
        values = {b"{SALT}": salt, _PASSWORD: password}
        return _digest(algorithm, b"".join(values.get(piece, piece) for piece in pieces))

    return unsalted(derive, digest)


def _read_hmac(text: str, *, algorithm: str) -> Reading | Readability:
    match = _HMAC_TEXT.fullmatch(text)
    if match is None or match[1] != algorithm:
        return Readability.UNREADABLE
    written, key = decode_base64(match[2]), decode_base64(match[3])
    size = _SIZES.get(algorithm, _SIZES["md5"])
    is_hex = re.fullmatch(rb"[0-9a-f]+", written) and len(written) == 2 * size
    if not is_hex or not key:
        return Readability.UNREADABLE
    return unsalted(partial(_hmac, algorithm, key), bytes.fromhex(written.decode("ascii")))


def _hmac(algorithm: str, key: bytes, message: bytes) -> bytes:
    """HMAC (RFC 2104), written out because the library has none over MD4."""
    size = _BLOCK_SIZES.get(algorithm, 64)
    block = (_digest(algorithm, key) if len(key) > size else key).ljust(size, b"\0")
    inner = _digest(algorithm, bytes(byte ^ 0x36 for byte in block) + message)
    return _digest(algorithm, bytes(byte ^ 0x5C for byte in block) + inner)


def _read_ldap(text: str, *, algorithm: str) -> Reading | Readability:
    digest = decode_base64(text)
    if len(digest) != _SIZES[algorithm]:
        return Readability.UNREADABLE
    return unsalted(partial(_digest, algorithm), digest)


def _read_salted_ldap(text: str, *, algorithm: str) -> Reading | Readability:
    data = decode_base64(text)
    digest, salt = data[: _SIZES[algorithm]], data[_SIZES[algorithm] :]
    if len(salt) not in _LDAP_SALT_SIZES:
        return Readability.UNREADABLE
    return salted(
        lambda password, salt: _digest(algorithm, password + salt),
        salt,
        digest,
        write=lambda salt, digest: encode_base64(digest + salt),
    )


def read_plaintext(text: str) -> Reading | Readability:
    """Read a password that was never hashed. Whatever follows a mark of no password is none either."""
    stored = text.encode()
    return Reading(lambda password: equal(password, stored)) if stored else Readability.UNREADABLE


def _ldap(algorithm: str) -> Mapping[str, Reader]:
    name = _LDAP[algorithm]
    return {
        f"ldap-{name.lower()}": marked(partial(_read_ldap, algorithm=algorithm), name),
        f"ldap-s{name.lower()}": marked(partial(_read_salted_ldap, algorithm=algorithm), f"S{name}"),
    }


READERS: Final[Mapping[str, Reader]] = {
    **{algorithm: partial(_read_bare, algorithm=algorithm) for algorithm in _SIZES},
    **{f"django-{algorithm}": partial(_read_django, algorithm=algorithm) for algorithm in ("md5", "sha1")},
    **{f"kratos-{algorithm}": partial(_read_kratos, algorithm=algorithm) for algorithm in _KRATOS},
    **{
        f"kratos-hmac-{algorithm}": partial(_read_hmac, algorithm=algorithm) for algorithm in ("md4", *_SIZES)
    },
    **{name: reader for algorithm in _LDAP for name, reader in _ldap(algorithm).items()},
    "mysql41": _read_mysql,
    "ntlm": _read_ntlm,
    "plaintext": read_plaintext,
    "spring-noop": behind(read_plaintext, prefix="{noop}"),
}
