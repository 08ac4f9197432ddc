"""Moving a system here in tests: targets that cost a file copy each, plans without a rehearsal, and all that came of it."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from ostiary.features.legacy import Decisions, Duplicates, Legacy, Pace, Plan, State, load_profile, store
from ostiary.features.legacy.planning.plan import TableCounts, fingerprint
from ostiary.features.legacy.work import Work
from ostiary.foundation.foreign import source_at
from ostiary.foundation.storage import Query, database_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime
    from pathlib import Path

    from ostiary import Ostiary
    from ostiary.features.legacy import Progress
    from ostiary.foundation.foreign import Source
    from ostiary.foundation.storage import Database

MIGRATION: Final = UUID("01900000-0000-7000-8000-000000000001")
"""The same for two runs that are compared: ids follow from it."""
FIRST: Final = Decisions(duplicates=Duplicates.FIRST, phone_region="GB")
HOLD: Final = Decisions(duplicates=Duplicates.HOLD, phone_region="GB")

# What differs from run to run: seals and secrets (opened or left out below), ids of roles, and when something was found.
_TABLES: Final = {
    "identities": "",
    "users": "",
    "linked_accounts": "access_token refresh_token id_token data_key_id",
    "sessions": "",
    "challenges": "secret_digest",
    "totp_factors": "secret_sealed",
    "passkeys": "",
    "login_history": "",
    "legacy_bearers": "",
    "legacy_identities": "",
    "legacy_roots": "archive version",
    "legacy_findings": "found_at",
}


async def plan_for(
    profile_name: str, source: Source, decisions: Decisions = FIRST, *, frozen: bool = False
) -> Plan:
    """Return a plan of what is there, without a rehearsal."""
    profile, tables = load_profile(profile_name), await source.tables()
    async with source.snapshot() as moment:
        owners = await moment.count(profile.root)
    return Plan(
        profile=profile,
        decisions=decisions,
        source=source.description,
        fingerprint=fingerprint(profile, tables),
        columns={
            name: tuple(column.name for column in table.columns)
            for name, table in tables.items()
            if name in profile.tables
        },
        totals={profile.root: TableCounts(owners, 0, 0)},
        blockers=0,
        frozen=frozen,
    )


async def begin(database: Database, plan: Plan, now: datetime) -> None:
    """Begin the migration every test shares."""
    await database.execute(store.BEGIN, MIGRATION, msgspec.to_builtins(plan), State.EXPANDED, now)


async def move(
    legacy: Legacy,
    plan: Plan,
    source: Source,
    *,
    batch_size: int = 7,
    until: State = State.BACKFILLED,
    tell: Callable[[Progress], None] = lambda _: None,
    stop: asyncio.Event | None = None,
) -> State:
    """Run a migration, or go on with it."""
    return await legacy.run(
        plan, source, pace=Pace(batch_size=batch_size), until=until, tell=tell, stop=stop or asyncio.Event()
    )


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Source]:
    """Open a source."""
    source = source_at(url)
    await source.open()
    try:
        yield source
    finally:
        await source.close()


class Targets:
    """Databases of one installation, each a copy of it as it is now: SQLite files that cost a copy."""

    def __init__(self, auth: Ostiary, folder: Path, file: Path) -> None:
        self._auth = auth
        self._folder = folder
        self.file = file
        self._number = 0

    def copy(self) -> str:
        """Return the address of a new one."""
        self._number += 1
        path = self._folder / f"target-{self._number}.db"
        shutil.copyfile(self.file, path)
        return f"sqlite:///{path}"

    @asynccontextmanager
    async def opened(self, url: str) -> AsyncIterator[Database]:
        """Open one."""
        database = database_at(url, pool_size=3)
        await database.open()
        try:
            yield database
        finally:
            await database.close()

    def legacy(self, database: Database) -> Legacy:
        """Return the migrations of one."""
        return on(self._auth, database)


def on(auth: Ostiary, database: Database) -> Legacy:
    """Return the migrations of a database with the keys of an installation."""
    return Legacy(replace(auth.services.legacy.tools, database=database))


async def contents(auth: Ostiary, database: Database, source: Source) -> dict[str, list[str]]:
    """Return every row that came over, by table, in a form that two runs can be compared by: seals are opened."""
    found = {table: await _rows(database, table, omitted.split()) for table, omitted in _TABLES.items()}
    # What is left of somebody who was there once, and what a run that never saw them has not.
    found["legacy_roots"] = [row for row in found["legacy_roots"] if " digest=NULL " not in row]
    found["role_grants"] = await _all(
        database,
        """
        SELECT g.identity_id, r.name, g.granted_by, g.granted_at FROM ostiary.role_grants AS g
          JOIN ostiary.roles AS r ON r.id = g.role_id
        """,
    )
    ids = await database.fetch_all(Query("SELECT id FROM ostiary.linked_accounts", into=UUID))
    found["vault"] = sorted(
        [f"{each} {_open(await auth.services.vault.tokens(database, each))}" for each in ids]
    )
    work = await Work.on(on(auth, database).tools, await on(auth, database).under_way(), source)
    archives = await database.fetch_all(store.ARCHIVES_AFTER, MIGRATION, "", 100_000)
    found["archives"] = sorted(
        f"{one.root_key!r} {work.opened(one.root_key, one.archive)!r}" for one in archives
    )
    return found


def differences(first: dict[str, list[str]], second: dict[str, list[str]]) -> list[str]:
    """Return what one has and the other has not, as lines for people."""
    return [
        line
        for table in first
        for sign, here, there in (("+", first, second), ("-", second, first))
        for line in [f"{sign} {table} {row}" for row in here[table] if row not in set(there[table])]
    ]


async def conserved(database: Database, source: Source) -> dict[str, tuple[int, int]]:
    """Return tables whose rows are not all accounted for: how many are there, and of how many it is known."""
    counts = await database.fetch_all(Query("SELECT counts FROM ostiary.legacy_roots", into=dict))
    work_tables = {name for one in counts for name in one}
    sums = dict.fromkeys(work_tables, 0)
    for one in counts:
        for name, numbers in one.items():
            sums[name] += sum(numbers)
    async with source.snapshot() as moment:
        there = {name: await moment.count(name) for name in sums}
    return {name: (there[name], sums[name]) for name in sums if there[name] != sums[name]}


def _open(tokens: Any) -> str:
    return " ".join(
        "" if one is None else one.reveal()
        for one in (tokens.access_token, tokens.refresh_token, tokens.id_token)
    )


async def _rows(database: Database, table: str, omitted: list[str]) -> list[str]:
    if database.dialect == "sqlite":
        columns = await _all(database, f"SELECT name FROM pragma_table_info('ostiary_{table}')", into=str)
    else:
        columns = await _all(
            database,
            "SELECT column_name::text FROM information_schema.columns "
            f"WHERE table_schema = 'ostiary' AND table_name = '{table}'",
            into=str,
        )
    wanted = sorted(set(columns) - set(omitted))
    return await _all(database, f"SELECT {', '.join(wanted)} FROM ostiary.{table}")


async def _all(database: Database, text: str, into: Any = None) -> list[Any]:
    if into is not None:
        return await database.fetch_all(Query(text, into=into))
    # One text for a row, made by the database.
    columns, _, rest = text.strip().removeprefix("SELECT ").partition(" FROM ")
    names = [name.strip() for name in columns.split(",")]
    sqlite = " || ' ' || ".join(f"'{name}=' || quote({name})" for name in names)
    postgresql = " || ' ' || ".join(f"'{name}=' || coalesce({name}::text, 'NULL')" for name in names)
    query = Query(
        postgresql=f"SELECT {postgresql} FROM {rest}", sqlite=f"SELECT {sqlite} FROM {rest}", into=str
    )
    return sorted(await database.fetch_all(query))
