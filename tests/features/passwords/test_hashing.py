"""Where hashing runs: bounded, off the event loop, and free again when nobody waits."""

import asyncio
import os
import sys
import threading

import pytest

from ostiary.features.passwords import HashingOverloaded
from ostiary.features.passwords.hashing import HashingPool
from ostiary.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def pool():
    pool = HashingPool(threads=1, queue_limit=1)
    yield pool
    pool.close()


@pytest.fixture
async def held(pool):
    """The pool's only thread, busy until the event is set."""
    release, begun = threading.Event(), threading.Event()

    def wait():
        begun.set()
        release.wait()

    holder = asyncio.ensure_future(pool.run(wait))
    await asyncio.to_thread(begun.wait)
    yield release
    release.set()
    await holder


async def test_f19_a_full_queue_refuses_at_once(pool, held):
    """With every place taken, one more caller is told to come back instead of waiting."""
    waiting = asyncio.ensure_future(pool.run(lambda: "done"))
    await asyncio.sleep(0)

    with pytest.raises(HashingOverloaded) as caught:
        await pool.run(lambda: "never")
    assert isinstance(caught.value, Unavailable)
    assert caught.value.retry_after.total_seconds() > 0
    held.set()
    assert await waiting == "done"


async def test_f19_a_caller_who_leaves_frees_the_place(pool, held):
    """Cancelling a waiting caller lets the next one wait in its stead."""
    leaving = asyncio.ensure_future(pool.run(lambda: "never"))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])

    staying = asyncio.ensure_future(pool.run(lambda: "done"))
    await asyncio.sleep(0)
    held.set()
    assert await staying == "done"


async def test_work_runs_off_the_event_loop(pool):
    """No hash is made on the thread that serves requests."""
    assert await pool.run(threading.get_ident) != threading.get_ident()


async def test_a_failure_reaches_the_caller_and_frees_the_place(pool):
    """What the work raises is raised to whoever asked for it, and nothing leaks."""

    def fail():
        raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            await pool.run(fail)

    assert await pool.run(lambda: "done") == "done"


async def test_what_runs_and_waits_is_pending(pool, held):
    """Both count, and neither when it is done."""
    waiting = asyncio.ensure_future(pool.run(lambda: "done"))
    await asyncio.sleep(0)
    busy = pool.pending
    held.set()
    await waiting

    assert busy == 2
    assert pool.pending == 0


async def test_hashing_steps_back_behind_requests(pool):
    """Where threads have priorities of their own, hashing has the lower one; elsewhere nothing is touched."""

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id() if sys.platform == "linux" else 0)

    here, hashing = niceness(), await pool.run(niceness)

    assert hashing > here if sys.platform == "linux" and here < 10 else hashing == here
