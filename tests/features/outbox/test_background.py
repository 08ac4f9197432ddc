"""The worker beside requests: prompt, one lane for each topic, and gone when it is told to go."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from tests.factories import count
from tests.features.outbox.test_delivery import Gate
from tests.smtp_server import Postbox

from ostiary import Ostiary
from ostiary.features.outbox import Message, State, Template, Topic
from ostiary.foundation.errors import Undelivered
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

LONG = 20.0


@asynccontextmanager
async def started(url, folder, *, run_worker=True, transports=None, **settings):
    """Run an installation on the machine's own clock, as servers do."""
    weak = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
    settings = {
        "database_url": url,
        "data": folder,
        "passwords": weak,
        "maintenance": {"scheduled": False},
    } | settings
    auth = Ostiary(run_worker=run_worker, **settings)
    auth.transports.update(transports or {})
    async with auth:
        yield auth


async def write(auth, topic=Topic.SMS, number=1):
    """Write messages."""
    async with auth.services.database.transaction() as tx:
        for turn in range(number):
            values = {"code": f"{turn:06}"}
            message = (
                Message.sms(Template.SIGN_IN_CODE, "+491701234567", values=values)
                if topic is Topic.SMS
                else Message.email(Template.SIGN_IN_CODE, f"person{turn}@example.org", values=values)
            )
            auth.services.outbox.add(tx, message, now=auth.clock.now())


async def until(condition):
    """Wait until something is so, for as long as a busy machine needs."""
    async with asyncio.timeout(LONG):
        while not await condition():  # noqa: ASYNC110 - a row that changes tells nobody
            await asyncio.sleep(0.005)


def settled(auth, number=1):
    async def are_delivered():
        return await count(auth, "outbox", "delivered_at IS NOT NULL") >= number

    return are_delivered


async def test_a_message_goes_out_when_it_is_committed(migrated_url, tmp_path, monkeypatch):
    """Nobody waits until somebody looks: whoever wrote it is woken."""
    monkeypatch.setattr("ostiary.features.outbox.delivery._LOOK_EVERY", timedelta(hours=1))
    gate = Gate()
    async with started(migrated_url, tmp_path, transports={Topic.SMS: gate}) as auth:
        await write(auth)
        await until(settled(auth))

        assert len(gate.taken) == 1


async def test_what_another_process_wrote_is_found(migrated_url, tmp_path, monkeypatch):
    """A worker looks now and then; one that runs no background work delivers nothing."""
    monkeypatch.setattr("ostiary.features.outbox.delivery._LOOK_EVERY", timedelta(milliseconds=20))
    idle, gate = Gate(), Gate()
    async with (
        started(migrated_url, tmp_path, run_worker=False, transports={Topic.SMS: idle}) as writer,
        started(migrated_url, tmp_path, transports={Topic.SMS: gate}),
    ):
        await write(writer)
        await until(settled(writer))

    assert len(gate.taken) == 1
    assert idle.tried == []


async def test_f18_a_slow_mail_server_holds_up_no_text_message(migrated_url, tmp_path):
    """Thirty mails that hang, and a code by SMS that goes at once."""
    slow, quick = Gate(), Gate()
    slow.holds = asyncio.Event()
    transports = {Topic.EMAIL: slow, Topic.SMS: quick}
    async with started(migrated_url, tmp_path, transports=transports) as auth:
        await write(auth, Topic.EMAIL, 30)
        await until(lambda: _true(len(slow.tried) > 0))
        await write(auth)
        await until(settled(auth))

        assert len(quick.taken) == 1
        assert 0 < len(slow.tried) <= 8
        slow.holds.set()
        await until(settled(auth, 31))
    assert len(slow.taken) == len({message.id for message in slow.taken}) == 30


async def _true(condition):
    return condition


async def test_f18_a_mail_server_that_is_down_gets_each_mail_once_when_it_is_back(
    migrated_url, tmp_path, monkeypatch
):
    """While it is down one mail knocks now and then; when it is back all go, and nothing else was held up."""
    monkeypatch.setattr("ostiary.features.outbox.delivery._LOOK_EVERY", timedelta(milliseconds=10))
    monkeypatch.setattr("ostiary.features.outbox.delivery._LONGEST_REST", 0.05)
    monkeypatch.setattr("ostiary.features.outbox.model._FIRST_PAUSE", timedelta(milliseconds=20))
    monkeypatch.setattr("ostiary.features.outbox.model._LONGEST_PAUSE", timedelta(milliseconds=50))
    gate = Gate()
    postbox = Postbox()
    async with postbox.open():
        mail = {"url": postbox.url, "from": "Acme <no-reply@example.org>"}
        async with started(migrated_url, tmp_path, transports={Topic.SMS: gate}, mail=mail) as auth:
            postbox.down = True
            await write(auth, Topic.EMAIL, 20)
            await write(auth)
            await until(settled(auth))
            assert postbox.mails == []
            postbox.down = False
            await until(settled(auth, 21))

    assert sorted(recipients[0] for _, recipients in postbox.envelopes) == sorted(
        f"person{turn}@example.org" for turn in range(20)
    )


async def test_f18_while_nobody_takes_mail_one_knocks_and_the_rest_wait(running):
    """An outage costs few messages an attempt."""
    gate = Gate()
    gate.error = Undelivered("Nobody there.", is_outage=True)
    courier = running.auth.services.courier
    courier._transports = {**courier._transports, Topic.SMS: gate}
    await write(running.auth, number=50)
    courier.start(running.clock)
    await until(lambda: _true(courier._lanes[Topic.SMS].rests))
    await courier.stop()

    assert 0 < len(gate.tried) <= 8
    waiting = await running.auth.services.messages.list(State.PENDING, limit=100)
    assert sum(entry.attempts for entry in waiting) == len(gate.tried)


async def test_who_is_told_to_go_lets_what_is_under_way_arrive(migrated_url, tmp_path):
    """Between drain and stop a message that is being handed over is, and is marked."""
    gate = Gate()
    gate.holds = asyncio.Event()
    async with started(migrated_url, tmp_path, transports={Topic.SMS: gate}) as auth:
        await write(auth)
        await until(lambda: _true(len(gate.tried) > 0))
        auth.drain()
        await write(auth)
        gate.holds.set()
    async with started(migrated_url, tmp_path, run_worker=False) as auth:
        assert len(gate.taken) == 1
        assert await count(auth, "outbox", "delivered_at IS NOT NULL") == 1
        assert await count(auth, "outbox", "attempts = 0") == 1


async def test_what_cannot_arrive_in_time_is_given_back(migrated_url, tmp_path, monkeypatch):
    """A worker that ends leaves no claim behind, and what it did not get done was no attempt."""
    monkeypatch.setattr("ostiary.features.outbox.delivery._LONGEST_FAREWELL", timedelta(milliseconds=20))
    gate = Gate()
    gate.holds = asyncio.Event()
    async with started(migrated_url, tmp_path, transports={Topic.SMS: gate}) as auth:
        await write(auth)
        await until(lambda: _true(len(gate.tried) > 0))
    async with started(migrated_url, tmp_path, run_worker=False) as auth:
        assert await count(auth, "outbox", "claimed_until IS NULL AND attempts = 0") == 1


async def test_a_database_that_goes_away_is_waited_for(migrated_url, tmp_path, monkeypatch, caplog):
    """The worker says so once, and goes on by itself when it is back."""
    monkeypatch.setattr("ostiary.features.outbox.delivery._LOOK_EVERY", timedelta(milliseconds=10))
    gate = Gate()
    async with started(migrated_url, tmp_path, transports={Topic.SMS: gate}) as auth:
        await auth.services.database.execute(Query("ALTER TABLE ostiary.outbox RENAME TO elsewhere"))
        await until(lambda: _true("not delivered at the moment" in caplog.text))
        await auth.services.database.execute(_back(auth))
        await write(auth)
        await until(settled(auth))

    assert len(gate.taken) == 1


def _back(auth):
    away = "ostiary.elsewhere" if auth.services.database.dialect == "postgresql" else "elsewhere"
    here = "outbox" if auth.services.database.dialect == "postgresql" else "ostiary_outbox"
    return Query(f"ALTER TABLE {away} RENAME TO {here}")
