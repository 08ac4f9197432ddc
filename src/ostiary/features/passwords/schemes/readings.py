"""What reading a stored text gives: a comparison, and a way to write the same for another password.

A reader answers with a `Reading`, or says why there is none. Nothing costly starts while a text is read, and a
reading raises nothing whatever password it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.features.passwords.model import Readability
from ostiary.foundation.crypto import equal

if TYPE_CHECKING:
    from ostiary.features.passwords.model import ImportedParameters

    Check = Callable[[bytes], bool]
    Derive = Callable[[bytes, bytes], bytes]
    Prepare = Callable[[bytes], bytes | None]
    Write = Callable[[bytes, bytes], str]
    Reader = Callable[[str], "Reading | Readability"]
    KeyedReader = Callable[[str, ImportedParameters | None], "Reading | Readability"]

# No format is longer; what is goes into no expression and no parser.
LONGEST_TEXT: Final = 8192


@dataclass(frozen=True, slots=True)
class Renewal:
    """How another hash is written as this one was: same scheme, same parameters, another salt.

    `write` takes a password and `salt_size` random bytes, and answers None for a password the scheme cannot hash.
    """

    salt_size: int
    write: Callable[[bytes, bytes], str | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that was understood. `renewal` is missing where no hash should be written that way any more."""

    check: Check
    renewal: Renewal | None = None


def salted(
    derive: Derive, salt: bytes, digest: bytes, *, write: Write, fresh: Callable[[bytes], bytes] = bytes
) -> Reading:
    """Read a hash that is `derive(password, salt)`; `fresh` makes a salt of its kind from as many random bytes."""

    def renewed(password: bytes, random: bytes) -> str:
        new = fresh(random)
        return write(new, derive(password, new))

    return Reading(
        lambda password: equal(derive(password, salt), digest),
        Renewal(len(salt), renewed) if salt else None,
    )


def unsalted(derive: Callable[[bytes], bytes], digest: bytes) -> Reading:
    """Read a hash that is `derive(password)`, and that nobody should write again."""
    return Reading(lambda password: equal(derive(password), digest))


def behind(reader: Reader, *, prefix: str = "", prepare: Prepare | None = None) -> Reader:
    """Return the reader of texts that are another's behind a prefix, and of passwords that were prepared.

    What `prepare` answers None for was never the password of anybody.
    """

    def read(text: str) -> Reading | Readability:
        if not text.startswith(prefix):
            return Readability.UNREADABLE
        answer = reader(text.removeprefix(prefix))
        return _behind(answer, prefix, prepare) if isinstance(answer, Reading) else answer

    return read


def _behind(inner: Reading, prefix: str, prepare: Prepare | None) -> Reading:
    def prepared(password: bytes) -> bytes | None:
        return prepare(password) if prepare else password

    def check(password: bytes) -> bool:
        ready = prepared(password)
        return ready is not None and inner.check(ready)

    renewal = inner.renewal
    if renewal is None:
        return Reading(check)

    def write(password: bytes, random: bytes) -> str | None:
        ready = prepared(password)
        text = None if ready is None else renewal.write(ready, random)
        return None if text is None else prefix + text

    return Reading(check, Renewal(renewal.salt_size, write))


def either(*readers: Reader) -> Reader:
    """Return the reader of what any of these can read."""

    def read(text: str) -> Reading | Readability:
        answers = [reader(text) for reader in readers]
        understood = [answer for answer in answers if answer is not Readability.UNREADABLE]
        return understood[0] if understood else Readability.UNREADABLE

    return read


def marked(reader: Reader, mark: str) -> Reader:
    """Return the reader of texts behind `{MARK}`, in either case (RFC 2307 §5.3)."""
    return either(behind(reader, prefix=f"{{{mark}}}"), behind(reader, prefix=f"{{{mark.lower()}}}"))


def refusal(*costs: tuple[int, range]) -> Readability | None:
    """Say why one of these numbers is outside its range: above it, too costly; else, unreadable."""
    if any(number < allowed.start for number, allowed in costs):
        return Readability.UNREADABLE
    return Readability.TOO_COSTLY if any(number >= allowed.stop for number, allowed in costs) else None
