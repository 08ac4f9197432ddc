"""The schema commands: deploy, status, check, resolve, downgrade, reset.

Each revision is applied in one transaction that holds the schema lock and reads the stored revision first, so
any number of processes may deploy at once, a killed one leaves nothing half-made, and every command may be
run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.schema.connection import DEPENDED_ON, connect
from ostiary.schema.drift import Difference, differences
from ostiary.schema.errors import SchemaError
from ostiary.schema.history import History
from ostiary.schema.revision import (
    SERVES_FROM,
    VERSION_TABLE,
    Deployed,
    has_serves_from,
    has_version_table,
    stored,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.schema.connection import Connection


# Only what we could make again: a schema an administrator made for us stays.
_DROP_EMPTY_SCHEMA: Final = """
DO $$ BEGIN
  IF has_database_privilege(current_database(), 'CREATE')
     AND (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'ostiary')
     AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'ostiary'::regnamespace)
     AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'ostiary'::regnamespace)
     AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace = 'ostiary'::regnamespace)
  THEN DROP SCHEMA ostiary; END IF;
END $$
"""

_SQLITE_DANGLING: Final = r"""
SELECT 1 FROM sqlite_master AS host JOIN pragma_foreign_key_list(host.name) AS reference
 WHERE host.type = 'table' AND reference."table" LIKE 'ostiary\_%' ESCAPE '\'
   AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = reference."table")
UNION ALL
SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%ostiary\_identities%' ESCAPE '\'
   AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'ostiary_identities')
"""


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database stands."""

    current: str | None
    """The revision it is at; None before the first deployment."""
    head: str | None
    """The revision this release needs."""
    pending: list[str]
    """The revisions `deploy` would apply, oldest first."""


@dataclass(frozen=True, slots=True)
class Step:
    """A statement that is about to run, for progress lines."""

    revision: str
    number: int
    """Counted from 1 within the revision."""
    total: int
    statement: str


async def deploy(url: str, *, on_step: Callable[[Step], None] | None = None) -> list[str]:
    """Apply every pending revision and return those this call applied, oldest first.

    A database of a newer release that serves this one too is left as it is. `on_step` is told of each statement
    before it runs; an exception of it rolls the revision back. Raises `SchemaError`, also for any other database
    that a newer release has deployed.
    """
    history = History()
    applied: list[str] = []
    async with connect(url, create=True) as connection:
        while True:
            async with connection.transaction():
                pending = _pending(history, await stored(connection))
                if not pending:
                    return applied
                statements = [
                    *await _claim(connection),
                    *history.upgrade(pending[0], connection.dialect),
                    *_record(history, pending[0], connection.dialect),
                ]
                for number, statement in enumerate(statements, start=1):
                    if on_step is not None:
                        on_step(Step(pending[0], number, len(statements), statement))
                    await connection.execute(statement)
            applied.append(pending[0])


async def status(url: str) -> Status:
    """Say which revision a database is at and what is pending. Raises `UnknownRevision`."""
    history = History()
    async with connect(url) as connection:
        found = await stored(connection)
    return Status(found.revision, history.head, _pending(history, found))


async def check(url: str) -> list[Difference]:
    """Compare a database with this release; an empty list means they agree.

    PostgreSQL: the role must be allowed to make temporary tables, which every role is by default.
    """
    async with connect(url) as connection:
        return await differences(connection)


async def downgrade(url: str, revision: str | None) -> list[str]:
    """Undo every revision after `revision` (None: all), newest first, and return those undone.

    The data those revisions made room for goes with them. Only our own objects are removed. Raises
    `UnknownRevision`, and `SchemaError` when something of the host's depends on what would go.
    """
    history = History()
    keep = history.position(revision)
    undone: list[str] = []
    # All of it or nothing: what a host depends on may belong to the oldest of them.
    async with connect(url) as connection, connection.transaction():
        done = history.position((await stored(connection)).revision)
        # The table may be one an earlier release made.
        for statement in await _claim(connection) if done > keep else []:
            await connection.execute(statement)
        for place in range(done, keep, -1):
            last = history.revisions[place - 1]
            before = history.revisions[place - 2] if place > 1 else None
            for statement in [
                *history.downgrade(last, connection.dialect),
                *_record(history, before, connection.dialect),
            ]:
                await connection.execute(statement)
            await _refuse_dangling(connection)
            undone.append(last)
    return undone


async def resolve(url: str, revision: str, *, applied: bool) -> None:
    """Record, without running it, that the next revision is applied or that the current one is not.

    For a database whose objects were made or removed by other means; `check` tells whether that is so.
    Raises `UnknownRevision`, and `SchemaError` for any other revision than those two.
    """
    history = History()
    place = history.position(revision)
    async with connect(url) as connection, connection.transaction():
        if place != history.position((await stored(connection)).revision) + applied:
            raise SchemaError(
                "Only the next pending revision can be marked as applied, and only the current one as not"
                " applied: see the status. Nothing was changed."
            )
        before = history.revisions[place - 2] if place > 1 else None
        recorded = _record(history, revision if applied else before, connection.dialect)
        for statement in [*await _claim(connection), *recorded]:
            await connection.execute(statement)


async def reset(url: str, env: str) -> list[str]:
    """Remove all our objects with their data and deploy again; in development only.

    Returns the revisions applied. Raises `SchemaError` in any other environment.
    """
    if env != "development":
        raise SchemaError(
            "A reset removes every identity and session, so it works in development only. Nothing was changed."
        )
    await downgrade(url, None)
    return await deploy(url)


def _pending(history: History, found: Deployed) -> list[str]:
    if found.serves(history.head):
        return []
    return history.revisions[history.position(found.revision) :]


async def _claim(connection: Connection) -> list[str]:
    """Return what makes the place where the revision is stored, as far as it is missing."""
    if await has_version_table(connection):
        if await has_serves_from(connection):
            return []
        return [f"ALTER TABLE {VERSION_TABLE[connection.dialect]} ADD COLUMN {SERVES_FROM} VARCHAR(32)"]
    version_table = (
        f"CREATE TABLE {VERSION_TABLE[connection.dialect]} (version_num VARCHAR(32) NOT NULL,"
        f" {SERVES_FROM} VARCHAR(32), CONSTRAINT ostiary_alembic_version_pkc PRIMARY KEY (version_num))"
    )
    if connection.dialect == "sqlite":
        return [version_table]
    # An administrator may have made the schema for a role that may not: IF NOT EXISTS would still ask.
    exists = await connection.fetch("SELECT 1 FROM pg_namespace WHERE nspname = 'ostiary'")
    return [version_table] if exists else ["CREATE SCHEMA ostiary", version_table]


def _record(history: History, revision: str | None, dialect: str) -> list[str]:
    """Return what stores the revision and whom it serves; without one, what removes the place they were stored in."""
    table = VERSION_TABLE[dialect]
    if revision is not None:
        oldest = history.serves_from(revision)
        values = f"'{revision}', {'NULL' if oldest is None else repr(oldest)}"
        return [
            f"DELETE FROM {table}",
            f"INSERT INTO {table} (version_num, {SERVES_FROM}) VALUES ({values})",
        ]
    return [f"DROP TABLE {table}", *([_DROP_EMPTY_SCHEMA] if dialect == "postgresql" else [])]


async def _refuse_dangling(connection: Connection) -> None:
    """Refuse to leave a host's foreign key or guard trigger pointing at nothing.

    PostgreSQL refuses by itself. Raises `SchemaError`, which rolls back.
    """
    if connection.dialect == "sqlite" and await connection.fetch(_SQLITE_DANGLING):
        raise SchemaError(DEPENDED_ON)
