"""What spoils a person wherever people have an address, a password, a name and a date."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from tests.features.legacy.systems import hashes

from ostiary.features.legacy.rows.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.legacy.systems.making import Writing

    Add = Callable[..., tuple[str, Any]]

MEGABYTE: Final = 1 << 20
_NFC: Final = "jos\u00e9.twin@example.org"
_NFD: Final = "jose\u0301.twin@example.org"


def spoil_addresses(writing: Writing, add: Add, *, has_phones: bool, empty: str | None) -> None:
    """Add people whose addresses are none, missing, or somebody else's. `empty` is how a missing one is written."""
    for wrong in ("no address at all", "two@signs@example.org", f"{'l' * 300}@example.org"):
        writing.find(*add(email=wrong), Reason.EMAIL_INVALID, Reason.NO_IDENTIFIER)
    writing.find(*add(email=empty), Reason.NO_IDENTIFIER, Reason.EMAIL_NULL)
    _twins(writing, add, "email", "Case.Twin@example.org", "case.twin@example.org")
    _twins(writing, add, "email", _NFC, _NFD)
    # Equal under case folding, and yet two people's.
    add(email="straße@example.org")
    add(email="strasse@example.org")
    add(email="\u0130lker@example.org")
    if has_phones:
        writing.find(*add(phone="call me"), Reason.PHONE_INVALID)
        writing.find(*add(phone="07700 900 12"), Reason.PHONE_INVALID)
        _twins(writing, add, "phone", "+442079460999", "+44 (20) 7946-0999")


def spoil_passwords(writing: Writing, add: Add, *, is_ambiguous: bool = True) -> None:
    """Add people whose hashes cannot be used."""
    writing.find(*add(password=hashes.UNREADABLE), Reason.HASH_UNREADABLE)
    writing.find(*add(password=hashes.TOO_COSTLY), Reason.HASH_TOO_COSTLY)
    writing.find(*add(password=None), Reason.PASSWORD_NONE)
    reason = Reason.HASH_AMBIGUOUS if is_ambiguous else Reason.HASH_WEAK
    writing.find(*add(password=hashes.AMBIGUOUS), reason)


def spoil_names(writing: Writing, add: Add, dialect: str, *, longest: int = MEGABYTE) -> None:
    """Add people with names that nothing can hold."""
    writing.find(*add(name="M" * longest), Reason.ROW_TOO_LARGE)
    if dialect != "postgresql":
        writing.find(*add(name="nul\0nul"), Reason.VALUE_UNSTORABLE)
    add(name="\U0001d504\U0001d521\U0001d51e 🏳️‍🌈")


def spoil_times(writing: Writing, add: Add, dialect: str) -> None:
    """Add people who came when nobody could, and at the ends of the calendar."""
    never = {"postgresql": "infinity", "sqlite": "0000-00-00 00:00:00"}.get(dialect, "the day before")
    writing.find(*add(created_at=never), Reason.TIME_INVALID)
    if dialect != "files":
        writing.find(*add(created_at="0001-01-01 00:00:00"), Reason.TIME_INVALID)
        add(created_at="0001-01-01 00:00:01")
        add(created_at="9999-12-31 23:59:59")


def unique(label: str, number: int) -> str:
    """Return an address that nobody else has."""
    return f"{label}-{hashlib.sha256(f'{label}:{number}'.encode()).hexdigest()[:8]}@example.org"


def _twins(writing: Writing, add: Add, name: str, first: str, second: str) -> None:
    table, key = add(**{name: first})
    writing.contest(Reason.IDENT_DUP, table, key, add(**{name: second})[1])
