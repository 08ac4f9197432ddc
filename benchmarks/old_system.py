"""An old system to move: people of Auth.js, each with an account at a provider and two of its tokens."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = "nextauth"
TABLES = ("User", "Account")
# As large as Google's; an ID token is not kept by everybody.
ACCESS_TOKEN, REFRESH_TOKEN = "a" * 220, "r" * 105
_CREATED = datetime.fromisoformat("2024-01-01T10:00:00")
_SCHEMA = """
CREATE TABLE "User" (
  id text PRIMARY KEY, name text, email text NOT NULL UNIQUE, "emailVerified" timestamp, image text,
  "createdAt" timestamp NOT NULL, "updatedAt" timestamp NOT NULL
);
CREATE TABLE "Account" (
  "userId" text NOT NULL REFERENCES "User" (id), type text NOT NULL, provider text NOT NULL,
  "providerAccountId" text NOT NULL, refresh_token text, access_token text, expires_at integer, token_type text,
  scope text, id_token text, session_state text, PRIMARY KEY (provider, "providerAccountId")
);
CREATE TABLE "Session" (
  "sessionToken" text NOT NULL UNIQUE, "userId" text NOT NULL REFERENCES "User" (id), expires timestamp NOT NULL
);
CREATE INDEX ON "Account" ("userId");
CREATE INDEX ON "Session" ("userId");
"""


async def fill_postgresql(url: str, people: int) -> None:
    """Make the tables, with so many people."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_SCHEMA)
        for table, rows in zip(TABLES, (_users(people), _accounts(people)), strict=True):
            await connection.copy_records_to_table(table, records=rows)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def fill_sqlite(path: Path, people: int) -> None:
    """Make the tables, with so many people."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for number, statement in enumerate(_SCHEMA.split(";")):
            connection.execute(statement.replace("INDEX ON", f"INDEX ix_{number} ON"))
        for table, rows in zip(TABLES, (_users(people), _accounts(people)), strict=True):
            written = ([str(one) if isinstance(one, datetime) else one for one in row] for row in rows)
            places = ", ".join("?" * (7 if table == "User" else 11))
            connection.executemany(f'INSERT INTO "{table}" VALUES ({places})', written)


def key_of(number: int) -> str:
    """Return the id of one of them, in the order of their numbers."""
    return f"c{number:023}"


def _users(people: int) -> Iterator[tuple]:
    for n in range(people):
        image = f"https://images.example.org/{n}/photo.jpg"
        yield key_of(n), f"Person {n}", f"person{n}@example.org", _CREATED, image, _CREATED, _CREATED


def _accounts(people: int) -> Iterator[tuple]:
    for n in range(people):
        tokens = f"{n:09}{REFRESH_TOKEN[9:]}", f"{n:09}{ACCESS_TOKEN[9:]}"
        account = (key_of(n), "oauth", "google", f"{n:021}", *tokens, 1_800_000_000, "Bearer")
        yield (*account, "openid email profile", None, None)
