"""Going there and back in tests: a system moved here and cut over, and whole databases as texts to be compared."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
from tests.features.legacy.migrating import execute
from tests.features.legacy.moving import FIRST, plan_for
from tests.features.legacy.systems import NOW
from tests.features.legacy.systems.hashes import FIREBASE

from ostiary.features.audit import SYSTEM, Origin
from ostiary.features.legacy import Decisions, Pace, Plan, State, store
from ostiary.features.registration import NewAccount
from ostiary.foundation.foreign import Source, source_at
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import AuthForTests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ostiary.features.legacy import Legacy, WhatGoesBack

NEWER: Final = "another long phrase of theirs"
SOON: Final = timedelta(minutes=5)
PASSWORDS: Final = {
    "weak_hash_for_tests": True,
    "memory_kib": 8,
    "time_cost": 1,
    "imported": {
        "firebase": {
            "signer_key": FIREBASE["signer_key"],
            "salt_separator": FIREBASE["salt_separator"],
            "rounds": FIREBASE["rounds"],
            "mem_cost": FIREBASE["memory_cost"],
        }
    },
}


@dataclass
class Journey:
    """A migration with its source open, step by step."""

    running: AuthForTests
    source: Source
    plan: Plan
    there_url: str

    @property
    def legacy(self) -> Legacy:
        """The migrations of the installation."""
        return self.running.auth.services.legacy

    async def run(self) -> State:
        """Take everybody over."""
        return await self.legacy.run(
            self.plan, self.source, pace=Pace(batch_size=50), tell=_ignore, stop=asyncio.Event()
        )

    async def mark_verified(self) -> None:
        """Say that it was verified just now, and nothing differs."""
        found = await self.legacy.under_way()
        state = found.state if found.state is State.SOAKING else State.VERIFIED
        values = (state, {"mismatches": 0}, self.running.clock.now())
        await self.running.auth.services.database.execute(store.VERIFIED, found.id, found.fence, *values)

    async def cut_over(self) -> None:
        """Cut over what is said to be verified."""
        await self.mark_verified()
        await self.legacy.cut_over(self.source, verified_within=SOON, tell=_ignore, stop=asyncio.Event())
        self.running.move(seconds=1)

    async def contract(self, *, keep: timedelta = timedelta(days=30)) -> None:
        """Erase over there what is said to be verified."""
        await self.mark_verified()
        await self.legacy.contract(
            self.source, least_soak=timedelta(0), verified_within=SOON, keep_archive=keep, tell=_ignore
        )
        self.running.move(seconds=1)

    async def foresee(self) -> WhatGoesBack:
        """Say what going back would do."""
        return await self.legacy.what_goes_back(self.source, tell=_ignore)

    async def roll_back(self, *, to_drafted: bool = False) -> WhatGoesBack:
        """Give everything back."""
        found = await self.legacy.roll_back(self.source, to_drafted=to_drafted, tell=_ignore)
        self.running.move(seconds=1)
        return found

    async def there(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement over there, as the application does."""
        return await execute(self.there_url, statement, *values)

    async def here(self, statement: str, *values: Any, into: type[Any] = str) -> list[Any]:
        """Run a statement here that gives one value a row."""
        return await self.running.auth.services.database.fetch_all(Query(statement, into=into), *values)


class Soaking:
    """A system that was cut over, and its first people."""

    def __init__(self, going, system):
        self.going = going
        self.auth = going.running.auth
        self.services = going.running.auth.services
        self.people = list(system.people())

    @property
    def now(self):
        return self.going.running.clock.now()

    def somebody(self, wanted):
        """Return the identity of somebody, as they are known over there."""
        return next(one for person in self.people for one in person.identities if wanted(one))

    async def id_of(self, identity):
        query = "SELECT id FROM ostiary.identities WHERE entity_type = $1 AND entity_id = $2"
        (found,) = await self.going.here(query, identity.entity_type, identity.entity_id, into=UUID)
        return found

    async def change_password(self, identity, password=NEWER):
        identity_id = await self.id_of(identity)
        async with self.services.database.transaction() as tx:
            locked = await self.services.identities.lock_for_change(tx, identity_id)
            new = await self.services.passwords.renew(Secret(password), locked)
            await self.services.identities.set_password(tx, locked, new, now=self.now)

    async def set_address(self, identity, channel, address, *, verified_at=None):
        identity_id = await self.id_of(identity)
        async with self.services.database.transaction() as tx:
            await self.services.identities.replace_address(
                tx, identity_id, channel, address, verified_at=verified_at, now=self.now
            )

    async def born(self, email, *, phone=None):
        account = NewAccount(
            entity_type="user",
            email=email,
            phone=phone,
            password=Secret(NEWER),
            profile={"display_name": "Newcomer"},
        )
        made = await self.services.registration.create(account, by=SYSTEM, origin=Origin(), now=self.now)
        return made.id

    async def row(self, table, key, *columns):
        names = ", ".join(f'"{column}"' for column in columns)
        cast = "" if self.going.there_url.startswith("sqlite") else "::text"
        (row,) = await self.going.there(f'SELECT {names} FROM "{table}" WHERE id{cast} = $1', key)
        return row if len(columns) > 1 else row[0]


@asynccontextmanager
async def journey(
    running: AuthForTests, name: str, there_url: str, *, decisions: Decisions = FIRST
) -> AsyncIterator[Journey]:
    """Begin with a system that was written, at the moment the systems are made for."""
    running.clock.move(NOW - running.clock.now())
    source = source_at(there_url)
    await source.open()
    try:
        yield Journey(running, source, await plan_for(name, source, decisions), there_url)
    finally:
        await source.close()


async def dump(url: str) -> list[str]:
    """Return all there is in a database as lines: its schema, and every row with the types of its values."""
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_dump_sqlite, url)
    return await _dump_postgresql(url)


def _dump_sqlite(url: str) -> list[str]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        schema = connection.execute(
            "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
        ).fetchall()
        lines = [repr(row) for row in schema]
        for kind, name, _ in schema:
            if kind != "table":
                continue
            columns = [row[1] for row in connection.execute(f'PRAGMA table_xinfo("{name}")')]
            shown = " || ' ' || ".join(f'typeof("{one}") || \'=\' || quote("{one}")' for one in columns)
            lines += sorted(
                f"{name}: {row[0]}" for row in connection.execute(f'SELECT {shown} FROM "{name}"')
            )
        return lines


_SCHEMA: Final = (
    "SELECT 'schema', nspname::text, '' FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'",
    "SELECT 'index', indexname::text, indexdef FROM pg_indexes WHERE schemaname !~ '^(pg_|information)'",
    (
        "SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) || convalidated::text "
        "FROM pg_constraint WHERE conrelid <> 0 AND connamespace::regnamespace::text !~ '^(pg_|information)'"
    ),
    (
        "SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger "
        "WHERE NOT tgisinternal"
    ),
    (
        "SELECT 'function', oid::regprocedure::text, prosrc FROM pg_proc "
        "WHERE pronamespace::regnamespace::text !~ '^(pg_|information)'"
    ),
    (
        "SELECT 'column', table_schema || '.' || table_name || '.' || column_name, "
        "concat_ws(' ', data_type, is_nullable, column_default, character_maximum_length) FROM information_schema.columns "
        "WHERE table_schema !~ '^(pg_|information)'"
    ),
    "SELECT 'sequence', schemaname || '.' || sequencename, last_value::text FROM pg_sequences",
)


async def _dump_postgresql(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        lines = [
            repr(tuple(row))
            for query in _SCHEMA
            for row in await connection.fetch(f"{query} ORDER BY 1, 2, 3")
        ]
        tables = await connection.fetch(
            "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace::regnamespace::text !~ '^(pg_|information)' ORDER BY 1"
        )
        for (name,) in tables:
            rows = await connection.fetch(f"SELECT t::text AS line FROM {name} AS t")
            lines += sorted(f"{name}: {row['line']}" for row in rows)
        return lines
    finally:
        await connection.close()


def _ignore(*_: object) -> None:
    """Nobody looks."""
