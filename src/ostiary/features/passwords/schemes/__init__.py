"""The table of hash schemes: how each one's text is read, bounded, compared and told from the others.

The texts are those of the systems they came from, verbatim. A text that is malformed, or asks for more work than its
bound allows, is refused while it is read, so nothing costly starts and nothing can raise once there is a reading.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ostiary.features.passwords.model import Readability
from ostiary.features.passwords.schemes import (
    argon2,
    bcrypt,
    digests,
    firebase,
    keycloak,
    pbkdf2,
    peppered,
    scrypt,
    unix_crypt,
)
from ostiary.features.passwords.schemes.argon2 import (
    ARGON2ID,
    DIGEST_SIZE,
    SALT_SIZE,
    argon2id_digest,
    argon2id_prefix,
    argon2id_text,
)
from ostiary.features.passwords.schemes.readings import LONGEST_TEXT, Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ostiary.features.passwords.model import ImportedParameters
    from ostiary.features.passwords.schemes.readings import Check, KeyedReader, Reader

__all__ = [
    "ARGON2ID",
    "DECLARED_ONLY_SCHEMES",
    "DIGEST_SIZE",
    "KNOWN_SCHEMES",
    "SALT_SIZE",
    "WEAK_SCHEMES",
    "Reading",
    "argon2id_digest",
    "argon2id_prefix",
    "argon2id_text",
    "detect",
    "read",
    "reading",
]

UNUSABLE: Final = "unusable"

_READERS: Final[Mapping[str, Reader]] = {
    **argon2.READERS,
    **bcrypt.READERS,
    **digests.READERS,
    **firebase.READERS,
    **keycloak.READERS,
    **pbkdf2.READERS,
    **scrypt.READERS,
    **unix_crypt.READERS,
}
_KEYED_READERS: Final[Mapping[str, KeyedReader]] = {**firebase.KEYED_READERS, **peppered.KEYED_READERS}
# Any text at all may be one of these, or any word of thirteen letters, or the text of another scheme.
DECLARED_ONLY_SCHEMES: Final = frozenset({"plaintext", "des-crypt", *peppered.KEYED_READERS})
_DETECTABLE: Final = frozenset(_READERS.keys() | _KEYED_READERS.keys()) - DECLARED_ONLY_SCHEMES
# Known by their marks, and read by nothing here.
_UNSUPPORTED: Final[Mapping[str, re.Pattern[str]]] = {
    "crypt-scrypt": re.compile(r"\$7\$[./0-9A-Za-z]{11,}\$[./0-9A-Za-z]{43}", re.ASCII),
    "yescrypt": re.compile(r"\$y\$[./0-9A-Za-z]+\$[./0-9A-Za-z]*\$[./0-9A-Za-z]{43}", re.ASCII),
}
# What stands before a password that was never hashed.
_OPEN: Final[Mapping[str, str]] = {"plaintext": "", "spring-noop": "{noop}"}
_UNUSABLE_TEXTS: Final = frozenset({"", "*", "*LK*", "*NP*"})
_UNUSABLE_MARK: Final = "!"

KNOWN_SCHEMES: Final = frozenset({*_READERS, *_KEYED_READERS})
"""The schemes of which passwords can be compared with their hashes."""

WEAK_SCHEMES: Final = frozenset(
    {*digests.READERS, "apache-md5-crypt", "des-crypt", "django-crypt", "md5-crypt"}
)
"""The schemes whose hashes are found by guessing as fast as a machine can: no salt, or next to no work."""


def reading(scheme: str, text: str, parameters: ImportedParameters | None = None) -> Reading | Readability:
    """Read `text` under `scheme`, with the parameters that are kept beside the hashes, if it has such.

    Answers why, where there is nothing to compare with: `UNREADABLE`, `TOO_COSTLY` or `NEEDS_PARAMETERS`.
    """
    if len(text) > LONGEST_TEXT or not _is_text(text):
        return Readability.UNREADABLE
    keyed = _KEYED_READERS.get(scheme)
    if keyed:
        return keyed(text, parameters)
    reader = _READERS.get(scheme)
    return reader(text) if reader and parameters is None else Readability.UNREADABLE


def read(scheme: str, text: str) -> Check | None:
    """Return the check `text` asks for under `scheme`, or None where there is none to be made."""
    answer = reading(scheme, text)
    return answer.check if isinstance(answer, Reading) else None


def plain_text(scheme: str, text: str) -> str | None:
    """Return the password itself where `text` is one that was never hashed."""
    mark = _OPEN.get(scheme)
    return None if mark is None or read(scheme, text) is None else text.removeprefix(mark)


def detect(text: str, *, among: Collection[str] = ()) -> frozenset[str]:
    """Return every scheme that writes texts such as this one, or of those named in `among`; none, if nothing known does.

    More than one means that somebody has to say which. Marks of accounts without a password are `unusable`. Schemes
    whose texts prove nothing (plaintext, DES-crypt, peppers) are never among them, and two that are, nothing here can
    verify: `crypt-scrypt` and `yescrypt`.
    """
    if text in _UNUSABLE_TEXTS or text.startswith(_UNUSABLE_MARK):
        return frozenset({UNUSABLE})
    names = _DETECTABLE.intersection(among) if among else _DETECTABLE
    readable = {name for name in names if reading(name, text) is not Readability.UNREADABLE}
    return frozenset(
        readable
        | {
            name
            for name, known in _UNSUPPORTED.items()
            if (not among or name in among) and known.fullmatch(text)
        }
    )


def _is_text(text: str) -> bool:
    """Say whether every character can be written; half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
