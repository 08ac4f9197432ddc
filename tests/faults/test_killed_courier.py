"""F02 of messages: whoever delivers is killed at each point of it, and no message vanishes."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.factories import count
from tests.faults.mortal import Death, Job, die_at

from ostiary.features.outbox import Message, Template, Topic
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

if TYPE_CHECKING:
    from pathlib import Path

    from ostiary import Ostiary

pytestmark = pytest.mark.anyio

MESSAGES = 2
FORGET = Query("DELETE FROM ostiary.outbox")


class Ledger:
    """A gateway that outlives its caller: what it took is in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, message) -> None:
        with self._path.open("a") as file:
            file.write(f"{message.id} {message.values['code']}\n")

    async def close(self) -> None:
        """Keep the file."""

    def taken(self) -> list[str]:
        return self._path.read_text().splitlines() if self._path.exists() else []


async def deliver(path: Path, auth: Ostiary) -> None:
    """Deliver what is due to the ledger at `path`."""
    courier = auth.services.courier
    courier._transports = {**courier._transports, Topic.SMS: Ledger(path)}
    await courier.deliver_due(now=auth.clock.now())


@pytest.fixture
def settings(migrated_url, tmp_path):
    """The settings that the survivor and the killed share."""
    weak = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
    return {"database_url": migrated_url, "data": tmp_path, "passwords": weak}


async def test_f02_a_killed_courier_repeats_a_message_at_the_most(settings, tmp_path):
    """Wherever it is killed: every message arrives, one that comes twice has one id, and each row is settled once."""
    async with auth_for_tests(**settings) as running:
        auth, died, repeated = running.auth, 0, 0
        for turn in itertools.count():
            death = Death(1 + turn // 3, ("before", "during", "after")[turn % 3])
            path = tmp_path / f"{death.call}-{death.moment}"
            await auth.services.database.execute(FORGET)
            async with auth.services.database.transaction() as tx:
                for number in range(MESSAGES):
                    message = Message.sms(
                        Template.SIGN_IN_CODE, "+491701234567", values={"code": f"{number:06}"}
                    )
                    auth.services.outbox.add(tx, message, now=running.clock.now())
            if not await die_at(death, Job(settings, running.clock.now(), partial(deliver, path))):
                break
            died += 1

            # When the claims of the dead have ended.
            running.move(minutes=2)
            await deliver(path, auth)

            taken = Ledger(path).taken()
            assert len(set(taken)) == MESSAGES, death
            assert await count(auth, "outbox", "delivered_at IS NOT NULL") == MESSAGES, death
            assert await count(auth, "outbox", "payload_sealed IS NOT NULL") == 0, death
            repeated += len(taken) > MESSAGES
    assert died >= 9
    assert repeated > 0
