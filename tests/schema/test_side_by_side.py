"""An earlier release and this one on one database: each starts, works, and reads what the other wrote (F15)."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import httpx2
import pytest
from tests.journeys.factor_walks import code_of, flow_of, login, show
from tests.schema.plain import fetch, run
from tests.schema.released import (
    STORED,
    earlier_query,
    holdings_of,
    installation,
    load,
    password_of,
    statements_of,
)

from ostiary import Ostiary, schema
from ostiary.features.sessions.model import REFRESH_KIND
from ostiary.features.sessions.successors import seal_successor
from ostiary.foundation.bearer import BearerSecret
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id, parse_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import database_at
from ostiary.schema.history import History
from ostiary.schema.revision import Deployed
from ostiary.testing import MovableClock

pytestmark = pytest.mark.anyio

OLDEST = History().serves_from(schema.HEAD)
BEFORE = History().revisions[-2]
SERVED = [revision for revision in STORED if Deployed(schema.HEAD, OLDEST).serves(revision)]
VERSION = {"sqlite": "ostiary_alembic_version", "postgresql": "ostiary.ostiary_alembic_version"}
SESSIONS, IDENTITIES, FLOWS, VAULT = (
    f"ostiary.features.{feature}.store" for feature in ("sessions", "identities", "flows", "vault")
)


class EarlierWorker:
    """What a worker of an earlier release does to a database, by its own statements."""

    def __init__(self, revision, database, clock) -> None:
        self._revision = revision
        self._database = database
        self._clock = clock

    async def execute(self, name, *parameters):
        return await self._database.execute(earlier_query(self._revision, name), *parameters)

    async def fetch(self, name, into, *parameters):
        return await self._database.fetch_one(earlier_query(self._revision, name, into), *parameters)

    async def start_session(self, identity_id):
        """Sign somebody in; return the refresh token."""
        now = self._clock.now()
        session_id, later = new_id(now, Entropy()), now + timedelta(days=30)
        place = (
            "192.0.2.7",
            "an old browser",
            "an old phone",
            ["pwd"],
            now,
            {},
            now,
            later,
            later,
            None,
            None,
        )
        await self.execute(f"{SESSIONS}.INSERT_SESSION", session_id, identity_id, *place)
        token = BearerSecret.new(REFRESH_KIND, new_id(now, Entropy()), Entropy())
        kept = (token.id, session_id, token.digest, now, later)
        await self.execute(f"{SESSIONS}.INSERT_REFRESH_TOKEN", *kept)
        return token.text.reveal()

    async def refresh(self, presented):
        """Exchange a refresh token; return its successor."""
        now = self._clock.now()
        token = BearerSecret.parse(REFRESH_KIND, Secret(presented))
        successor = BearerSecret.new(REFRESH_KIND, new_id(now, Entropy()), Entropy())
        sealed = seal_successor(token, successor, entropy=Entropy())
        spent = (token.id, token.digest, now, successor.id, successor.digest, sealed)
        await self.execute(f"{SESSIONS}.ROTATE", *spent, now + timedelta(days=7), now)
        return successor.text.reveal()

    async def change_password(self, identity_id, new):
        """Set a password."""
        self._clock.move(timedelta(seconds=1))
        await self.execute(f"{IDENTITIES}.SET_PASSWORD", identity_id, new.text, new.scheme, self._clock.now())

    async def finish(self, flow):
        """Use up a sign-in that waited for a second factor; say whether it was there."""
        waiting = BearerSecret.parse("flow", Secret(flow))
        used = await self.fetch(f"{FLOWS}.CONSUME_FLOW", UUID, waiting.id, self._clock.now())
        return used == waiting.id


@asynccontextmanager
async def door_of(running):
    transport = httpx2.ASGITransport(app=running.auth)
    async with httpx2.AsyncClient(transport=transport, base_url=running.auth.settings.public_url) as opened:
        yield opened


@pytest.fixture(params=SERVED)
def release(request):
    """Each release that is kept and that may work beside this one."""
    return request.param


@pytest.fixture
def held(release, dialect):
    """What its people hold."""
    return holdings_of(release, dialect)


@pytest.fixture
async def deployed_url(release, database_url):
    """Its database, with this release's schema."""
    await load(release, database_url)
    await schema.deploy(database_url)
    return database_url


@pytest.fixture
async def both(deployed_url, held, tmp_path):
    """This release on that database, at the time of the other."""
    async with installation(deployed_url, tmp_path, datetime.fromisoformat(held["moment"])) as running:
        yield running


@pytest.fixture
def earlier(both, release):
    """A worker of the other release."""
    return EarlierWorker(release, both.auth.services.database, both.clock)


@pytest.fixture
async def door(both):
    """The door of this release."""
    async with door_of(both) as opened:
        yield opened


def identity_of(both, tokens):
    return parse_id("idn", both.auth.verify(tokens["access_token"]).identity_id)


async def refreshed(door, token):
    answer = await door.post("/v1/refresh", json={"refresh_token": token})
    assert answer.status_code == 200, answer.text
    return answer.json().get("tokens", answer.json())


async def failures_on_postgresql(url, statements):
    connection = await asyncpg.connect(url)
    failures = {}
    for name, statement in statements.items():
        try:
            await connection.prepare(statement["postgresql"])
        except asyncpg.PostgresError as error:
            failures[name] = str(error)
    await connection.close()
    return failures


async def failures_on_sqlite(url, statements):
    failures = {}
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        for name, statement in statements.items():
            for text, arity in statement["sqlite"]:
                try:
                    connection.execute(f"EXPLAIN {text}", [None] * arity)
                except sqlite3.Error as error:
                    failures[name] = str(error)
    return failures


FAILURES = {"sqlite": failures_on_sqlite, "postgresql": failures_on_postgresql}


@pytest.mark.parametrize(
    ("found", "head", "served"),
    [
        (Deployed("0007", "0005"), "0007", True),
        (Deployed("0007", "0005"), "0006", True),
        (Deployed("0007", "0005"), "0005", True),
        (Deployed("0007", "0005"), "0004", False),
        (Deployed("0007", "0005"), "0008", False),
        (Deployed("0007"), "0007", True),
        (Deployed("0007"), "0006", False),
        (Deployed(None), "0001", False),
        (Deployed("0007", "0005"), None, False),
    ],
)
def test_f15_a_database_serves_whom_it_names(found, head, served):
    """Its own release, and older ones down to the one that is named; never a newer one."""
    assert found.serves(head) is served


def test_f15_revisions_are_in_the_order_of_their_names():
    """Which of two is older is told by the names alone, and what a revision serves exists and is older."""
    history = History()

    assert all(len(revision) == 4 and revision.isdecimal() for revision in history.revisions)
    assert history.revisions == sorted(history.revisions)
    for revision in history.revisions:
        oldest = history.serves_from(revision)
        assert oldest is None or (oldest in history.revisions and oldest < revision)


def test_f15_this_release_works_beside_the_one_before():
    """The newest revision serves the release before it, so that servers are replaced one at a time."""
    assert Deployed(schema.HEAD, OLDEST).serves(BEFORE)


async def test_f15_the_declaration_is_stored_and_goes_with_its_revision(migrated_url):
    """Deployed, undone and deployed again, a database says what its revision declares."""
    at_head = await schema.deployed(migrated_url)
    await schema.downgrade(migrated_url, BEFORE)
    before = await schema.deployed(migrated_url)
    await schema.deploy(migrated_url)

    assert at_head == Deployed(schema.HEAD, OLDEST)
    assert before == Deployed(BEFORE, History().serves_from(BEFORE))
    assert await schema.deployed(migrated_url) == at_head


def in_production(url, folder):
    safe = {"root_keys": f"1:{'A' * 43}=", "registration": {"verify_first": False}}
    return Ostiary(
        env="production",
        public_url="https://auth.example.org",
        database_url=url,
        data=folder,
        run_worker=False,
        **safe,
    )


async def test_f15_an_earlier_release_starts_in_production(migrated_url, tmp_path, monkeypatch):
    """A worker that needs the revision before starts on this one, which says that it may."""
    monkeypatch.setattr(schema, "HEAD", BEFORE)

    async with in_production(migrated_url, tmp_path) as auth:
        assert auth.services.database.dialect in {"sqlite", "postgresql"}

    assert (await schema.deployed(migrated_url)).revision == History().head


@pytest.mark.parametrize("oldest", ["NULL", "'9998'"])
async def test_f15_a_release_that_is_not_served_is_refused(migrated_url, tmp_path, dialect, oldest):
    """On a newer schema that names no older release, or none as old, production refuses, with what to do."""
    await run(migrated_url, f"UPDATE {VERSION[dialect]} SET version_num = '9999', serves_from = {oldest}")

    with pytest.raises(schema.SchemaError, match="at revision 9999, and this release needs"):
        await in_production(migrated_url, tmp_path).start()
    with pytest.raises(schema.UnknownRevision):
        await schema.deploy(migrated_url)


async def test_f15_an_earlier_release_deploys_nothing_where_it_is_served(migrated_url, dialect):
    """Where every start is preceded by a deployment, an old server that comes back is not stopped by its own."""
    await run(
        migrated_url,
        f"UPDATE {VERSION[dialect]} SET version_num = '9999', serves_from = '{schema.HEAD}'",
    )

    assert await schema.deploy(migrated_url) == []
    assert (await schema.status(migrated_url)).pending == []
    assert (await schema.deployed(migrated_url)).revision == "9999"


async def test_f15_the_table_of_an_earlier_release_is_read(database_url, dialect):
    """A version table without the declaration is one that serves its own release, and gets a place for it."""
    await schema.deploy(database_url)
    await run(database_url, f"ALTER TABLE {VERSION[dialect]} DROP COLUMN serves_from")
    found = await schema.deployed(database_url)

    await schema.downgrade(database_url, BEFORE)
    await schema.deploy(database_url)

    assert found == Deployed(schema.HEAD)
    assert await schema.deployed(database_url) == Deployed(schema.HEAD, OLDEST)


async def test_f15_every_earlier_statement_fits(deployed_url, release, dialect):
    """Whatever an earlier release asks of its database, it may ask of this one."""
    statements = statements_of(release)

    assert len(statements) > 100
    assert await FAILURES[dialect](deployed_url, statements) == {}


async def test_f15_a_session_wanders_between_releases(both, earlier, door, held):
    """Begun and refreshed there, refreshed here, there again and here again: one session throughout."""
    cleo = identity_of(both, held["cleo"])
    there = await earlier.refresh(await earlier.start_session(cleo))
    here = await refreshed(door, there)
    back = await refreshed(door, await earlier.refresh(here["refresh_token"]))
    sessions = {both.auth.verify(tokens["access_token"]).session_id for tokens in (here, back)}

    assert len(sessions) == 1
    assert identity_of(both, back) == cleo


async def test_f15_a_password_changed_there_opens_here(both, earlier, door, held):
    """The new one signs in, the old one does not."""
    new = "a phrase that was set elsewhere"
    hashed = await both.auth.services.passwords.hash(Secret(new))

    await earlier.change_password(identity_of(both, held["cleo"]), hashed)

    assert (await login(door, "cleo", password=new)).status_code == 200
    assert (await login(door, "cleo", password=password_of("cleo"))).status_code == 401


async def test_f15_a_sign_in_begun_here_is_finished_there_once(both, earlier, door):
    """The earlier release uses the flow up, and it is used up here too."""
    flow = await flow_of(door, "bob", password=password_of("bob"))

    assert await earlier.finish(flow)
    assert not await earlier.finish(flow)
    assert (await show(door, flow, "totp", "123456")).status_code == 401


async def test_f15_after_a_downgrade_everything_works(deployed_url, release, held, tmp_path, dialect):
    """What both releases wrote is there for the earlier one, and still for this one when it comes back."""
    moment = datetime.fromisoformat(held["moment"])
    async with installation(deployed_url, tmp_path, moment) as running, door_of(running) as door:
        here = await refreshed(door, held["ada"]["refresh_token"])
        flow = await flow_of(door, "bob", password=password_of("bob"))
        who = {"email": "eve@example.org", "password": password_of("eve")}
        assert (await door.post("/v1/register", json=who)).status_code == 201
    identities = (
        f"SELECT id, password_hash FROM {'ostiary_' if dialect == 'sqlite' else 'ostiary.'}identities"
    )
    before = sorted(await fetch(deployed_url, identities))

    undone = await schema.downgrade(deployed_url, release)

    assert undone == History().revisions[: History().revisions.index(release) : -1]
    assert sorted(await fetch(deployed_url, identities)) == before
    assert await FAILURES[dialect](deployed_url, statements_of(release)) == {}
    database = database_at(deployed_url)
    await database.open()
    there = await EarlierWorker(release, database, MovableClock(moment)).refresh(here["refresh_token"])
    await database.close()
    await schema.deploy(deployed_url)
    async with installation(deployed_url, tmp_path, moment) as running, door_of(running) as door:
        running.move(seconds=30)
        services = running.auth.services
        kept = await services.vault.tokens(services.database, UUID(held["ada"]["account"]))
        finished = await show(door, flow, "totp", code_of(held["bob"]["seed"], running))
        assert await refreshed(door, there)
        assert running.auth.verify(here["access_token"]).roles == {"editor"}
        assert (await login(door, "eve", password=password_of("eve"))).status_code == 200
        assert (await login(door, "cleo", password=password_of("cleo"))).status_code == 200
        assert kept.refresh_token.reveal() == "a refresh token of acme"
        assert finished.json()["status"] == "signed_in"
        assert [finding async for finding in services.seals.verify().findings()] == []
