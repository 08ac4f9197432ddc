"""Which candidates may become a password.

Length and a list of what attackers try first, and nothing else: no rules of composition (NIST SP 800-63B-4
§3.1.1.2). Comparison with the lists is on a folded copy; what is hashed is exactly what was typed.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from ostiary.features.passwords.errors import UnacceptablePassword, UnacceptableReason, UnsafeSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ostiary.foundation.secret import Secret

_BYTES_PER_CODE_POINT: Final = 4
_SHORTEST_MINIMUM: Final = 8
_SHORTEST_MAXIMUM: Final = 64
# Shorter words would refuse candidates that merely happen to contain somebody's initials.
_SHORTEST_WORD: Final = 4
_DIGITS: Final = "0123456789"


@dataclass(frozen=True, slots=True)
class Policy:
    """The lengths a new password may have, in code points. Raises `UnsafeSettings` below the standard's.

    `min_length_with_mfa` holds for accounts on which a second factor is enforced (PWD-01).
    """

    min_length: int = 12
    min_length_with_mfa: int = 12
    max_length: int = 256

    def __post_init__(self) -> None:
        shortest = min(self.min_length, self.min_length_with_mfa)
        if shortest < _SHORTEST_MINIMUM or self.max_length < _SHORTEST_MAXIMUM:
            raise UnsafeSettings(
                f"The password policy is too weak: require at least {_SHORTEST_MINIMUM} characters and "
                f"accept at least {_SHORTEST_MAXIMUM}."
            )

    @classmethod
    def strict(cls) -> Policy:
        """Return the lengths of the strict profile: 15, or 8 beside an enforced second factor (PWD-01)."""
        return cls(min_length=15, min_length_with_mfa=8)

    def encode(self, password: Secret) -> bytes:
        """Return the bytes that are hashed: the text in UTF-8, unaltered (PWD-02).

        Raises `UnacceptablePassword` (too long, not text). The cap is in bytes and wider than `max_length`
        for all but the rarest alphabets, so that passwords set elsewhere still verify (PWD-03).
        """
        text = password.reveal()
        cap = self.max_length * _BYTES_PER_CODE_POINT
        if len(text) > cap:
            raise self._too_long()
        try:
            encoded = text.encode()
        except UnicodeEncodeError:
            raise UnacceptablePassword(
                UnacceptableReason.NOT_TEXT,
                "The password holds characters that are not valid Unicode: type it again.",
            ) from None
        if len(encoded) > cap:
            raise self._too_long()
        return encoded

    def is_encodable(self, password: Secret) -> bool:
        """Say whether `password` can be anybody's: whether it is text, and not too long to be hashed."""
        try:
            self.encode(password)
        except UnacceptablePassword:
            return False
        return True

    def check(self, candidate: Secret, *, context: Sequence[str], mfa_enforced: bool) -> None:
        """Accept `candidate` as a new password or raise `UnacceptablePassword` (PWD-01 to PWD-04)."""
        text = candidate.reveal()
        minimum = self.min_length_with_mfa if mfa_enforced else self.min_length
        if len(text) < minimum:
            raise UnacceptablePassword(
                UnacceptableReason.TOO_SHORT,
                f"The password is too short: use at least {minimum} characters.",
            )
        if len(text) > self.max_length:
            raise self._too_long()
        self.encode(candidate)
        forms = _plain_forms(_fold(text))
        if not forms.isdisjoint(_context_words(context)):
            raise UnacceptablePassword(
                UnacceptableReason.CONTEXT,
                "The password is made from your name, your address or the name of this service: "
                "choose words that have nothing to do with them.",
            )
        if not forms.isdisjoint(common_passwords()) or min(map(len, forms)) < _SHORTEST_WORD:
            raise UnacceptablePassword(
                UnacceptableReason.COMMON,
                "The password is among the first that attackers try: choose several unrelated words.",
            )

    def _too_long(self) -> UnacceptablePassword:
        return UnacceptablePassword(
            UnacceptableReason.TOO_LONG,
            f"The password is too long: use at most {self.max_length} characters.",
        )


@cache
def common_passwords() -> frozenset[str]:
    """Return the bundled list of common passwords, folded; read on first use (blocklist/README.md)."""
    packed = files(__package__).joinpath("blocklist", "common-passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().splitlines())


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _plain_forms(text: str) -> set[str]:
    """Return `text` and what is left of it without its trimmings: the words it was trivially built from.

    Punctuation anywhere, digits at either end and repetition are trimmings (`Ostiary-2026!`,
    `password password`), as long as they are not the greater part of the text.
    """
    letters = _letters(text)
    cores = (core for core in (text, letters, letters.strip(_DIGITS)) if 2 * len(core) >= len(text))
    return {form for core in cores for form in (core, _repeated_unit(core))}


def _repeated_unit(text: str) -> str:
    """Return the shortest piece whose repetition is `text`: itself, where nothing repeats."""
    return text[: (text + text).find(text, 1)]


def _context_words(context: Sequence[str]) -> Iterator[str]:
    for entry in context:
        folded = _fold(entry)
        local_part = folded.partition("@")[0]
        words = [folded, _letters(folded), local_part, _letters(local_part), *re.split(r"[\W_]+", folded)]
        yield from (word for word in words if len(word) >= _SHORTEST_WORD)
