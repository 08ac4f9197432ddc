"""Messages arrive: at least once, in the end exactly once, and never for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from tests.factories import count

from ostiary.features.outbox import Message, State, Template, Topic
from ostiary.features.outbox.model import ATTEMPTS
from ostiary.foundation.errors import Undelivered
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

CODE = "314159"
NUMBER = "+491701234567"
ERASED = Query("SELECT count(*) FROM ostiary.outbox WHERE payload_sealed IS NULL", into=int)
PAYLOADS = Query("SELECT payload_sealed FROM ostiary.outbox", into=bytes)


class Gate:
    """A transport that does to each message what the test says."""

    def __init__(self):
        self.taken = []
        self.tried = []
        self.error = None
        self.holds = None

    async def send(self, message):
        self.tried.append(message.id)
        if self.holds is not None:
            await self.holds.wait()
        if self.error is not None:
            raise self.error
        self.taken.append(message)

    async def close(self):
        """Hold nothing."""


@pytest.fixture
def gate(auth):
    """What takes text messages in place of the tray."""
    gate = Gate()
    auth.services.courier._transports = {**auth.services.courier._transports, Topic.SMS: gate}
    return gate


async def write(running, number=1, **options):
    """Write text messages."""
    services = running.auth.services
    async with services.database.transaction() as tx:
        for turn in range(number):
            message = Message.sms(Template.SIGN_IN_CODE, NUMBER, values={"code": f"{CODE}{turn}"})
            services.outbox.add(tx, message, now=running.clock.now(), **options)


async def deliver(running):
    return await running.auth.services.courier.deliver_due(now=running.clock.now())


async def only(running, state):
    (entry,) = await running.auth.services.messages.list(state, limit=10)
    return entry


async def test_what_was_delivered_is_erased_in_the_same_statement(running, gate):
    """Afterwards the row says that it went, and nothing of what it said."""
    await write(running)
    assert all(
        CODE.encode() not in sealed for sealed in await running.auth.services.database.fetch_all(PAYLOADS)
    )

    await deliver(running)

    assert [message.values["code"] for message in gate.taken] == [f"{CODE}0"]
    assert await running.auth.services.database.fetch_one(ERASED) == 1
    assert (await only(running, State.DELIVERED)).delivered_at == running.clock.now()


async def test_what_is_rolled_back_is_never_sent(running, gate):
    """A message shares the fate of the change that causes it."""
    with suppress(RuntimeError):
        async with running.auth.services.database.transaction() as tx:
            message = Message.sms(Template.SIGN_IN_CODE, NUMBER, values={"code": CODE})
            running.auth.services.outbox.add(tx, message, now=running.clock.now())
            raise RuntimeError
    await deliver(running)

    assert gate.taken == []
    assert await count(running.auth, "outbox") == 0


async def test_one_key_is_one_message(running, gate):
    """Whoever writes the same twice sends it once."""
    await write(running, dedupe_key="once")
    await write(running, dedupe_key="once")
    await deliver(running)

    assert len(gate.taken) == 1


async def test_what_is_not_taken_waits_longer_each_time_and_then_dies(running, gate):
    """Ten seconds and more, at most an hour, ATTEMPTS times; dead, it says why and keeps what it says."""
    gate.error = Undelivered("The gateway is closed.")
    await write(running)
    waits = []
    for _ in range(ATTEMPTS - 1):
        await deliver(running)
        entry = await only(running, State.PENDING)
        waits.append(entry.available_at - running.clock.now())
        running.move(seconds=waits[-1].total_seconds() - 0.001)
        assert await deliver(running) == []
        running.move(seconds=0.001)
    assert len(gate.tried) == ATTEMPTS - 1

    assert await deliver(running) == ["The gateway is closed."]

    dead = await only(running, State.DEAD)
    assert (dead.last_error, dead.attempts) == ("The gateway is closed.", ATTEMPTS)
    assert await running.auth.services.database.fetch_one(ERASED) == 0
    assert all(timedelta(seconds=5) < wait <= timedelta(hours=1) for wait in waits)
    assert waits[-1] > timedelta(minutes=30) > timedelta(seconds=10) >= waits[0]
    assert timedelta(hours=6) < sum(waits, timedelta()) < timedelta(hours=18)


async def test_what_will_never_be_taken_dies_at_once(running, gate):
    """A refusal for good costs one attempt."""
    gate.error = Undelivered("No such number.", is_final=True)
    await write(running)

    assert await deliver(running) == ["No such number."]
    assert len(gate.tried) == 1


async def test_what_is_too_late_is_given_up_unsent_and_erased(running, gate):
    """A code that no longer works is not sent, and cannot be sent by hand."""
    await write(running, lifetime=timedelta(minutes=5))
    running.move(minutes=5)
    await deliver(running)

    assert gate.tried == []
    assert "expired" in (await only(running, State.DEAD)).last_error
    assert await running.auth.services.database.fetch_one(ERASED) == 1


async def test_a_claim_that_nobody_settles_ends_by_itself(running, gate):
    """What a worker took and died over goes again, with the same id, when its claim has ended, and not before."""
    await write(running)
    (claimed,) = await running.auth.services.courier._claim(Topic.SMS, 10, running.clock.now())
    await deliver(running)
    assert gate.tried == []

    running.move(minutes=2)
    await deliver(running)

    assert [message.id for message in gate.taken] == gate.tried
    assert len(gate.taken) == 1
    assert (await only(running, State.DELIVERED)).id == claimed.id


async def test_f10_sixteen_workers_never_send_one_message_twice_at_once(running, gate):
    """Forty messages, sixteen at it: each goes once."""
    await write(running, 40)
    rounds = await asyncio.gather(*(deliver(running) for _ in range(16)))

    assert sum(map(len, rounds)) == 0
    assert len(gate.taken) == len({message.id for message in gate.taken}) == 40


async def test_a_failure_nobody_expected_is_put_off_and_told_by_its_kind(running, gate, caplog):
    """A transport that breaks breaks nothing else, and its words, which may quote a number, are not repeated."""
    gate.error = RuntimeError(f"cannot send to {NUMBER}")
    await write(running)
    await deliver(running)

    assert (await only(running, State.PENDING)).last_error == "It failed with RuntimeError."
    assert NUMBER not in caplog.text
    assert CODE not in caplog.text


async def test_a_message_of_a_newer_release_waits_for_one_that_knows_it(running, gate):
    """While two releases run side by side, the older one leaves what it does not know."""
    await write(running)
    rename = Query("UPDATE ostiary.outbox SET subject = 'from_the_future'")
    await running.auth.services.database.execute(rename)
    await deliver(running)

    assert gate.tried == []
    assert "newer release" in (await only(running, State.PENDING)).last_error


async def test_a_message_that_cannot_be_opened_dies_and_says_so(running, gate):
    """Another installation's key, or a row that was moved: nothing is sent."""
    await write(running)
    await running.auth.services.database.execute(
        Query("UPDATE ostiary.outbox SET payload_sealed = $1"), b"\x01" * 40
    )

    assert len(await deliver(running)) == 1
    assert gate.tried == []
    assert "could not be opened" in (await only(running, State.DEAD)).last_error


async def test_one_by_one_by_hand(running, gate):
    """A dead message goes again, with all its attempts, when an operator says so."""
    gate.error = Undelivered("No.", is_final=True)
    await write(running)
    await deliver(running)
    gate.error = None

    retried = await running.auth.services.messages.list(State.DEAD, limit=1)
    async with running.auth.services.database.transaction() as tx:
        await running.auth.services.messages.retry(tx, retried[0].id, now=running.clock.now())
    await deliver(running)

    assert len(gate.taken) == 1
    assert (await only(running, State.DELIVERED)).last_error is None
