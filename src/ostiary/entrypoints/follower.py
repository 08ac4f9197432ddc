"""What every worker does beside answering: it tells others what it committed, hears what they did, and makes sure.

Messages arrive within milliseconds but may be lost; the database is asked every second and tells everything. While no
messages arrive, it is asked more often. When it cannot be asked either, the verifier fails closed by itself.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.foundation.channel import LONGEST_MESSAGE
from ostiary.foundation.clock import SystemClock
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage import DATABASE_TIME
from ostiary.verifier import Revocation, RevocationKind

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from ostiary.features.data_keys import DataKeys
    from ostiary.features.sessions import Revocations
    from ostiary.features.signing_keys import SigningKeys
    from ostiary.foundation.channel import Channel
    from ostiary.foundation.clock import Clock, ClockCheck
    from ostiary.foundation.storage import Database
    from ostiary.verifier import AccessTokenVerifier

_log = logging.getLogger("ostiary")
_READ_KEYS_EVERY: Final = timedelta(seconds=10)
_TRY_AGAIN_AFTER: Final = timedelta(seconds=1)
_SILENCE: Final = timedelta(seconds=5)
_ASK_TO_END_EVERY: Final = timedelta(milliseconds=500)
_LONGEST_ENTRY: Final = 300
_AT_ONCE: Final = LONGEST_MESSAGE // _LONGEST_ENTRY


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one worker tells the others: revocations it committed, or that the signing keys changed."""

    revocations: tuple[Revocation, ...] = ()
    keys: bool = False


class Follower:
    """Keeps one worker's knowledge of revocations and signing keys up to date."""

    def __init__(
        self,
        database: Database,
        channel: Channel,
        *,
        revocations: Revocations,
        signing_keys: SigningKeys,
        data_keys: DataKeys,
        verifier: AccessTokenVerifier,
        clock: Clock,
        clock_check: ClockCheck,
        catch_up_interval: timedelta,
        poll_interval: timedelta,
    ) -> None:
        self._database = database
        self._channel = channel
        self._revocations = revocations
        self._signing_keys = signing_keys
        self._data_keys = data_keys
        self._verifier = verifier
        self._clock = clock
        self._clock_check = clock_check
        self._catch_up_interval = catch_up_interval
        self._poll_interval = poll_interval
        self._tasks: list[asyncio.Task[None]] = []
        self._to_tell: list[Revocation] = []
        self._keys_changed = False
        self._something_to_tell = asyncio.Event()
        self._look_now = asyncio.Event()
        self._keys_read_at: datetime | None = None
        self._one_at_a_time = asyncio.Lock()
        self.hears = False
        """Whether messages of other workers arrive."""

    async def start(self) -> None:
        """Learn all there is to know, then keep up. Raises `Unavailable`."""
        await self.catch_up()
        self._revocations.on_commit = self._committed
        work: tuple[Callable[[], Coroutine[None, None, None]], ...] = (self._listen, self._tell, self._look)
        self._tasks = [asyncio.create_task(_for_ever(each)) for each in work]

    async def stop(self) -> None:
        """Tell what is still to be told, then end."""
        self._revocations.on_commit = None
        with suppress(Unavailable):
            await self._tell_all()
        tasks = {*self._tasks}
        while tasks:
            for task in tasks:
                task.cancel()
            # More than once: the driver of a channel that has just failed may report that instead of the cancellation.
            _, tasks = await asyncio.wait(tasks, timeout=_ASK_TO_END_EVERY.total_seconds())
        await self._channel.close()

    async def keys_changed(self) -> None:
        """Read the signing keys again, and let every other worker do so."""
        await self._read_keys()
        self._keys_changed = True
        self._something_to_tell.set()

    def _committed(self, entry: Revocation) -> None:
        self._to_tell.append(entry)
        self._something_to_tell.set()

    async def _listen(self) -> None:
        """Hear what others committed, for as long as the channel lasts."""
        try:
            await self._channel.open()
            self.hears = True
            # What was said before nobody here heard.
            self._look_now.set()
            while True:
                messages = await self._channel.receive(_SILENCE)
                if messages is not None:
                    await self._hear(messages)
        finally:
            self.hears = False

    async def _hear(self, messages: Sequence[str]) -> None:
        if not messages:
            # Somebody committed something: it may have been keys.
            self._keys_read_at = None
            self._look_now.set()
        for message in messages:
            try:
                heard = msgspec.json.decode(message, type=Announcement)
            except (msgspec.DecodeError, ValueError):
                # Somebody else's, or a newer release's: the database says what it was about.
                self._look_now.set()
                continue
            self._revocations.heard(heard.revocations)
            if heard.keys or any(entry.kind is RevocationKind.ALL for entry in heard.revocations):
                # A compromised key must not be believed for one moment longer.
                await self._read_keys()

    async def _tell(self) -> None:
        """Say what was committed here, many at a time when there are many."""
        while True:
            await self._something_to_tell.wait()
            if not self.hears:
                # The others ask the database meanwhile.
                self._to_tell.clear()
            await self._tell_all()

    async def _tell_all(self) -> None:
        self._something_to_tell.clear()
        while self._to_tell or self._keys_changed:
            entries, self._to_tell = self._to_tell[:_AT_ONCE], self._to_tell[_AT_ONCE:]
            keys, self._keys_changed = self._keys_changed, False
            await self._channel.send(msgspec.json.encode(Announcement(tuple(entries), keys)).decode())

    async def _look(self) -> None:
        """Ask the database, often when nobody says anything, and at once when somebody says to."""
        while True:
            await self.catch_up()
            interval = self._catch_up_interval if self.hears else self._poll_interval
            with suppress(TimeoutError):
                async with asyncio.timeout(interval.total_seconds()):
                    await self._look_now.wait()
            self._look_now.clear()

    async def catch_up(self) -> None:
        """Learn what was committed up to this moment. Raises `Unavailable`."""
        # A reading that was under way when the process was frozen knows less than one that begins afterwards.
        async with self._one_at_a_time:
            await self._catch_up()

    async def _catch_up(self) -> None:
        now = self._clock.now()
        await self._revocations.catch_up(now=now)
        self._revocations.live.expire(now)
        if self._keys_read_at is None or abs(now - self._keys_read_at) >= _READ_KEYS_EVERY:
            await self._read_keys()
            await self._data_keys.refresh(now=now)
            await self._compare_clocks()
            self._keys_read_at = now

    async def _read_keys(self) -> None:
        await self._signing_keys.refresh()
        self._verifier.replace_keys(self._signing_keys.public)

    async def _compare_clocks(self) -> None:
        # A test's clock is where the test put it.
        if not isinstance(self._clock, SystemClock):
            return
        asked = self._clock.now()
        answer = await self._database.fetch_one(DATABASE_TIME)
        if answer is not None:
            self._clock_check.compare(asked=asked, answer=answer, heard=self._clock.now())


async def _for_ever(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Begin again after every failure: whatever it was, going on is right, and the set goes stale meanwhile."""
    said: str | None = None
    while True:
        began = monotonic()
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - see above
            if monotonic() - began > _TRY_AGAIN_AFTER.total_seconds() or said != str(error):
                _log.warning("What other workers did is not heard at once: %s", error)
            said = str(error)
        await asyncio.sleep(_TRY_AGAIN_AFTER.total_seconds())
