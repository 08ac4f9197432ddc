"""A system that was moved here, and both sides at hand to be spoilt."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
from tests.features.legacy.systems import NOW, System, build

from ostiary.features.legacy import Decisions, Duplicates, Pace, Plan, load_profile
from ostiary.features.legacy.planning.plan import TableCounts, fingerprint
from ostiary.foundation.foreign import FileTable, Source, source_at
from ostiary.testing import AuthForTests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from ostiary.features.legacy import Canary, Level, Verification
    from ostiary.features.legacy.rows.profile import Profile


@dataclass
class Moved:
    """A migration, its source open, and where each side is."""

    running: AuthForTests
    system: System
    source: Source
    there_url: str
    here_url: str

    async def verify(
        self, level: Level = "digest", *, sample: float | None = None, canaries: Sequence[Canary] = ()
    ) -> Verification:
        return await self.running.auth.services.legacy.verify(
            self.source, level, sample=sample, canaries=canaries, tell=lambda _: None
        )

    async def here(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement here, written for PostgreSQL, past all rules; return what it answers."""
        if self.here_url.startswith("sqlite"):
            statement = statement.replace("ostiary.", "ostiary_")
        return await execute(self.here_url, statement, *values)

    async def there(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement over there."""
        return await execute(self.there_url, statement, *values)


@asynccontextmanager
async def moved(
    running: AuthForTests, name: str, there_url: str, here_url: str, folder: Path, *, size: str = "clean"
) -> AsyncIterator[Moved]:
    """Write a system, and move it here."""
    running.auth.clock.move(NOW - running.auth.clock.now())
    system, profile = build(name, size), load_profile(name)
    if profile.source == "files":
        source = source_at("files:", layout=layout_of(profile, system.write_files(folder)))
    else:
        await system.write(there_url)
        source = source_at(there_url)
    await source.open()
    try:
        legacy = running.auth.services.legacy
        plan = await plan_of(profile, source, Decisions(duplicates=Duplicates.FIRST, hash_schemes={}))
        await legacy.run(plan, source, pace=Pace(batch_size=7), tell=lambda _: None, stop=asyncio.Event())
        yield Moved(running, system, source, there_url, here_url)
    finally:
        await source.close()


async def plan_of(profile: Profile, source: Source, decisions: Decisions) -> Plan:
    """Return a plan without findings."""
    tables = await source.tables()
    async with source.snapshot() as moment:
        totals = {profile.root: TableCounts(await moment.count(profile.root), 0, 0)}
    return msgspec.convert(
        msgspec.to_builtins(
            Plan(
                profile=profile,
                decisions=decisions,
                source="a system",
                fingerprint=fingerprint(profile, tables),
                columns={},
                totals=totals,
                blockers=0,
            )
        ),
        Plan,
    )


def layout_of(profile: Profile, paths: dict[str, Path]) -> list[FileTable]:
    """Return where the tables of an export are."""
    return [
        FileTable(
            name, paths[table.file or name], table.format or "json", table.path, table.key, table.columns
        )
        for name, table in profile.tables.items()
        if (table.file or name) in paths
    ]


async def execute(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement; its parameters are written `$1`."""
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_execute_sqlite, url, statement, values)
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


def _execute_sqlite(url: str, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        return connection.execute(statement.replace("$", "?"), values).fetchall()
