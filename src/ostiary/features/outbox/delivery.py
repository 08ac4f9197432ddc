"""Getting messages out: claim what is due, hand it over, and remember that it is done.

A message is handed over outside any transaction, so it may go twice, and never not at all: whoever dies in between
leaves a claim that ends by itself, and the next one sends the same message with the same id. Each topic has a lane of its
own, so that a slow mail server holds up no text message.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from contextlib import suppress
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.outbox import store
from ostiary.features.outbox.model import ATTEMPTS, MESSAGE_PREFIX, Message, Template, Topic, pause_after
from ostiary.features.outbox.sealing import opened
from ostiary.foundation.crypto import CannotOpen
from ostiary.foundation.errors import OstiaryError, Unavailable, Undelivered
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from ostiary.features.outbox.model import Claimed, OutboxFigures, Transport
    from ostiary.features.outbox.rendering import Renderer
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Parameter, Query

    Handle = Callable[[Claimed, datetime], Awaitable[None]]

_log = logging.getLogger("ostiary.outbox")
_LONGEST_SEND: Final = timedelta(seconds=60)
# Longer than the longest way of a message, with the clocks of two workers as far apart as they may be.
_CLAIM: Final = timedelta(minutes=2)
_LOOK_EVERY: Final = timedelta(seconds=1)
_LONGEST_FAREWELL: Final = timedelta(seconds=5)
_LONGEST_REST: Final = 30.0
_ENDPOINT_REST: Final = timedelta(minutes=1)
_OUTCOMES: Final = ("delivered", "put_off", "dead")
_LOOKS_TO_A_COUNT: Final = 15
# How many go out at once, by topic.
_WIDTHS: Final = {Topic.EVENT: 4, Topic.WEBHOOK: 16, Topic.EMAIL: 8, Topic.SMS: 8}


class _Lane:
    """The messages of one topic that are under way, and whether whoever takes them does so at the moment."""

    def __init__(self, topic: Topic) -> None:
        self.topic: Final = topic
        self.has_work = asyncio.Event()
        self.under_way: set[asyncio.Task[str | None]] = set()
        self._failures = 0
        self._rests_until = 0.0

    @property
    def room(self) -> int:
        """How many more may go out now; while nothing is taken, one goes now and then to find out."""
        if monotonic() < self._rests_until:
            return 0
        return (1 if self._failures else _WIDTHS[self.topic]) - len(self.under_way)

    @property
    def rests(self) -> bool:
        """Whether nothing goes out until somebody looks again."""
        return monotonic() < self._rests_until

    def went(self, *, well: bool) -> None:
        """Take in whether there was an outage, and rest for longer each time."""
        self._failures = 0 if well else self._failures + 1
        self._rests_until = 0.0 if well else monotonic() + min(_LONGEST_REST, 2.0 ** min(self._failures, 5))


class Courier:
    """Delivers the messages of one installation; every worker has one, and a row is never with two at once."""

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        key: bytes,
        renderer: Renderer,
        transports: Mapping[Topic, Transport],
        webhooks: Mapping[Topic, Handle],
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._key = key
        self._renderer = renderer
        self._transports = transports
        self._lanes = {topic: _Lane(topic) for topic in Topic}
        self._handlers: Mapping[Topic, Handle] = {
            Topic.EMAIL: self._hand_over,
            Topic.SMS: self._hand_over,
            **webhooks,
        }
        self.figures: OutboxFigures | None = None
        """What waited and what was dead when it was last looked at."""
        self.tally: Final = {topic.value: dict.fromkeys(_OUTCOMES, 0) for topic in Topic}
        """What became of messages here since the start."""
        self._closing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, clock: Clock) -> None:
        """Deliver what is due, now and from now on, until stopped."""
        work = [
            partial(self._look, clock),
            *(partial(self._drive, lane, clock) for lane in self._lanes.values()),
        ]
        self._tasks = [asyncio.create_task(self._for_ever(each)) for each in work]

    def wake(self, topic: Topic) -> None:
        """Say that there is something of this topic, so that nobody has to wait until it is looked for."""
        self._lanes[topic].has_work.set()

    def close(self) -> None:
        """Begin with no further message: this worker is about to end."""
        self._closing.set()
        for lane in self._lanes.values():
            lane.has_work.set()

    async def stop(self) -> None:
        """Let what is under way arrive for a few seconds, give the rest back, and end. May be called twice."""
        self.close()
        under_way = {task for lane in self._lanes.values() for task in lane.under_way}
        if under_way:
            await asyncio.wait(under_way, timeout=_LONGEST_FAREWELL.total_seconds())
        for task in (*self._tasks, *under_way):
            task.cancel()
        await asyncio.gather(*self._tasks, *under_way, return_exceptions=True)
        self._tasks = []
        for transport in self._transports.values():
            with suppress(OstiaryError):
                await transport.close()

    async def deliver_due(self, *, now: datetime) -> list[str]:
        """Deliver what is due at this moment, and what becomes of it; return why messages died, if any did.

        What is not taken waits for its next turn, as in the background.
        """
        reasons: list[str | None] = []
        while topics := await self._database.fetch_all(store.DUE_TOPICS, now):
            for topic in topics:
                claimed = await self._claim(topic, _WIDTHS[topic], now)
                reasons += await asyncio.gather(*(self._deliver(each, now) for each in claimed))
        return [reason for reason in reasons if reason is not None]

    async def _look(self, clock: Clock) -> None:
        """Find what other workers wrote, and what is due again; now and then, count what there is."""
        for look in itertools.count():
            if self._closing.is_set():
                return
            if look % _LOOKS_TO_A_COUNT == 0:
                self.figures = await self._database.fetch_one(store.FIGURES)
            for topic in await self._database.fetch_all(store.DUE_TOPICS, clock.now()):
                self.wake(topic)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY.total_seconds()):
                    await self._closing.wait()

    async def _drive(self, lane: _Lane, clock: Clock) -> None:
        """Keep as many messages of one topic under way as may be, while there are any."""
        while True:
            await lane.has_work.wait()
            if self._closing.is_set():
                return
            lane.has_work.clear()
            while not self._closing.is_set() and not lane.rests:
                room = lane.room
                if room <= 0:
                    await asyncio.wait(lane.under_way, return_when=asyncio.FIRST_COMPLETED)
                    continue
                now = clock.now()
                claimed = await self._claim(lane.topic, room, now)
                for each in claimed:
                    task = asyncio.create_task(self._deliver(each, now, clock))
                    lane.under_way.add(task)
                    task.add_done_callback(lane.under_way.discard)
                if len(claimed) < room:
                    break

    async def _claim(self, topic: Topic, limit: int, now: datetime) -> list[Claimed]:
        return await self._database.fetch_all(store.CLAIM, topic, now, now + _CLAIM, limit)

    async def _deliver(self, claimed: Claimed, now: datetime, clock: Clock | None = None) -> str | None:
        """Hand one message over, and remember what became of it; return why it died, if it did."""
        if claimed.is_expired(now):
            self.tally[claimed.topic]["dead"] += 1
            await self._settle(store.EXPIRED, claimed, now, "It expired before it could be delivered.")
            return None
        try:
            async with asyncio.timeout(_LONGEST_SEND.total_seconds()):
                await self._handlers[claimed.topic](claimed, now)
        except asyncio.CancelledError:
            # It may have arrived, and goes again: the next worker need not wait for the end of the claim.
            await asyncio.shield(self._settle(store.GIVE_BACK, claimed, now))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other messages go on
            return await self._missed(claimed, _explained(error), clock.now() if clock else now)
        self._lanes[claimed.topic].went(well=True)
        self.tally[claimed.topic]["delivered"] += 1
        await self._settle_one(store.DELIVERED, claimed.id, clock.now() if clock else now)
        return None

    async def _hand_over(self, claimed: Claimed, _now: datetime) -> None:
        """Write a message to a person out and give it to its transport."""
        content = opened(self._key, claimed.id, claimed.payload_sealed)
        if claimed.subject not in list(Template):
            raise Undelivered("A newer release wrote it, and this one does not know it.")
        message = Message(
            claimed.topic, Template(claimed.subject), content["to"], content["locale"], content["values"]
        )
        await self._transports[claimed.topic].send(self._renderer.render(message, message_id=_name(claimed)))

    async def _missed(self, claimed: Claimed, error: Undelivered, now: datetime) -> str | None:
        """Put a message off, or give it up; then return why."""
        if error.is_final or claimed.attempts >= ATTEMPTS:
            _log.warning("The message %s (%s) is dead: %s", _name(claimed), claimed.subject, error)
            self.tally[claimed.topic]["dead"] += 1
            await self._settle(store.FAILED, claimed, now, str(error))
            return str(error)
        self.tally[claimed.topic]["put_off"] += 1
        again = now + pause_after(claimed.attempts, self._entropy)
        await self._settle(store.PUT_OFF, claimed, again, str(error))
        if error.is_outage and claimed.endpoint_id is not None:
            until = min(again, now + _ENDPOINT_REST)
            await self._settle_one(store.PUT_OFF_ENDPOINT, claimed.endpoint_id, until)
        elif error.is_outage:
            _log.warning("Nobody takes messages by %s at the moment: %s", claimed.topic, error)
            self._lanes[claimed.topic].went(well=False)
        return None

    async def _settle(self, query: Query[Any], claimed: Claimed, moment: datetime, *more: str) -> None:
        await self._settle_one(query, claimed.id, claimed.claimed_until, moment, *more)

    async def _settle_one(self, query: Query[Any], *parameters: Parameter) -> None:
        """Remember what became of a message; if that fails, its claim ends and it goes again."""
        with suppress(Unavailable):
            await self._database.execute(query, *parameters)

    async def _for_ever(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin again after every failure, until this worker ends; what lasts is said once."""
        said = ""
        while not self._closing.is_set():
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next turn may go better
                text = str(error) if isinstance(error, OstiaryError) else type(error).__name__
                if text != said:
                    _log.warning("Messages are not delivered at the moment. %s", text)
                said = text
                await asyncio.sleep(_LOOK_EVERY.total_seconds())


def _explained(error: Exception) -> Undelivered:
    """Return what a failure means for the message; of one that nobody expected, only its kind is told."""
    if isinstance(error, Undelivered):
        return error
    if isinstance(error, TimeoutError):
        return Undelivered("It was not taken within a minute.", is_outage=True)
    if isinstance(error, CannotOpen):
        return Undelivered(str(error), is_final=True)
    _log.warning("Delivering failed with %s.", type(error).__name__)
    return Undelivered(f"It failed with {type(error).__name__}.")


def _name(claimed: Claimed) -> str:
    return format_id(MESSAGE_PREFIX, claimed.id)
