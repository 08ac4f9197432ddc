"""Worker processes that are killed at a chosen point of their work, as `kill -9` would.

A worker is a real one on the real database; only its database knows when it has to die.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from tests.processes import PROCESSES

from ostiary import Ostiary, app
from ostiary.features.audit import Origin
from ostiary.features.registration import NewAccount
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import database_at
from ostiary.testing import MovableClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ostiary.foundation.storage import Connections, Database, Parameter, Query, Transaction

R = TypeVar("R")
Moment = Literal["before", "during", "after"]


@dataclass(frozen=True)
class Death:
    """When to die: before the `call`-th call to the database is sent, while it runs, or once it has answered.

    Calls are counted from the moment the worker is ready; so is the end of a transaction.
    """

    call: int
    moment: Moment


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do, in an installation that exists."""

    settings: dict[str, Any]
    now: datetime
    do: Callable[[Ostiary], Awaitable[object]]


# Whether this is the job: what a worker does beside it, in tasks of its own, is not counted.
is_the_job: ContextVar[bool] = ContextVar("is_the_job", default=False)


class MortalDatabase:
    """A database whose process dies at the appointed call."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.dialect = inner.dialect
        self.death: Death | None = None
        self._calls = 0

    async def call(self, inner: Awaitable[R]) -> R:
        """Make one call, or die at it."""
        if self.death is None or not is_the_job.get():
            return await inner
        self._calls += 1
        if self._calls != self.death.call:
            return await inner
        if self.death.moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        running = asyncio.ensure_future(inner)
        if self.death.moment == "during":
            # Long enough to be sent, and not to be answered.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        else:
            await running
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("A killed process went on.")

    async def fetch_one(self, query: Query[R], *parameters: Parameter) -> R | None:
        return await self.call(self.inner.fetch_one(query, *parameters))

    async def fetch_all(self, query: Query[R], *parameters: Parameter) -> list[R]:
        return await self.call(self.inner.fetch_all(query, *parameters))

    async def execute(self, query: Query[Any], *parameters: Parameter) -> int:
        return await self.call(self.inner.execute(query, *parameters))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        block = self.inner.transaction()
        tx = await self.call(block.__aenter__())
        try:
            yield _MortalTransaction(self, tx)
        except BaseException as error:
            if not await self.call(block.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            await self.call(block.__aexit__(None, None, None))

    def connections(self) -> Connections:
        return self.inner.connections()

    async def fingerprint(self):
        return await self.inner.fingerprint()

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()


class _MortalTransaction:
    def __init__(self, database: MortalDatabase, inner: Transaction) -> None:
        self._database = database
        self._inner = inner

    async def fetch_one(self, query: Query[R], *parameters: Parameter) -> R | None:
        return await self._database.call(self._inner.fetch_one(query, *parameters))

    async def fetch_all(self, query: Query[R], *parameters: Parameter) -> list[R]:
        return await self._database.call(self._inner.fetch_all(query, *parameters))

    async def execute(self, query: Query[Any], *parameters: Parameter) -> int:
        return await self._database.call(self._inner.execute(query, *parameters))

    async def load(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Parameter]]) -> None:
        await self._database.call(self._inner.load(table, columns, rows))

    def defer(self, query: Query[Any], *parameters: Parameter, otherwise: Exception | None = None) -> None:
        self._inner.defer(query, *parameters, otherwise=otherwise)

    def on_commit(self, callback: Callable[[], None]) -> None:
        self._inner.on_commit(callback)


async def die_at(death: Death, job: Job) -> bool:
    """Let a worker do the job and die at it; False when it ended its work before it was to die."""
    worker = PROCESSES.Process(target=_work, args=(death, job))
    worker.start()
    await asyncio.to_thread(worker.join)
    code = worker.exitcode
    worker.close()
    if code not in {0, -signal.SIGKILL}:
        raise AssertionError(f"The worker ended with {code}, and was neither killed nor done.")
    return code != 0


async def refresh(refresh_token: str, auth: Ostiary) -> None:
    """Exchange a refresh token."""
    await auth.services.sessions.rotate(Secret(refresh_token), origin=Origin(), now=auth.clock.now())


async def register(email: str, password: str, auth: Ostiary) -> None:
    """Register somebody."""
    account = NewAccount("user", email, None, Secret(password))
    await auth.services.registration.register(account, origin=Origin(), now=auth.clock.now())


async def maintain(task: str, auth: Ostiary) -> None:
    """Run a maintenance task."""
    await auth.services.maintenance.run(task, now=auth.clock.now())


def _work(death: Death, job: Job) -> None:
    app.database_at = lambda *args, **options: MortalDatabase(database_at(*args, **options))
    asyncio.run(_until_death(death, job))


async def _until_death(death: Death, job: Job) -> None:
    async with Ostiary(clock=MovableClock(job.now), run_worker=False, **job.settings) as auth:
        auth.services.database.death = death
        is_the_job.set(True)
        await job.do(auth)
        auth.services.database.death = None
