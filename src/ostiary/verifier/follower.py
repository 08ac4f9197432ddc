"""Follows an issuer: a thread that keeps the keys and the revocations of a verifier current.

It runs an event loop of its own, so that a new key is fetched while a long poll waits, and stopping interrupts
both. Nothing the issuer answers, or fails to answer, ends it. Loaded when a verifier starts, because it needs an
HTTP client.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final

from ostiary.verifier.access_tokens import AccessTokenVerifier, RevocationsStale
from ostiary.verifier.issuer import ANSWER_WITHIN, IssuerClient, IssuerProblem
from ostiary.verifier.key_set import KeySet
from ostiary.verifier.revocations import RevocationSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ostiary.foundation.clock import Clock
    from ostiary.foundation.secret import Secret

_log = logging.getLogger("ostiary.verifier")

# Anybody can make up key ids, so they cause a fetch this often at most (JWT-10).
_FETCH_KEYS_EVERY: Final = timedelta(seconds=30)
_EXPIRE_EVERY: Final = timedelta(seconds=1)
_SLIVERS: Final = 16
_LONGEST_WAIT: Final = 25
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0
# A feed that never waits is not asked more often than this.
_SHORTEST_TURN: Final = 0.05
_ASK_WITHIN: Final = 2.5
_ASK_AGAIN_AFTER: Final = 1.0
_STOP_WITHIN: Final = 5.0


class Follower:
    """Keeps `tokens` current from `start` to `stop`, each of which is called once."""

    def __init__(
        self, issuer: str, credential: Secret, *, audience: str, max_age: timedelta, clock: Clock
    ) -> None:
        self.tokens: Final = AccessTokenVerifier({}, RevocationSet(max_age), issuer=issuer, audience=audience)
        self.is_ready: Final = Event()
        self.problem: str | None = None
        self._max_age = max_age
        self._clock = clock
        self._keys = KeySet()
        self._fetching = asyncio.Lock()
        self._missed: frozenset[str] = frozenset()
        self._missed_keys = _AtMostEvery(_FETCH_KEYS_EVERY)
        self._unknown_key = asyncio.Event()
        self._unknown_keys = _AtMostEvery(_FETCH_KEYS_EVERY)
        self._cursor: str | None = None
        self._wait, self._patience = 0, ANSWER_WITHIN
        self._expired_at = clock.now()
        self._no_asking_before = 0.0
        self._client = IssuerClient(issuer, credential)
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = Thread(target=self._run, name="ostiary-verifier", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Interrupt what is under way, and wait until the thread has ended."""
        self._on_loop(self._stopping.set)
        self._thread.join(_STOP_WITHIN)

    @property
    def lacks_keys(self) -> bool:
        """Whether the issuer has keys that are not held here yet."""
        return bool(self._keys.missing)

    def fetch_keys(self, now: datetime) -> None:
        """Have the keys fetched again, unless that was asked for a moment ago."""
        if self._unknown_keys.take(now):
            self._on_loop(self._unknown_key.set)

    def is_live(self, token: str) -> bool:
        """Ask the issuer about one token; blocks, for two seconds at most. Raises `RevocationsStale`.

        An issuer that gave no answer is left alone for a second.
        """
        if time.monotonic() < self._no_asking_before:
            raise RevocationsStale
        question = self._client.is_active(token)
        try:
            asking = asyncio.run_coroutine_threadsafe(question, self._loop)
        except RuntimeError:
            # Stopped between the caller's check and this one.
            question.close()
            raise RevocationsStale from None
        try:
            return asking.result(_ASK_WITHIN)
        except (IssuerProblem, TimeoutError, CancelledError) as problem:
            asking.cancel()
            _log.warning(
                "Revocations are not known, and the issuer cannot be asked about a token: %s", problem
            )
            self._no_asking_before = time.monotonic() + _ASK_AGAIN_AFTER
            raise RevocationsStale from None

    def _on_loop(self, callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it all there was to interrupt
            self._loop.call_soon_threadsafe(callback)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        tasks = [asyncio.create_task(work) for work in (self._follow(), self._look_for_keys())]
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def _follow(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._catch_up()
            except Exception as error:  # noqa: BLE001 - whatever it is, asking again is right
                # Not the long poll: what was missed is wanted at once.
                self._wait, self._patience = 0, ANSWER_WITHIN
                await asyncio.sleep(max(pause, self._noted(error)))
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                pause = _FIRST_PAUSE
                if self.problem is not None:
                    _log.info("The issuer answers again: revocations are followed.")
                    self.problem = None

    def _noted(self, error: Exception) -> float:
        """Log a problem once, however often it returns, and say how many seconds its issuer asked for."""
        message = str(error)
        if message != self.problem:
            self.problem = message
            if isinstance(error, IssuerProblem):
                level = logging.ERROR if error.reason is IssuerProblem.Reason.CREDENTIAL else logging.WARNING
                _log.log(level, "%s", message)
            else:
                _log.error("Revocations cannot be followed.", exc_info=error)
        return error.retry_after.total_seconds() if isinstance(error, IssuerProblem) else 0.0

    async def _catch_up(self) -> None:
        """Read the feed once and apply what it says.

        The set is confirmed as of the moment the request left, by our own clock, plus the time the issuer says it
        waited before it read: no two machines' clocks are compared, and it is never later than that read.
        """
        sent, began = self._clock.now(), time.monotonic()
        try:
            answer = await self._client.revocations(
                after=self._cursor, wait=self._wait, patience=self._patience
            )
        except IssuerProblem as problem:
            if problem.reason is IssuerProblem.Reason.REQUEST:
                # A cursor it no longer understands; everything live is read anew.
                self._cursor = None
            raise
        waited = min(answer.waited, time.monotonic() - began)
        self._cursor = answer.cursor
        self._keys.announce(answer.key_ids)
        self.tokens.replace_keys(self._keys.held)
        self.tokens.revocations.apply(answer.revocations)
        max_age = min(self._max_age, answer.max_age)
        try:
            await self._fetch_missing_keys(sent)
        finally:
            # A key that cannot be fetched spoils no token of another key, unless there is none at all.
            if not answer.more and self._keys.was_fetched:
                # What the issuer allows may be stricter than what this verifier was given.
                self._confirm(sent + timedelta(seconds=waited) - (self._max_age - max_age))
        await self._end_turn(more=answer.more, began=began, half_life=max_age.total_seconds() / 2)

    def _confirm(self, as_of: datetime) -> None:
        self.tokens.revocations.confirm(as_of)
        self.is_ready.set()
        now = self._clock.now()
        if abs(now - self._expired_at) >= _EXPIRE_EVERY:
            self._expired_at = now
            for _ in range(_SLIVERS):
                self.tokens.revocations.expire(now)

    async def _end_turn(self, *, more: bool, began: float, half_life: float) -> None:
        """Choose how long the next poll waits: half of what would make us stale, in whole seconds.

        One that stays silent is given up in time for another before that. It does not wait at all for more that is
        there already, nor where the answer was old when it came, as after the machine slept.
        """
        is_behind = more or self.tokens.revocations.is_stale(self._clock.now())
        self._wait = 0 if is_behind else min(int(half_life), _LONGEST_WAIT)
        self._patience = half_life / 2 if self._wait else ANSWER_WITHIN
        if not more:
            turn = _SHORTEST_TURN if is_behind or self._wait else max(_SHORTEST_TURN, half_life / 2)
            await asyncio.sleep(max(0.0, turn - (time.monotonic() - began)))

    async def _fetch_missing_keys(self, now: datetime) -> None:
        """Fetch the keys if the feed names others than are held, but not at every turn what stays missing."""
        missing = self._keys.missing
        if missing and (missing != self._missed or self._missed_keys.take(now)):
            await self._fetch_keys()
            self._missed = self._keys.missing

    async def _look_for_keys(self) -> None:
        """Fetch the keys when a token named one that is not held; the feed may be slower than the token."""
        while True:
            await self._unknown_key.wait()
            self._unknown_key.clear()
            try:
                await self._fetch_keys()
            except Exception as error:  # noqa: BLE001 - the feed will name the key, too
                _log.warning("The keys could not be fetched for a token of an unknown key: %s", error)

    async def _fetch_keys(self) -> None:
        async with self._fetching:
            self._keys.replace(await self._client.keys())
            self.tokens.replace_keys(self._keys.held)


class _AtMostEvery:
    """Lets one through, and the next when `interval` has gone by; safe between threads."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._last: datetime | None = None
        self._lock = Lock()

    def take(self, now: datetime) -> bool:
        with self._lock:
            if self._last is not None and abs(now - self._last) < self._interval:
                return False
            self._last = now
            return True
