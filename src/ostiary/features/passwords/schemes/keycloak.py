r"""Keycloak: two JSON columns of its `credential` table.

They are stored as compact JSON of exactly these two, each verbatim, as the text it is there:
`{"credential_data":"{\"hashIterations\":…}","secret_data":"{\"value\":…}"}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from argon2.low_level import hash_secret_raw

from ostiary.features.passwords.model import Readability
from ostiary.features.passwords.schemes.argon2 import DIGEST_SIZES, SALT_SIZES, VARIANTS, within_argon2_bounds
from ostiary.features.passwords.schemes.encodings import (
    decode_base64,
    encode_base64,
    read_object,
    read_strings,
    write_object,
)
from ostiary.features.passwords.schemes.pbkdf2 import read_pbkdf2
from ostiary.features.passwords.schemes.readings import Reading, salted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.features.passwords.schemes.readings import Reader

_PBKDF2: Final = {"pbkdf2": "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}
_ARGON2_VERSIONS: Final = {"1.0": 16, "1.3": 19}
_MOST_DIGITS: Final = 10


def _read_keycloak(text: str) -> Reading | Readability:
    columns = read_strings(text, "credential_data", "secret_data")
    if columns is None:
        return Readability.UNREADABLE
    made, secret = (read_object(column) for column in columns)
    match made, secret:
        case (
            {"hashIterations": int(iterations), "algorithm": str(algorithm)},
            {"value": str(), "salt": str()},
        ):
            salt, digest = (decode_base64(str(secret[name])) for name in ("salt", "value"))
        case _:
            return Readability.UNREADABLE
    if not salt or not digest:
        return Readability.UNREADABLE

    def write(salt: bytes, digest: bytes) -> str:
        new = {**secret, "value": encode_base64(digest), "salt": encode_base64(salt)}
        return write_object({"credential_data": columns[0], "secret_data": write_object(new)})

    if algorithm in _PBKDF2:
        return read_pbkdf2(_PBKDF2[algorithm], iterations, salt, digest, write=write)
    return _argon2(made, salt, digest, write) if algorithm == "argon2" else Readability.UNREADABLE


def _argon2(
    made: Mapping[str, object], salt: bytes, digest: bytes, write: Callable[[bytes, bytes], str]
) -> Reading | Readability:
    named = made.get("additionalParameters")
    further = named if isinstance(named, dict) else {}
    kind = VARIANTS.get(f"argon2{_only(further, 'type')}")
    version = _ARGON2_VERSIONS.get(_only(further, "version"))
    time_cost = made["hashIterations"]
    memory_kib, parallelism = (_number(_only(further, name)) for name in ("memory", "parallelism"))
    are_whole = len(salt) in SALT_SIZES and len(digest) in DIGEST_SIZES
    if kind is None or version is None or not isinstance(time_cost, int) or not are_whole:
        return Readability.UNREADABLE
    refused = within_argon2_bounds(memory_kib, time_cost, parallelism)
    if refused:
        return refused

    def derive(password: bytes, salt: bytes) -> bytes:
        return hash_secret_raw(password, salt, time_cost, memory_kib, parallelism, len(digest), kind, version)

    return salted(derive, salt, digest, write=write)


def _only(parameters: Mapping[str, object], name: str) -> str:
    """Return the one text of a parameter; Keycloak writes every one as a list."""
    match parameters.get(name):
        case [str(value)]:
            return value
        case _:
            return ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 0


READERS: Final[Mapping[str, Reader]] = {"keycloak": _read_keycloak}
