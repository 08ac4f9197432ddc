"""A database full of people, loaded with COPY: everybody with a profile, every second one with a session and its tokens.

Rows come in the order in which accounts would have been made over two years; addresses are in no order. Ids are a
function of the person's number, so whoever is to be visited need not be looked for. Every refresh token has the secret
`SECRET`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import asyncpg

from ostiary.foundation.crypto import digest

SMALL = 10_000
SECRET = bytes(range(32))
_AT_ONCE = 20_000
_TWO_YEARS = 730 * 86_400_000
_DAY = 86_400_000
_MINUTE = 60_000
_SHARE_OF_ROWS = 0.8
# As long as a real one; nobody signs in with a password here.
_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "B" * 43
_USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_THE_ROLE = "00000000-0000-7000-8000-000000000001"
_BITS = (1 << 64) - 1


def _scattered(number: int, kind: int) -> int:
    """Mix a number so that neighbours have nothing in common (SplitMix64)."""
    number = (number * 8 + kind) * 0x9E3779B97F4A7C15 & _BITS
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _BITS
    number = (number ^ number >> 27) * 0x94D049BB133111EB & _BITS
    return number ^ number >> 31


def _id(milliseconds: int, number: int, kind: int) -> str:
    """Write a UUIDv7 (RFC 9562 §5.7)."""
    scattered = _scattered(number, kind)
    return f"{milliseconds:012x}7{scattered & 0xFFF:03x}8{scattered >> 4:015x}"


def _moment(milliseconds: int) -> str:
    """Write a moment, to the minute."""
    return _minute(milliseconds // _MINUTE)


@lru_cache
def _minute(minutes: int) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(minutes=minutes)).isoformat()


@dataclass(frozen=True)
class Population:
    """So many people as of a moment, in milliseconds since 1970; the numbers of those who hold a session are even."""

    people: int
    now: int

    def made(self, number: int) -> int:
        return self.now - _TWO_YEARS + _TWO_YEARS * number // self.people

    def used(self, number: int) -> int:
        return self.now - _DAY + _DAY * number // self.people

    def email(self, number: int) -> str:
        return f"person.{_scattered(number, 7):016x}@example.org"

    def identity_id(self, number: int) -> str:
        return _id(self.made(number), number, 1)

    def profile_id(self, number: int) -> str:
        return _id(self.made(number), number, 2)

    def session_id(self, number: int) -> str:
        return _id(self.used(number), number, 3)

    def token_id(self, number: int) -> str:
        return _id(self.used(number), number, 4)


Rows = Callable[[Population, range], Iterator[str]]


def _identities(population: Population, numbers: range) -> Iterator[str]:
    for number in numbers:
        email, made = population.email(number), _moment(population.made(number))
        yield (
            f"{population.identity_id(number)}\tuser\t{population.profile_id(number)}\t{email}\t{email}\t{_HASH}\t"
            f"argon2id\t{made}\tactive\t{_moment(population.used(number))}\t{made}\t{made}\n"
        )


def _users(population: Population, numbers: range) -> Iterator[str]:
    for number in numbers:
        made = _moment(population.made(number))
        yield (
            f"{population.profile_id(number)}\t{population.identity_id(number)}\tPerson {number}\t{made}\t{made}\n"
        )


def _sessions(population: Population, numbers: range) -> Iterator[str]:
    for number in _even(numbers):
        used = population.used(number)
        at, idle, expires = _moment(used), _moment(used + 14 * _DAY), _moment(used + 30 * _DAY)
        yield (
            f"{population.session_id(number)}\t{population.identity_id(number)}\t192.0.2.{number % 256}\t{_USER_AGENT}\t"
            f'Firefox on Linux\t["pwd"]\t{at}\t{at}\t{at}\t{at}\t{idle}\t{expires}\n'
        )


def _refresh_tokens(population: Population, numbers: range) -> Iterator[str]:
    """Write two for each session: one that is spent, and its successor."""
    secret = f"\\\\x{digest(SECRET).hex()}"
    for number in _even(numbers):
        used, session_id = population.used(number), population.session_id(number)
        spent, at, expires = _id(used, number, 5), _moment(used), _moment(used + 30 * _DAY)
        yield (
            f"{spent}\t{session_id}\t\\N\t{secret}\t{at}\t{expires}\t{at}\n"
            f"{population.token_id(number)}\t{session_id}\t{spent}\t{secret}\t{at}\t{expires}\t\\N\n"
        )


def _role_grants(population: Population, numbers: range) -> Iterator[str]:
    """Write one for every twentieth person."""
    for number in numbers:
        if number % 20 == 0:
            made = _moment(population.made(number))
            yield f"{population.identity_id(number)}\t{_THE_ROLE}\tsystem\t{made}\n"


def _revocations(population: Population, numbers: range) -> Iterator[str]:
    """Write a live one for every tenth person: far more than sign out within the life of an access token."""
    revoked, expires = _moment(population.now - 60 * _MINUTE), _moment(population.now + _DAY)
    for number in numbers:
        if number % 10 == 0:
            yield (
                f"{number // 10 + 1}\tsession\tses_{_scattered(number, 6):026d}\t{population.identity_id(number)}\t"
                f"{expires}\tlogout\t{revoked}\n"
            )


def _even(numbers: range) -> range:
    return range(numbers.start + numbers.start % 2, numbers.stop, 2)


_TABLES: dict[str, tuple[str, Rows]] = {
    "identities": (
        """id, entity_type, entity_id, email, email_normalized, password_hash, password_scheme, password_changed_at,
           status, last_login_at, created_at, updated_at""",
        _identities,
    ),
    "users": ("id, identity_id, display_name, created_at, updated_at", _users),
    "sessions": (
        """id, identity_id, ip_address, user_agent, device_label, amr, authenticated_at, created_at, updated_at,
           last_used_at, idle_expires_at, expires_at""",
        _sessions,
    ),
    "refresh_tokens": (
        "id, session_id, parent_id, secret_digest, issued_at, expires_at, consumed_at",
        _refresh_tokens,
    ),
    "role_grants": ("identity_id, role_id, granted_by, granted_at", _role_grants),
    "revocations": ("seq, kind, subject, identity_id, expires_at, reason, revoked_at", _revocations),
}
_SECONDARY = """
    SELECT indexname, indexdef FROM pg_indexes
     WHERE schemaname = 'ostiary' AND tablename = ANY($1)
       AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u'))
"""


async def populate(url: str, population: Population, tell: Callable[[float], None]) -> None:
    """Fill a database that has our schema and nobody in it; `tell` hears what share is done.

    The rows are written first and their indexes after, as a restored backup has them.
    """
    connection = await asyncpg.connect(url)
    try:
        # What is checked and triggered row by row is right by the way it is made.
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = await connection.fetch(_SECONDARY, list(_TABLES))
        for index in indexes:
            await connection.execute(f'DROP INDEX ostiary."{index["indexname"]}"')
        await connection.execute("INSERT INTO ostiary.roles (id, name) VALUES ($1, 'editor')", _THE_ROLE)
        await _copy(connection, population, lambda share: tell(share * _SHARE_OF_ROWS))
        for number, index in enumerate(indexes):
            tell(_SHARE_OF_ROWS + (1 - _SHARE_OF_ROWS) * number / len(indexes))
            await connection.execute(index["indexdef"])
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _copy(
    connection: asyncpg.Connection, population: Population, tell: Callable[[float], None]
) -> None:
    # Tables that are emptied and filled in one transaction need no log, and their rows are born frozen.
    async with connection.transaction():
        await connection.execute(f"TRUNCATE {', '.join(f'ostiary.{table}' for table in _TABLES)} CASCADE")
        for position, (table, (columns, rows)) in enumerate(_TABLES.items()):

            async def text(position: int = position, rows: Rows = rows) -> AsyncIterator[bytes]:
                for first in range(0, population.people, _AT_ONCE):
                    tell((position + first / population.people) / len(_TABLES))
                    numbers = range(first, min(first + _AT_ONCE, population.people))
                    yield "".join(rows(population, numbers)).encode()

            await connection.copy_to_table(
                table,
                schema_name="ostiary",
                columns=[column.strip() for column in columns.split(",")],
                source=text(),
                freeze=True,
            )
