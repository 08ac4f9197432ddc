"""E-mail addresses and phone numbers: normalised before anything else looks at them (REC-08).

E-mail: NFKC, exactly one @, domain IDNA, lower case; plus signs and dots are the owner's business. Phone: E.164.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ostiary.foundation.errors import OstiaryError

# RFC 5321 §4.5.3.1.3 as corrected by erratum 1690: the longest address that can be sent to.
_LONGEST_EMAIL: Final = 254
_LONGEST_PHONE: Final = 32


# Nearly every address there is: a syntax so plain that nothing in it has to be judged. Names that no registry gives out
# are left to the library.
_PLAIN_EMAIL: Final = re.compile(
    r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+(?:com|net|org|edu|gov|de|fr|uk|ch|at|nl|eu|io|co)"
)
_LONGEST_LOCAL_PART: Final = 64
_LONGEST_LABEL: Final = 63


class InvalidAddress(OstiaryError):
    """A text is neither an e-mail address nor a phone number; `field` says which was expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Channel(StrEnum):
    """The two ways to reach somebody."""

    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """An e-mail address as written by its owner, and as compared."""

    text: str
    normalized: str

    @property
    def channel(self) -> Channel:
        """Which way it reaches somebody."""
        return Channel.EMAIL

    @property
    def key(self) -> str:
        """What it is compared, counted and kept as."""
        return self.normalized


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A phone number in E.164."""

    e164: str

    @property
    def channel(self) -> Channel:
        """Which way it reaches somebody."""
        return Channel.PHONE

    @property
    def text(self) -> str:
        """How it is written."""
        return self.e164

    @property
    def key(self) -> str:
        """What it is compared, counted and kept as."""
        return self.e164


Address = EmailAddress | PhoneNumber


def parse_email(text: str) -> EmailAddress:
    """Normalise, then validate. Raises `InvalidAddress`."""
    # Telephone keyboards add the spaces around it.
    normalized = unicodedata.normalize("NFKC", text).strip(" ")
    if len(normalized) > _LONGEST_EMAIL or normalized.count("@") != 1:
        raise InvalidAddress("email", "This is not an e-mail address: name@domain is expected.")
    if _is_plain(normalized):
        return EmailAddress(normalized, normalized)
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 - hardly any address asks for it

    try:
        parsed = validate_email(normalized, check_deliverability=False, globally_deliverable=False)
    except (EmailNotValidError, UnicodeError):
        raise InvalidAddress("email", "This is not an e-mail address: name@domain is expected.") from None
    return EmailAddress(
        text=f"{parsed.local_part}@{parsed.domain}",
        normalized=f"{parsed.local_part}@{parsed.ascii_domain}".lower(),
    )


def _is_plain(text: str) -> bool:
    if _PLAIN_EMAIL.fullmatch(text) is None:
        return False
    local_part, _, domain = text.partition("@")
    return len(local_part) <= _LONGEST_LOCAL_PART and max(map(len, domain.split("."))) <= _LONGEST_LABEL


def parse_phone(text: str, *, region: str | None = None) -> PhoneNumber:
    """Read a phone number with its country code, or, where that is known, of `region` (ISO 3166). Raises `InvalidAddress`."""
    invalid = InvalidAddress(
        "phone", "This is not a phone number: write it with its country code, +41 44 668 18 00."
    )
    normalized = unicodedata.normalize("NFKC", text).strip()
    if len(normalized) > _LONGEST_PHONE or not (normalized.startswith("+") or region):
        raise invalid
    import phonenumbers  # noqa: PLC0415 - half a megabyte of tables, which no command and few servers need at once

    try:
        number = phonenumbers.parse(normalized, region)
    except phonenumbers.NumberParseException:
        raise invalid from None
    if number.extension is not None or not phonenumbers.is_valid_number(number):
        raise invalid
    return PhoneNumber(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def parse_address(channel: Channel, text: str) -> Address:
    """Read an address of one kind. Raises `InvalidAddress`."""
    return parse_email(text) if channel is Channel.EMAIL else parse_phone(text)


def parse_identifier(text: str) -> EmailAddress | PhoneNumber:
    """Read what somebody signs in with: an e-mail address, or a phone number. Raises `InvalidAddress`."""
    if "@" in unicodedata.normalize("NFKC", text):
        return parse_email(text)
    try:
        return parse_phone(text)
    except InvalidAddress:
        raise InvalidAddress(
            "identifier", "This is neither an e-mail address nor a phone number with its country code."
        ) from None
