"""Where hashing runs: threads of its own, off the event loop, behind a queue that is never longer than set.

Argon2, scrypt, bcrypt and PBKDF2 release the interpreter lock, so the threads use real cores; each holds at
most one hash's memory. Where threads have priorities of their own theirs is low, so that people who are signed in do not
wait for those who sign in.
"""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Semaphore, get_native_id
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ostiary.features.passwords.errors import HashingOverloaded

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")
_NICENESS: Final = 10


class HashingPool:
    """Runs up to `threads` pieces of work at once and lets `queue_limit` more wait."""

    def __init__(self, *, threads: int, queue_limit: int) -> None:
        self._executor = ThreadPoolExecutor(
            threads, thread_name_prefix="ostiary-hashing", initializer=_step_back
        )
        self._places = Semaphore(threads + queue_limit)
        self._unfinished: set[Future[Any]] = set()

    @property
    def pending(self) -> int:
        """How many pieces of work run or wait."""
        return len(self._unfinished)

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """Return what `work` returns. Raises `HashingOverloaded` at once when every place is taken.

        Cancelling the caller frees its place, unless the work has begun: then when it ends.
        """
        if not self._places.acquire(blocking=False):
            raise HashingOverloaded
        future = self._executor.submit(work)
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish the work at hand, then end the threads."""
        self._executor.shutdown()


def _step_back() -> None:
    """Lower the priority of this thread, where that is not the whole process's."""
    if sys.platform == "linux":
        # A process that has a lower one already may not raise it.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICENESS)
