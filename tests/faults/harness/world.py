"""Everything a run is made of: a database, the wire to it, workers, and what the database holds afterwards."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar
from uuid import UUID

from tests.faults.harness.clusters import Cluster
from tests.faults.harness.records import AuditEvent, Records, StoredSession
from tests.faults.harness.wire import Wire
from tests.faults.harness.workers import Worker, environment_of
from tests.ports import reserved_port

from ostiary.features.sessions import external_session_id
from ostiary.foundation.storage import Query, database_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager

T = TypeVar("T")
Dialect = Literal["sqlite", "postgresql"]
PROPAGATION: Final = 2.0
"""Seconds: what a run sets OSTIARY_REVOCATION__MAX_AGE to."""
_MAX_AGE: Final = {"REVOCATION__MAX_AGE": "2s"}


@dataclass(frozen=True)
class EventRow:
    """What is read of an audit event."""

    action: str
    target_id: str | None
    session_id: UUID | None


@dataclass(frozen=True)
class SessionRow:
    """What is read of a session."""

    id: UUID
    ended: bool
    unspent: int
    forks: int


EVENTS: Final = Query("SELECT action, target_id, session_id FROM ostiary.audit_events", into=EventRow)
SESSIONS: Final = Query(
    """
    SELECT session.id, session.ended_at IS NOT NULL AS ended,
           (SELECT count(*) FROM ostiary.refresh_tokens AS token
             WHERE token.session_id = session.id AND token.consumed_at IS NULL) AS unspent,
           (SELECT count(*) FROM ostiary.refresh_tokens AS token JOIN ostiary.refresh_tokens AS sibling
                ON sibling.parent_id = token.parent_id AND sibling.id <> token.id
             WHERE token.session_id = session.id) AS forks
      FROM ostiary.sessions AS session
    """,
    into=SessionRow,
)


class World:
    """One installation. `cluster` is the primary; a fault that fails over puts another in its place."""

    def __init__(self, folder: Path, cluster: Cluster | None, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.cluster = cluster
        self.clusters = [cluster] if cluster else []
        self.wires: list[Wire] = []
        """To PostgreSQL: one of each worker's own, and one of the operator's; none to SQLite."""
        self.environment: dict[str, str] = {}
        """The operator's."""
        self.workers: list[Worker] = []
        self._stack = stack

    @property
    def primary(self) -> Cluster:
        """The cluster that takes writes. Raises `LookupError` on SQLite, which has none."""
        if self.cluster is None:
            raise LookupError("There is no cluster where the database is a file.")
        return self.cluster

    @property
    def database_url(self) -> str:
        """The database, by the shortest way."""
        return self.cluster.url if self.cluster else f"sqlite:///{self.folder}/ostiary.db"

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call something when the world ends."""
        self._stack.callback(callback)

    def stay(self, lasting: AbstractContextManager[T]) -> T:
        """Enter something that lasts until the world ends."""
        return self._stack.enter_context(lasting)

    async def standby(self) -> tuple[Cluster, Wire]:
        """Add a running standby of the primary, and return it with the wire it follows the primary by."""
        wire = await self._stack.enter_async_context(Wire(self.primary.folder).laid())
        standby = await self.primary.copy(way=wire.folder)
        self.clusters.append(standby)
        await standby.start()
        return standby, wire

    async def backup(self) -> Cluster | Path:
        """Copy the database as it is now."""
        if self.cluster is not None:
            backup = await self.cluster.copy(follows=False)
            self.clusters.append(backup)
            return backup
        return await asyncio.to_thread(_back_up, self.folder)

    async def restore(self, taken: Cluster | Path) -> None:
        """Put the database back to where a backup was taken; no worker may run."""
        if isinstance(taken, Cluster):
            await self.primary.stop()
            await taken.start()  # noqa: ASYNC240 - a cluster, not a path
            self.lead_to(taken)
        else:
            await asyncio.to_thread(_put_back, self.folder, taken)

    def lead_to(self, cluster: Cluster) -> None:
        """Lead every wire to another cluster, which is the primary from now on."""
        self.cluster = cluster
        for wire in self.wires:
            wire.server = cluster.folder
            wire.break_connections()

    def cut(self) -> None:
        """Cut every wire."""
        for wire in self.wires:
            wire.cut()

    def mend(self) -> None:
        """Mend every wire."""
        for wire in self.wires:
            wire.mend()

    async def start_workers(self, count: int, settings: dict[str, str]) -> None:
        """Start so many workers, the first alone: it makes the schema and the keys."""
        environments = [
            environment_of(self.folder, await self._way_to_database(), **_MAX_AGE | settings)
            for _ in range(count + 1)
        ]
        self.environment = environments.pop()
        self.workers = [
            Worker(index, self.stay(reserved_port()), self.folder, environments[index])
            for index in range(count)
        ]
        await self.workers[0].started()
        await asyncio.gather(*(worker.started() for worker in self.workers[1:]))

    async def _way_to_database(self) -> str:
        if self.cluster is None:
            return self.database_url
        wire = await self._stack.enter_async_context(Wire(self.cluster.folder).laid())
        self.wires.append(wire)
        return f"postgresql://postgres@/postgres?host={wire.folder}"

    async def all_ready(self) -> None:
        """Wait until every worker is ready, starting those that are not running."""
        await asyncio.gather(*(worker.ready() for worker in self.workers))

    async def records(self) -> Records:
        """Read what the database holds."""
        database = database_at(self.database_url)
        await database.open()
        try:
            events = await database.fetch_all(EVENTS)
            sessions = await database.fetch_all(SESSIONS)
        finally:
            await database.close()
        return Records(
            events=[
                AuditEvent(e.action, e.target_id, external_session_id(e.session_id) if e.session_id else None)
                for e in events
            ],
            sessions=[StoredSession(external_session_id(row.id), row.ended, row.unspent) for row in sessions],
            forked=[external_session_id(row.id) for row in sessions if row.forks],
        )


@asynccontextmanager
async def world_on(dialect: Dialect) -> AsyncIterator[World]:
    """Make a world without workers yet; everything in it is ended, by pid, and deleted when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="ostiary-world-"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        cluster = await Cluster.made() if dialect == "postgresql" else None
        world = World(folder, cluster, stack)
        try:
            if cluster is not None:
                await cluster.start()
            yield world
        finally:
            await asyncio.gather(*(worker.kill() for worker in world.workers))
            for each in world.clusters:
                await each.remove()


def _back_up(folder: Path) -> Path:
    path = folder / "backup.db"
    with closing(sqlite3.connect(folder / "ostiary.db")) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    return path


def _put_back(folder: Path, backup: Path) -> None:
    for leftover in folder.glob("ostiary.db*"):
        leftover.unlink()
    backup.rename(folder / "ostiary.db")
