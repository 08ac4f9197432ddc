"""Passwords that lie over there as they are: here they are hashed, before the transaction that keeps them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
import pytest
from tests.doubles import CountingDatabase
from tests.features.legacy.migrating import execute
from tests.features.legacy.moving import FIRST, conserved, move, opened, plan_for
from tests.features.legacy.systems import NOW, build

from ostiary.features.legacy import Legacy, State
from ostiary.features.passwords import PasswordHash, Passwords
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.secret import Secret
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

SCHEMES = ("plaintext", "spring-noop")
MARKS = {"plaintext": "", "spring-noop": "{noop}"}
PERSON = "INSERT INTO users (id, email, password, created_at) VALUES ($1, $2, $3, $4)"
FOUND = "SELECT entity_id, password_hash, password_scheme, shadow_hash FROM {table} ORDER BY entity_id"


class WatchedDatabase(CountingDatabase):
    """A database that knows how many transactions are open."""

    opened = 0

    @asynccontextmanager
    async def transaction(self):
        async with super().transaction() as tx:
            self.opened += 1
            try:
                yield tx
            finally:
                self.opened -= 1


class WatchedPasswords(Passwords):
    """Passwords that note how many transactions waited for each hash."""

    def __init__(self, database):
        super().__init__(entropy=Entropy(), weak_hash_for_tests=True)
        self._database = database
        self.waited = []

    async def hash(self, password):
        self.waited.append(self._database.opened)
        return await super().hash(password)


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request, tmp_path):
    """Where a system can be written, and where it has to come to."""
    there = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    return there or f"sqlite:///{tmp_path}/old.db", request.getfixturevalue(f"migrated_{request.param}_url")


@pytest.fixture
async def arrival(places, tmp_path):
    """A started installation on either database, and where a system can be written."""
    there, here = places
    async with auth_for_tests(database_url=here, data=tmp_path) as running:
        running.clock.move(NOW - running.clock.now())
        yield running, there, here


async def _move(arrival, scheme, people):
    running, url, here = arrival
    await build("token-tables", 0).write(url)
    for number, email, password, created_at in people:
        created = created_at.replace(tzinfo=None)
        written = created.isoformat(sep=" ") if url.startswith("sqlite") else created
        await execute(url, PERSON, number, email, MARKS[scheme] + password, written)
    tools = running.auth.services.legacy.tools
    database = WatchedDatabase(tools.database)
    passwords = WatchedPasswords(database)
    async with opened(url) as source:
        plan = await plan_for(
            "token-tables", source, msgspec.structs.replace(FIRST, hash_schemes={"users.password": scheme})
        )
        legacy = Legacy(replace(tools, database=database, passwords=passwords))
        state = await move(legacy, plan, source, batch_size=1)
        assert await conserved(tools.database, source) == {}
        verified = await legacy.verify(source, "deep", tell=lambda _: None)
    assert state is State.BACKFILLED
    assert verified.is_green
    passwords.close()
    table = "ostiary_identities" if here.startswith("sqlite") else "ostiary.identities"
    return passwords, await execute(here, FOUND.format(table=table))


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_open_password_is_hashed_and_no_transaction_waits_for_it(arrival, scheme):
    """Not even where somebody is displaced by who comes later, and is made anew in a batch they were not read with."""
    moment = NOW.replace(microsecond=0)
    people = [
        (1, "Cal@market.example.org", "the password of the first", moment),
        (2, "cal@market.example.org", "the password of the second", moment.replace(year=moment.year - 1)),
        (3, "dot@market.example.org", "the password of the third", moment),
    ]

    passwords, found = await _move(arrival, scheme, people)

    assert [key for key, *_ in found] == ["1", "2", "3"]
    for (_, _, password, _), (_, text, kept, shadow) in zip(people, found, strict=True):
        stored = PasswordHash(text, kept)
        assert kept.startswith("argon2id")
        assert shadow is None
        assert (await arrival[0].auth.services.passwords.verify(Secret(password), stored)).valid
    assert len(passwords.waited) > len(people)
    assert set(passwords.waited) == {0}


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_open_password_that_nobody_can_sign_in_with_stops_nobody(arrival, scheme):
    """What is too long to be hashed is not read as a password; who has it comes over without."""
    people = [
        (1, "cal@market.example.org", "x" * 2000, NOW),
        (2, "dot@market.example.org", "the other password", NOW),
    ]

    _, found = await _move(arrival, scheme, people)

    assert [(key, kept is not None) for key, _, kept, _ in found] == [("1", False), ("2", True)]
