"""Firebase's scrypt: a key is derived from the password, and the project's signer key encrypted with it.

Firebase exports hash and salt apart; they are stored as compact JSON of exactly these two, verbatim:
`{"passwordHash":"…","salt":"…"}`. The rest belongs to the project and is kept in the settings. SuperTokens keeps the
signer key there and writes the rest into the text; Kratos and Supabase write everything into the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from ostiary.features.passwords.model import ImportedParameters, Readability
from ostiary.features.passwords.schemes.encodings import (
    decode_base64,
    encode_base64,
    read_strings,
    write_object,
)
from ostiary.features.passwords.schemes.readings import Reading, salted
from ostiary.features.passwords.schemes.scrypt import scrypt, within_scrypt_bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.features.passwords.schemes.readings import KeyedReader, Reader

_KEY_SIZE: Final = 32
_ZERO_BLOCK: Final = bytes(16)
# Every hash is as long as the signer key, which Firebase makes 64 bytes long.
_DIGEST_SIZES: Final = range(32, 129)
_POWERS: Final = range(1, 100)

_NUMBER: Final = r"([1-9]\d?)"
_BASE64: Final = r"([A-Za-z0-9+/=]+)"
_KRATOS = re.compile(
    rf"\$firescrypt\$ln={_NUMBER},r={_NUMBER},p=1\${_BASE64}\${_BASE64}\$([A-Za-z0-9+/=]*)\${_BASE64}",
    re.ASCII,
)
_SUPABASE = re.compile(
    rf"(\$fbscrypt\$v=1,n={_NUMBER},r={_NUMBER},p=1,ss=([A-Za-z0-9+/=]*),sk={_BASE64}\$){_BASE64}\${_BASE64}",
    re.ASCII,
)
_SUPERTOKENS = re.compile(
    rf"\$f_scrypt\${_BASE64}\${_BASE64}(\$m={_NUMBER}\$r={_NUMBER}\$s=([A-Za-z0-9+/=]*))", re.ASCII
)


def _firebase_reading(
    parameters: ImportedParameters, salt: bytes, digest: bytes, write: Callable[[bytes, bytes], str]
) -> Reading | Readability:
    """Read the hash of a Firebase project, whose memory cost is a power of two."""
    if parameters.memory_cost not in _POWERS or len(parameters.signer_key) != len(digest):
        return Readability.UNREADABLE
    n, rounds = 1 << parameters.memory_cost, parameters.rounds
    refused = within_scrypt_bounds(n, rounds, 1)
    if refused:
        return refused

    def derive(password: bytes, salt: bytes) -> bytes:
        key = scrypt(password, salt + parameters.salt_separator, n=n, r=rounds, p=1, size=_KEY_SIZE)
        encryptor = Cipher(AES256(key), CTR(_ZERO_BLOCK)).encryptor()
        return encryptor.update(parameters.signer_key) + encryptor.finalize()

    return salted(derive, salt, digest, write=write)


def _are_whole(salt: bytes, digest: bytes, separator: str = "") -> bool:
    separator_is_whole = not separator or bool(decode_base64(separator))
    return bool(salt) and len(digest) in _DIGEST_SIZES and separator_is_whole


def _read_firebase(text: str, parameters: ImportedParameters | None) -> Reading | Readability:
    values = read_strings(text, "passwordHash", "salt")
    if values is None:
        return Readability.UNREADABLE
    # Firebase's own tool writes the base64 of URLs into some exports.
    is_for_urls = not {"-", "_"}.isdisjoint("".join(values))
    digest, salt = (decode_base64(_from_urls(value) if is_for_urls else value) for value in values)
    if not _are_whole(salt, digest):
        return Readability.UNREADABLE
    if parameters is None or len(parameters.signer_key) != len(digest):
        return Readability.NEEDS_PARAMETERS

    def encode(data: bytes) -> str:
        return _to_urls(encode_base64(data)) if is_for_urls else encode_base64(data)

    def write(salt: bytes, digest: bytes) -> str:
        return write_object({"passwordHash": encode(digest), "salt": encode(salt)})

    return _firebase_reading(parameters, salt, digest, write)


def _from_urls(text: str) -> str:
    return text.replace("-", "+").replace("_", "/") if {"+", "/"}.isdisjoint(text) else ""


def _to_urls(text: str) -> str:
    return text.replace("+", "-").replace("/", "_")


def _read_supertokens(text: str, parameters: ImportedParameters | None) -> Reading | Readability:
    match = _SUPERTOKENS.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    digest, salt, costs, separator = decode_base64(match[1]), decode_base64(match[2]), match[3], match[6]
    if not _are_whole(salt, digest, separator):
        return Readability.UNREADABLE
    if parameters is None or len(parameters.signer_key) != len(digest):
        return Readability.NEEDS_PARAMETERS
    known = ImportedParameters(
        signer_key=parameters.signer_key,
        salt_separator=decode_base64(separator),
        rounds=int(match[5]),
        memory_cost=int(match[4]),
    )

    def write(salt: bytes, digest: bytes) -> str:
        return f"$f_scrypt${encode_base64(digest)}${encode_base64(salt)}{costs}"

    return _firebase_reading(known, salt, digest, write)


def _read_kratos(text: str) -> Reading | Readability:
    match = _KRATOS.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    power, rounds, separator, signer_key = match[1], match[2], match[5], match[6]
    salt, digest = decode_base64(match[3]), decode_base64(match[4])

    def write(salt: bytes, digest: bytes) -> str:
        start = f"$firescrypt$ln={power},r={rounds},p=1${encode_base64(salt)}${encode_base64(digest)}"
        return f"{start}${separator}${signer_key}"

    if not _are_whole(salt, digest, separator):
        return Readability.UNREADABLE
    return _firebase_reading(_parameters(power, rounds, separator, signer_key), salt, digest, write)


def _read_supabase(text: str) -> Reading | Readability:
    match = _SUPABASE.fullmatch(text)
    if match is None:
        return Readability.UNREADABLE
    prefix, power, rounds, separator, signer_key = match.group(1, 2, 3, 4, 5)
    salt, digest = decode_base64(match[6]), decode_base64(match[7])

    def write(salt: bytes, digest: bytes) -> str:
        return f"{prefix}{encode_base64(salt)}${encode_base64(digest)}"

    if not _are_whole(salt, digest, separator):
        return Readability.UNREADABLE
    return _firebase_reading(_parameters(power, rounds, separator, signer_key), salt, digest, write)


def _parameters(power: str, rounds: str, separator: str, signer_key: str) -> ImportedParameters:
    return ImportedParameters(
        signer_key=decode_base64(signer_key),
        salt_separator=decode_base64(separator),
        rounds=int(rounds),
        memory_cost=int(power),
    )


READERS: Final[Mapping[str, Reader]] = {
    "kratos-firescrypt": _read_kratos,
    "supabase-fbscrypt": _read_supabase,
}
KEYED_READERS: Final[Mapping[str, KeyedReader]] = {
    "firebase-scrypt": _read_firebase,
    "supertokens-scrypt": _read_supertokens,
}
