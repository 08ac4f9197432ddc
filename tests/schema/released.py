"""Databases of releases, as they were: what is kept of each, and how one is brought back.

`releases/<revision>/` holds a dump for each kind of database, what the people in it held (`holdings.json`) and every
statement that release runs (`statements.json`); `make_release.py` writes them. No secret is among them: passwords and
the root key are made of a sentence that stands here, at run time, and the holdings are sealed under it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from contextlib import asynccontextmanager, closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from ostiary import OnboardingFlow, OnboardingStep, Ostiary
from ostiary.foundation.crypto import seal, unseal
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.storage import Query, database_at
from ostiary.foundation.storage.database import SQLiteStatement
from ostiary.testing import MovableClock, auth_for_tests

if TYPE_CHECKING:
    from datetime import datetime

RELEASES = Path(__file__).parent / "releases"
STORED = sorted(folder.name for folder in RELEASES.iterdir() if folder.is_dir())
KINDS = ("sqlite", "postgresql")

_PUBLIC_PHRASE = (
    "This sentence opens the databases of earlier releases that the tests of Ostiary load, and no others."
)
_ROOT_KEY = hashlib.sha256(_PUBLIC_PHRASE.encode()).digest()


def password_of(name: str) -> str:
    """Return the password somebody in the dumps has."""
    return f"{name} and {hashlib.sha256(f'{_PUBLIC_PHRASE} {name}'.encode()).hexdigest()[:24]}"


@asynccontextmanager
async def installation(url: str, data: Path, moment: datetime):
    """Start this release on a database of the fixtures, at a moment of their time."""
    auth = Ostiary(
        clock=MovableClock(moment),
        run_worker=False,
        database_url=url,
        data=data,
        root_keys=f"1:{base64.b64encode(_ROOT_KEY).decode()}",
        passwords={"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1},
    )
    auth.onboarding_flow(
        OnboardingFlow("welcome", [OnboardingStep("about"), OnboardingStep("extras", skippable=True)])
    )
    async with auth_for_tests(auth) as running:
        yield running


def sealed(holdings: dict, kind: str) -> str:
    """Seal what clients hold: a token in a file would be found by everybody who looks for leaked ones."""
    plain = json.dumps(holdings, sort_keys=True).encode()
    return base64.b64encode(seal(_ROOT_KEY, plain, kind.encode(), entropy=Entropy())).decode()


def holdings_of(revision: str, kind: str) -> dict:
    """Return what the people in a dump held."""
    text = json.loads((RELEASES / revision / "holdings.json").read_text())[kind]
    return json.loads(unseal(_ROOT_KEY, base64.b64decode(text), kind.encode()))


@cache
def statements_of(revision: str) -> dict[str, dict]:
    """Return the statements of a release by name: `postgresql` is a text, `sqlite` texts with their numbers of parameters."""
    return json.loads((RELEASES / revision / "statements.json").read_text())


async def load(revision: str, url: str) -> None:
    """Bring a dump back into an empty database, as the very database it was taken from.

    It is a copy, which revives nothing (F17): so it is told that it is the one it was.
    """
    kind = "sqlite" if url.startswith("sqlite") else "postgresql"
    dump = (RELEASES / revision / f"{kind}.sql").read_text()
    if kind == "sqlite":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(dump)
    else:
        server = await asyncpg.connect(url)
        await server.execute(dump)
        await server.close()
    database = database_at(url)
    await database.open()
    fingerprint = await database.fingerprint()
    await database.execute(Query("UPDATE ostiary.restore_guard SET fingerprint = $1"), fingerprint)
    await database.close()


def earlier_query(revision: str, name: str, into: type | None = None) -> Query:
    """Return a statement of an earlier release, which is stored as it is sent to each database."""
    stored = statements_of(revision)[name]
    query = Query("SELECT 1", into=into, postgresql=stored["postgresql"])
    query.sqlite = tuple(SQLiteStatement(text, arity) for text, arity in stored["sqlite"])
    return query
