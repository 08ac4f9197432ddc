"""Any order of people's doings on both sides and of the migration's steps, some of them cut short (migration.md §5.2)."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import bcrypt
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.factories import attempt
from tests.features.legacy.moving import FIRST, plan_for
from tests.features.legacy.returning import PASSWORDS, SOON, Journey, Soaking
from tests.features.legacy.schedules import Crash, Watched

from ostiary.features.flows import SignedIn
from ostiary.features.identities import Channel, parse_email
from ostiary.features.legacy import Legacy, State
from ostiary.features.passwords import detect
from ostiary.features.sessions import EndReason
from ostiary.foundation.foreign import source_at
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

SCHEMA = """
CREATE TABLE "user" (id text PRIMARY KEY, name varchar, email varchar UNIQUE, phone varchar, password varchar,
    provider varchar, "socialId" varchar, "createdAt" timestamp, "updatedAt" timestamp, "deletedAt" timestamp);
CREATE TABLE token (id integer PRIMARY KEY, "userId" text REFERENCES "user" (id), type varchar, token varchar,
    "expiresAt" timestamp);
"""
MOST = 5
NUMBERS = st.integers(0, MOST - 1)
EMAILS = st.integers(0, 2 * MOST)
SECRETS = [f"a long phrase number {number}" for number in range(4)]
HASHES = [bcrypt.hashpw(one.encode(), bcrypt.gensalt(4)).decode() for one in SECRETS]
PHRASES = st.integers(0, len(SECRETS) - 1)


def _dying(calls):
    """When a step dies: never, as often as not."""
    return st.just(0) | st.integers(1, calls)


@dataclass
class Person:
    """Somebody as they have to be on whichever side serves."""

    email: str
    password: int


class Dying:
    """Dies at the appointed call."""

    def __init__(self, at):
        self.left = at

    async def __call__(self):
        self.left -= 1
        if self.left <= 0:
            raise Crash("It was to die here.")


class BothSides(RuleBasedStateMachine):
    """One small system over there, one installation here; `people` is what has to hold, by key."""

    template = ""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="ostiary-both-sides-"))
        self.people: dict[str, Person] = {}
        self.number = 0

    def do(self, work):
        return self.loop.run_until_complete(work)

    @initialize(count=st.integers(3, MOST))
    def begin(self, count):
        shutil.copyfile(self.template, self.folder / "ostiary.db")
        with closing(sqlite3.connect(self.folder / "there.db")) as connection:
            connection.executescript(SCHEMA)
        for number in range(count):
            self._insert(number, number % len(SECRETS))
        self.do(self._start())

    async def _start(self):
        running = await self.stack.enter_async_context(
            auth_for_tests(
                database_url=f"sqlite:///{self.folder}/ostiary.db", data=self.folder, passwords=PASSWORDS
            )
        )
        self.url = f"sqlite:///{self.folder}/there.db"
        source = source_at(self.url)
        await source.open()
        self.stack.push_async_callback(source.close)
        self.going = Journey(running, source, await plan_for("auth-entity", source, FIRST), self.url)
        self.soak = Soaking.__new__(Soaking)
        self.soak.going, self.soak.auth, self.soak.services = self.going, running.auth, running.auth.services

    def teardown(self):
        self.do(self.stack.aclose())
        self.loop.close()
        shutil.rmtree(self.folder)

    # What the model says.

    @property
    def state(self):
        found = self.do(self.going.legacy.current())
        return None if found is None else found.state

    @property
    def is_served_here(self):
        return self.state in {State.SOAKING, State.CONTRACTED}

    def one(self, number):
        return sorted(self.people)[number % len(self.people)]

    # People's doings.

    def _there(self, statement, *values):
        with closing(sqlite3.connect(self.folder / "there.db")) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def _insert(self, email, phrase):
        key, address = f"00000000-0000-4000-8000-{self.number:012}", f"person{email}@example.org"
        if any(one.email == address for one in self.people.values()):
            return
        self.number += 1
        self._there(
            'INSERT INTO "user" (id, name, email, password, "createdAt") VALUES (?, ?, ?, ?, ?)',
            *(key, "Name", address, HASHES[phrase], f"2025-01-01 00:00:{self.number % 60:02}"),
        )
        self.people[key] = Person(address, phrase)

    @precondition(lambda self: not self.is_served_here)
    @rule(email=EMAILS, phrase=PHRASES)
    def sign_up_there(self, email, phrase):
        self._insert(email, phrase)

    @precondition(lambda self: not self.is_served_here and len(self.people) > 2)
    @rule(number=NUMBERS)
    def leave_there(self, number):
        key = self.one(number)
        self._there('DELETE FROM "user" WHERE id = ?', key)
        del self.people[key]

    @rule(number=NUMBERS, phrase=PHRASES)
    def change_password(self, number, phrase):
        key = self.one(number)
        if self.is_served_here:
            self.do(self._change_password(key, phrase))
        else:
            self._there('UPDATE "user" SET password = ? WHERE id = ?', HASHES[phrase], key)
        self.people[key].password = phrase

    async def _change_password(self, key, phrase):
        await self.soak.change_password(_Known(key), SECRETS[phrase])

    @rule(number=NUMBERS, email=EMAILS)
    def change_email(self, number, email):
        key, address = self.one(number), f"person{email}@example.org"
        if any(one.email == address for one in self.people.values()):
            return
        if self.is_served_here:
            self.do(self.soak.set_address(_Known(key), Channel.EMAIL, parse_email(address)))
        else:
            self._there('UPDATE "user" SET email = ? WHERE id = ?', address, key)
        self.people[key].email = address

    @precondition(lambda self: self.is_served_here)
    @rule(number=NUMBERS)
    def log_in_and_out_here(self, number):
        self.do(self._log_in_and_out(self.one(number)))

    async def _log_in_and_out(self, key):
        person = self.people[key]
        outcome = await attempt(self.soak.auth, person.email, password=SECRETS[person.password])
        assert isinstance(outcome, SignedIn)
        services = self.soak.services
        async with services.database.transaction() as tx:
            await services.sessions.end_all(
                tx, await self.soak.id_of(_Known(key)), reason=EndReason.LOGOUT_EVERYWHERE, now=self.soak.now
            )

    @precondition(lambda self: not self.is_served_here)
    @rule(number=NUMBERS)
    def log_in_and_out_there(self, number):
        key = self.one(number)
        values = (key, f"token of {self.number}", "2030-01-01 00:00:00")
        self._there(
            'INSERT INTO token ("userId", type, token, "expiresAt") VALUES (?, \'session\', ?, ?)', *values
        )
        self._there('DELETE FROM token WHERE "userId" = ?', key)

    # The migration's steps, whole or cut short.

    def _step(self, dies_at, step):
        """Take a step; if it is to die somewhere, die, and take it again."""
        tools = self.going.legacy.tools
        if dies_at:
            dying = Dying(dies_at)
            watched = Legacy(replace(tools, database=Watched(tools.database, dying)))
            try:
                self.do(step(watched, Watched(self.going.source, dying)))
            except Crash:
                release = Query("UPDATE ostiary.legacy_migrations SET leased_until = NULL, holder = NULL")
                self.do(tools.database.execute(release))
            else:
                return
        self.do(step(self.going.legacy, self.going.source))

    @precondition(lambda self: not self.is_served_here)
    @rule(dies_at=_dying(120))
    def run(self, dies_at):
        self._step(dies_at, self._run)

    async def _run(self, legacy, source):
        from ostiary.features.legacy import Pace

        await legacy.run(self.going.plan, source, pace=Pace(batch_size=2), tell=_ignore, stop=asyncio.Event())

    @precondition(lambda self: self.state in {State.BACKFILLED, State.VERIFIED})
    @rule(dies_at=_dying(60))
    def cut_over(self, dies_at):
        found = self.do(self._catch_up_and_verify())
        assert found.mismatches == []
        self._step(dies_at, self._cut_over)
        self.going.running.move(seconds=1)

    async def _catch_up_and_verify(self):
        await self.going.run()
        return await self.going.legacy.verify(self.going.source, "deep", tell=_ignore)

    async def _cut_over(self, legacy, source):
        await legacy.cut_over(source, verified_within=SOON, tell=_ignore, stop=asyncio.Event())

    @precondition(lambda self: self.state is not None)
    @rule(dies_at=_dying(60))
    def roll_back(self, dies_at):
        was_contracted = self.state is State.CONTRACTED
        foreseen = self.do(self.going.foresee())
        self._step(dies_at, lambda legacy, source: legacy.roll_back(source, to_drafted=False, tell=_ignore))
        self.going.running.move(seconds=1)
        # Shadows are forgotten with the contraction: whoever changed their password here is listed, and begins anew there.
        assert was_contracted or foreseen.needing_reset == []
        assert foreseen.irreversible == []
        for key in foreseen.needing_reset:
            ((password,),) = self._there('SELECT password FROM "user" WHERE id = ?', key)
            assert detect(password) == {"unusable"}
            self._there('UPDATE "user" SET password = ? WHERE id = ?', HASHES[self.people[key].password], key)

    @precondition(lambda self: self.state is State.SOAKING)
    @rule(dies_at=_dying(30))
    def contract(self, dies_at):
        found = self.do(self.going.legacy.verify(self.going.source, "deep", tell=_ignore))
        assert found.mismatches == []
        self._step(dies_at, self._contract)
        self.going.running.move(seconds=1)

    async def _contract(self, legacy, source):
        found = await legacy.current()
        if found is not None and found.state is not State.CONTRACTED:
            await legacy.contract(
                source,
                least_soak=timedelta(0),
                verified_within=SOON,
                keep_archive=timedelta(days=30),
                tell=_ignore,
            )

    # What has to hold.

    @invariant()
    def whoever_serves_knows_everybody(self):
        """Inv. 6: the side that serves accepts exactly today's password, and nobody else is known to it."""
        if self.is_served_here:
            rows = self.do(self.going.here(_KNOWN))
            there = {row.partition(" ")[0]: row.partition(" ")[2] for row in rows}
            assert there == {key: person.email for key, person in self.people.items()}
            for person in self.people.values():
                self.do(self._accepts_only(person))
        else:
            known = {row[0]: row[1:] for row in self._there('SELECT id, email, password FROM "user"')}
            assert {key: row[0] for key, row in known.items()} == {
                key: person.email for key, person in self.people.items()
            }
            for key, person in self.people.items():
                accepted = [bcrypt.checkpw(one.encode(), known[key][1].encode()) for one in SECRETS]
                assert accepted == [place == person.password for place in range(len(SECRETS))]

    async def _accepts_only(self, person):
        services = self.soak.services
        identity = await services.identities.find("user", parse_email(person.email))
        async with services.database.transaction() as tx:
            held = await services.identities.lock_for_change(tx, identity.id)
        from ostiary.features.passwords import PasswordHash
        from ostiary.foundation.secret import Secret

        stored = PasswordHash.stored(held.password_hash, held.password_scheme)
        accepted = [(await services.passwords.verify(Secret(one), stored)).valid for one in SECRETS]
        assert accepted == [place == person.password for place in range(len(SECRETS))]

    @invariant()
    def nobody_is_two(self):
        """Inv. 8: no two rows over there are one identity here, and none is two."""
        rows = self.do(self.going.here(_OWNERS))
        assert len(rows) == len(set(rows))


_KNOWN = """
    SELECT entity_id || ' ' || COALESCE(email, '') FROM ostiary.identities WHERE deleted_at IS NULL
"""
_OWNERS = "SELECT root_key FROM ostiary.legacy_identities"


@dataclass
class _Known:
    entity_id: str
    entity_type: str = "user"


def _ignore(*_):
    """Nobody looks."""


def test_any_order_of_steps_on_both_sides_loses_nobody(migrated_sqlite_template):
    """Whatever people and the migration do, and wherever it dies: whoever serves knows everybody, with today's password."""
    BothSides.template = str(migrated_sqlite_template)
    run_state_machine_as_test(
        BothSides,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
