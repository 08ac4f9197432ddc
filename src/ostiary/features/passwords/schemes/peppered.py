"""Hashes of passwords that were mixed with a secret first, which is kept outside the database.

Their texts are those of other schemes, so nothing but a declaration says that there is a secret.
"""

from __future__ import annotations

import base64
import hmac
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.features.passwords.model import Readability
from ostiary.features.passwords.schemes import argon2, bcrypt, pbkdf2, unix_crypt
from ostiary.features.passwords.schemes.readings import behind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.features.passwords.model import ImportedParameters
    from ostiary.features.passwords.schemes.readings import KeyedReader, Reader, Reading

    Mix = Callable[[bytes, bytes], bytes]


def _devise(pepper: bytes, password: bytes) -> bytes:
    return password + pepper


def _flask_security(salt: bytes, password: bytes) -> bytes:
    return base64.b64encode(hmac.digest(salt, password, "sha512"))


def _read(
    text: str, parameters: ImportedParameters | None, *, reader: Reader, mix: Mix
) -> Reading | Readability:
    if reader(text) is Readability.UNREADABLE:
        return Readability.UNREADABLE
    if parameters is None or not parameters.pepper:
        return Readability.NEEDS_PARAMETERS
    return behind(reader, prepare=partial(mix, parameters.pepper))(text)


# What Flask-Security hands to Passlib, by the names it has here.
_OF_FLASK: Final[Mapping[str, Reader]] = {
    name: readers[name]
    for readers, names in (
        (argon2.READERS, ("argon2id", "argon2i", "argon2d")),
        (bcrypt.READERS, ("bcrypt",)),
        (pbkdf2.READERS, ("passlib-pbkdf2-sha256", "passlib-pbkdf2-sha512")),
        (unix_crypt.READERS, ("sha256-crypt", "sha512-crypt")),
    )
    for name in names
}
KEYED_READERS: Final[Mapping[str, KeyedReader]] = {
    "devise-bcrypt": partial(_read, reader=bcrypt.read_bcrypt, mix=_devise),
    **{
        f"flask-security-{name.removeprefix('passlib-')}": partial(_read, reader=reader, mix=_flask_security)
        for name, reader in _OF_FLASK.items()
    },
}
