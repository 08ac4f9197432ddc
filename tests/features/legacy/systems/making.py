"""What every system is made of: people whose truth is known, rows that say it, and rows that spoil it.

Everything follows from a seed and a number: the same arguments give the same bytes, one person at a time, so that a million
people need no more memory than one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ostiary.features.legacy.rows.reasons import Reason

NOW: Final = datetime(2026, 3, 1, 9, tzinfo=UTC)
"""When the systems are looked at: what ends later is live."""
CLEAN: Final = 40
"""How many people show every shape of a system."""
SPOILT_FROM: Final = 900_000_000
"""Where the numbers of spoilt people begin."""

Row = dict[str, Any]
"""Columns and values: texts, numbers, flags, moments, and lists or objects that become JSON."""

NAMES: Final = (
    ("Ada", "Lovelace"),
    ("Zoë", "Ångström"),
    ("José", "Núñez"),
    ("Łukasz", "Żak"),
    ("Grace", "O'Brien"),
    ("李", "雷"),
    ("Sam", "Lee 🙂"),
    ("Straße", "İnan"),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What has to come out for somebody, as one kind of account. Addresses are as they stand over there."""

    entity_type: str
    entity_id: str
    email: str | None = None
    phone: str | None = None
    email_verified: bool = False
    status: str = "active"
    password: str | None = field(default=None, repr=False)
    scheme: str | None = None
    roles: frozenset[str] = frozenset()
    accounts: frozenset[tuple[str, str]] = frozenset()
    """Provider, and the id there."""
    vault: frozenset[tuple[str, str, str | None, str | None]] = frozenset()
    """Provider, the id there, and the access and refresh token that have to be kept."""
    sessions: frozenset[str] = frozenset()
    """The tokens that are good for an exchange."""
    ended_sessions: int = 0
    challenges: frozenset[tuple[str, str]] = frozenset()
    """Purpose and token of the live ones."""
    totps: frozenset[str] = frozenset()
    """Secrets in base32."""
    passkeys: frozenset[bytes] = frozenset()
    """Their ids."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody over there, by the key of their root row, and every identity they have to have here."""

    key: str
    identities: tuple[Identity, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A row that has to be found with a reason. The key is its text, or a JSON array of texts."""

    table: str
    key: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Damage:
    """Something done to a whole system that stops a plan: statements for its database, or documents for its files."""

    reason: Reason
    table: str
    column: str | None = None
    statements: tuple[str, ...] = ()
    documents: tuple[tuple[str, Row], ...] = ()


class Draw:
    """What differs from person to person, drawn from the seed and their number."""

    def __init__(self, seed: int, number: int) -> None:
        self.number = number
        self._start = f"{seed}:{number}:".encode()

    def bytes(self, label: str) -> bytes:
        """Return 32 bytes."""
        return hashlib.sha256(self._start + label.encode()).digest()

    def token(self, label: str) -> str:
        """Return 64 characters that nobody guesses."""
        return self.bytes(label).hex()

    def cuid(self, label: str) -> str:
        """Return an id as Prisma makes them."""
        return f"c{self.bytes(label).hex()[:24]}"

    def uuid(self, label: str) -> str:
        """Return a random UUID."""
        return str(UUID(bytes=self.bytes(label)[:16], version=4))

    def shows(self, every: int, rest: int = 0) -> bool:
        """Say whether this person is one of every so many."""
        return self.number % every == rest

    @property
    def name(self) -> tuple[str, str]:
        """A given and a family name."""
        return NAMES[self.number % len(NAMES)]

    @property
    def email(self) -> str:
        """An address: now and then with a tag or capitals."""
        match self.number % 7:
            case 3:
                return f"person{self.number}+news@example.org"
            case 5:
                return f"Person.{self.number}@Example.ORG"
            case _:
                return f"person{self.number}@example.org"

    @property
    def phone(self) -> str | None:
        """A number of London that is reserved for stories; there are a thousand."""
        return f"+442079460{self.number:03d}" if self.number < 1000 else None

    @property
    def created_at(self) -> datetime:
        """When they came."""
        return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(
            minutes=self.number % 3_000_000, microseconds=123_456
        )

    @property
    def ip_address(self) -> str:
        """Where they came from."""
        return f"192.0.2.{self.number % 255}" if self.number % 2 else f"2001:db8::{self.number % 65_535:x}"


class Writing:
    """Collects the rows of one person, or of what is spoilt, and what has to be found about them."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.found: list[Found] = []
        self.contested: list[tuple[Reason, frozenset[tuple[str, str]]]] = []
        self._numbers = SPOILT_FROM

    def add(self, table: str, **row: Any) -> None:
        """Add a row."""
        self.rows.setdefault(table, []).append(row)

    def find(self, table: str, key: Any, *reasons: Reason) -> None:
        """Say what has to be found about a row; a key of several columns is a tuple."""
        self.found.extend(Found(table, key_text(key), reason) for reason in reasons)

    def contest(self, reason: Reason, table: str, *keys: Any) -> None:
        """Say that rows claim one thing: all but one of them, at least, have to be found."""
        self.contested.append((reason, frozenset((table, key_text(key)) for key in keys)))

    def next_number(self) -> int:
        """Return a number nobody has."""
        self._numbers += 1
        return self._numbers


def key_text(key: Any) -> str:
    """Write a key as the engine does."""
    if isinstance(key, tuple):
        return json.dumps([str(part) for part in key], ensure_ascii=False, separators=(",", ":"))
    return str(key)


@dataclass(frozen=True, slots=True)
class File:
    """A file of an export: JSON with the documents between head and tail, NDJSON, or CSV without a header."""

    name: str
    format: str
    head: str = ""
    tail: str = ""


@dataclass(frozen=True)
class Recipe:
    """How a system is made."""

    profile: str
    person: Callable[[Draw, Writing], Person]
    """Writes the rows of one person, and says what has to become of them."""
    spoil: Callable[[str, int, Writing], None]
    """Writes what is spoilt, for a dialect and a seed."""
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The columns of each table, those that others point at first."""
    ddl: Mapping[str, str] = field(default_factory=dict)
    common: Callable[[Writing], None] | None = None
    """Writes the rows that belong to nobody."""
    files: Mapping[str, File] = field(default_factory=dict)
    counts_milliseconds: bool = False
    """Whether its moments on SQLite are numbers, as Prisma writes them."""
    damages: Mapping[str, tuple[Damage, ...]] = field(default_factory=dict)

    @property
    def dialects(self) -> tuple[str, ...]:
        """Where it runs."""
        return tuple(self.ddl) or ("files",)


def chunks(recipe: Recipe, seed: int, people: int, size: int = 2000) -> Iterator[dict[str, list[Row]]]:
    """Yield the rows of so many people, a portion at a time."""
    writing = Writing()
    for number in range(people):
        recipe.person(Draw(seed, number), writing)
        if number % size == size - 1:
            yield writing.rows
            writing.rows = {}
    yield writing.rows
