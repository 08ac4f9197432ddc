"""Running tasks: by hand, or when they are due; each by one worker at a time."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.maintenance import store
from ostiary.features.maintenance.lease import LEASE, Lease, LeaseLost, Stopped
from ostiary.features.maintenance.model import Finished, Held, Outcome
from ostiary.features.maintenance.schedule import TaskStatus
from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.maintenance.lease import Progress
    from ostiary.features.maintenance.model import Run
    from ostiary.features.maintenance.schedule import Task
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database

_log = logging.getLogger("ostiary.maintenance")
_SHORTEST_PAUSE: Final = timedelta(milliseconds=50)
_LONGEST_PAUSE: Final = timedelta(seconds=30)


class UnknownTask(OstiaryError):
    """No task has this name."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(f"There is no such task. These there are: {', '.join(names)}.")


class Maintenance:
    """The tasks of one installation, as seen by one worker."""

    def __init__(
        self, database: Database, entropy: Entropy, *, tasks: Sequence[Task], holder: str, batch_size: int
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._tasks = {task.name: task for task in tasks}
        self._batch_size = batch_size
        # Until then there is nothing to ask the database about a task.
        self._look_again: dict[str, datetime] = {}
        self._done_at: dict[str, datetime] = {}
        self._kept: set[str] = set()
        self._closing = asyncio.Event()
        self.holder: Final = holder

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tasks, in the order they are run in."""
        return tuple(self._tasks)

    @property
    def last_successes(self) -> Mapping[str, datetime]:
        """When each task was last done, by whomever, as this worker last saw it."""
        return self._done_at

    @property
    def is_leader(self) -> bool:
        """Whether this worker keeps the lease of any task that runs briskly."""
        return bool(self._kept)

    async def run(self, name: str, *, now: datetime, on_progress: Progress | None = None) -> Finished | Held:
        """Run a task now, due or not, unless somebody is running it; `on_progress` is told the rows so far.

        An error ends the run as failed, and is returned and logged. Raises `UnknownTask`.
        """
        task = self._tasks.get(name)
        if task is None:
            raise UnknownTask(self._tasks)
        run_id = await self._take(task, now, only_if_due=False)
        if run_id is None:
            held = await self._database.fetch_one(store.UNFINISHED, name)
            return Held(name, held.holder, held.leased_until) if held else Held(name, None, None)
        return await self._work(task, run_id, now, on_progress)

    async def run_due(self, *, now: datetime) -> list[Finished]:
        """Run, one after the other, the tasks that are due and that nobody is running."""
        finished = []
        for task in self._tasks.values():
            if self._closing.is_set():
                break
            if now < self._look_again.get(task.name, now):
                continue
            run_id = await self._take_if_due(task, now)
            if run_id is not None:
                finished.append(await self._work(task, run_id, now, None, keep=task.schedule.is_brisk))
            self._look_again[task.name] = await self._next_look(task, now)
        return finished

    async def follow_schedule(self, clock: Clock) -> None:
        """Run what is due when it is due, until closed or cancelled; then give up what is held."""
        try:
            while not self._closing.is_set():
                try:
                    await self.run_due(now=clock.now())
                except Unavailable as error:
                    _log.warning("Maintenance could not look for its tasks. %s", error)
                except Exception:  # noqa: BLE001 - whatever it is, the next turn may go better
                    _log.warning("Maintenance could not look for its tasks.", exc_info=True)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause(clock.now()).total_seconds()):
                        await self._closing.wait()
        finally:
            with suppress(OstiaryError):
                await self.resign(now=clock.now())

    def close(self) -> None:
        """Begin no further batch: this worker is about to end."""
        self._closing.set()

    async def resign(self, *, now: datetime) -> None:
        """Give up every lease this worker keeps, so that another can go on at once."""
        self._kept.clear()
        await self._database.execute(store.RESIGN, self.holder, now)

    async def status(self, *, now: datetime) -> list[TaskStatus]:
        """Return each task with the run that is under way, its last run, and when it is due next."""
        found = []
        for task in self._tasks.values():
            unfinished = await self._database.fetch_one(store.UNFINISHED, task.name)
            last = await self._database.fetch_one(store.LAST_FINISHED, task.name)
            running = unfinished if unfinished and unfinished.leased_until > now else None
            latest = _later(unfinished, last)
            is_due = task.is_due(latest, now)
            found.append(TaskStatus(task, running, last, is_due, task.next_due(latest, now)))
        return found

    async def runs(self, *, limit: int) -> list[Run]:
        """Return the newest runs, the latest first."""
        return await self._database.fetch_all(store.LATEST, limit)

    async def last_done(self) -> list[Run]:
        """Return the last run of each task that was done."""
        found = [await self._database.fetch_one(store.LAST_DONE, name) for name in self._tasks]
        return [run for run in found if run is not None]

    async def _take(self, task: Task, now: datetime, *, only_if_due: bool) -> UUID | None:
        """Take the lease of a task, from a worker that is gone if need be; None when somebody holds it."""
        run_id = new_id(now, self._entropy)
        async with self._database.transaction() as tx:
            await tx.execute(store.CLOSE_ABANDONED, task.name, now)
            taken = await tx.fetch_one(store.TAKE, run_id, task.name, self.holder, now, now + LEASE)
            # Asked again under the lease: another worker may have done it since this one looked.
            if taken and only_if_due:
                last = await tx.fetch_one(store.LAST_FINISHED, task.name)
                if not task.is_due(last, now):
                    await tx.execute(store.GIVE_BACK, run_id)
                    return None
        return taken

    async def _take_if_due(self, task: Task, now: datetime) -> UUID | None:
        unfinished = await self._database.fetch_one(store.UNFINISHED, task.name)
        if unfinished is not None and unfinished.leased_until > now:
            if unfinished.holder != self.holder or not task.is_due(unfinished, now):
                return None
            kept = await self._database.fetch_one(store.KEEP, task.name, self.holder, now, now + LEASE)
            return kept.id if kept else None
        last = await self._database.fetch_one(store.LAST_FINISHED, task.name)
        if unfinished is None and not task.is_due(last, now):
            return None
        return await self._take(task, now, only_if_due=True)

    async def _next_look(self, task: Task, now: datetime) -> datetime:
        unfinished = await self._database.fetch_one(store.UNFINISHED, task.name)
        last = await self._database.fetch_one(store.LAST_FINISHED, task.name)
        if last is not None and last.outcome is Outcome.DONE and last.finished_at is not None:
            self._done_at[task.name] = last.finished_at
        self._kept.discard(task.name)
        if unfinished is not None and unfinished.holder == self.holder:
            self._kept.add(task.name)
            self._done_at[task.name] = unfinished.started_at
        elif unfinished is not None:
            return unfinished.leased_until
        return task.next_due(_later(unfinished, last), now)

    async def _work(
        self,
        task: Task,
        run_id: UUID,
        now: datetime,
        on_progress: Progress | None,
        *,
        keep: bool = False,
    ) -> Finished:
        lease = Lease(
            self._database,
            run_id,
            now=now,
            batch_size=self._batch_size,
            on_progress=on_progress,
            closing=self._closing,
        )
        outcome, detail = Outcome.DONE, None
        try:
            await task.work(lease)
        except asyncio.CancelledError:
            await asyncio.shield(self._finish(task, lease, Outcome.INTERRUPTED, str(Stopped())))
            raise
        except Stopped as stopped:
            outcome, detail = Outcome.INTERRUPTED, str(stopped)
        except Exception as error:  # noqa: BLE001 - it is remembered, and the other tasks go on
            outcome = Outcome.FAILED
            explained = isinstance(error, OstiaryError)
            detail = str(error) if explained else type(error).__name__
            _log.warning("The maintenance task %s failed. %s", task.name, detail, exc_info=not explained)
        if keep and outcome is Outcome.DONE:
            return Finished(task.name, lease.removed, outcome, (lease.moment() - now).total_seconds())
        return await self._finish(task, lease, outcome, detail)

    async def _finish(self, task: Task, lease: Lease, outcome: Outcome, detail: str | None) -> Finished:
        """Close a run; if that fails, or it is not this worker's any more, its lease runs out by itself."""
        run = None
        with suppress(OstiaryError):
            run = await self._database.fetch_one(store.FINISH, lease.run_id, lease.moment(), outcome, detail)
        if run is None and outcome is Outcome.DONE:
            outcome, detail = Outcome.INTERRUPTED, str(LeaseLost())
        seconds = (lease.moment() - lease.now).total_seconds()
        return Finished(task.name, lease.removed, outcome, seconds, detail)

    def _pause(self, now: datetime) -> timedelta:
        nearest = min(self._look_again.values(), default=now) - now
        return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, nearest))


def _later(unfinished: Run | None, last: Run | None) -> Run | None:
    if unfinished is None or last is None:
        return unfinished or last
    return max(unfinished, last, key=lambda run: run.started_at)
