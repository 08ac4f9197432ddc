"""F01: a worker is killed at each point of its work, and nothing is left half done."""

from __future__ import annotations

import itertools
from dataclasses import astuple, dataclass
from functools import partial
from uuid import UUID

import pytest
from tests.factories import attempt, registered, rotate
from tests.faults.mortal import Death, Job, die_at, refresh, register

from ostiary.features.flows import SignedIn
from ostiary.features.identities import IdentifierTaken
from ostiary.features.sessions import Refusal, Refused, Rotated, external_session_id
from ostiary.foundation.bearer import BearerSecret
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

MOMENTS = ("before", "during", "after")


@dataclass(frozen=True)
class Rows:
    """How many rows a registration adds to."""

    identities: int
    users: int
    sessions: int
    refresh_tokens: int
    login_history: int
    audit_events: int


# Of the audit, the line about the account: the sign-in that follows has one of its own.
_ONLY = {"audit_events": "action = 'identity:account:registered'"}
_COUNTS = [
    f"(SELECT count(*) FROM ostiary.{name} WHERE {_ONLY.get(name, 'TRUE')}) AS {name}"
    for name in Rows.__annotations__
]
ROWS = Query(f"SELECT {', '.join(_COUNTS)}", into=Rows)
UNSPENT = Query(
    "SELECT id FROM ostiary.refresh_tokens WHERE session_id = $1 AND consumed_at IS NULL", into=UUID
)
CHILDREN = Query("SELECT id FROM ostiary.refresh_tokens WHERE parent_id = $1", into=UUID)
TRACES_OF_END = Query(
    """
    SELECT (SELECT count(*) FROM ostiary.sessions WHERE id = $1 AND ended_at IS NOT NULL)
           + (SELECT count(*) FROM ostiary.revocations WHERE subject = $2)
           + (SELECT count(*) FROM ostiary.login_history WHERE session_id = $1 AND session_ended_at IS NOT NULL)
           + (SELECT count(*) FROM ostiary.audit_events WHERE session_id = $1 AND NOT success)
    """,
    into=int,
)


@pytest.fixture
def settings(migrated_url, tmp_path):
    """The settings that the surviving worker and the killed ones share."""
    weak = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
    return {"database_url": migrated_url, "data": tmp_path, "passwords": weak}


@pytest.fixture
async def running(settings):
    """The worker that survives."""
    async with auth_for_tests(**settings) as started:
        yield started


@pytest.fixture
async def strict(settings):
    """The same without a grace time."""
    settings["tokens"] = {"refresh_grace": "0s"}
    async with auth_for_tests(**settings) as started:
        yield started


async def deaths(auth, settings, job_of):
    """Kill a new worker at each moment of each call; yield what it was told to work on, and how it died."""
    for call in itertools.count(1):
        for moment in MOMENTS:
            subject, do = await job_of()
            death = Death(call, moment)
            if not await die_at(death, Job(settings, auth.clock.now(), do)):
                return
            yield subject, death


async def test_f01_a_killed_refresh_leaves_one_successor_for_the_retry(auth, settings):
    """Wherever a refresh is killed, the client's retry is answered, with what was committed if anything was."""

    async def somebody_who_refreshes():
        tokens = (await registered(auth)).tokens
        return tokens, partial(refresh, tokens.refresh_token.reveal())

    died = []
    async for tokens, death in deaths(auth, settings, somebody_who_refreshes):
        died.append(death)
        spent = BearerSecret.parse("refresh", tokens.refresh_token)
        committed = await auth.services.database.fetch_all(CHILDREN, spent.id)

        retried = await rotate(auth, tokens.refresh_token)

        assert isinstance(retried, Rotated), death
        successor = BearerSecret.parse("refresh", retried.tokens.refresh_token)
        unspent = await auth.services.database.fetch_all(UNSPENT, tokens.session_id)
        assert unspent == [successor.id] == (committed or unspent), death
        assert isinstance(await rotate(auth, retried.tokens.refresh_token), Rotated), death
        if death.moment != "during":
            assert len(committed) == (death.moment == "after"), death
    assert died == [Death(1, moment) for moment in MOMENTS]


async def test_f01_strict_a_killed_refresh_never_leaves_two_live_tokens(strict, settings):
    """Without grace, a retry after a committed refresh ends the family; after an uncommitted one it succeeds."""
    auth = strict.auth

    async def somebody_who_refreshes():
        tokens = (await registered(auth)).tokens
        return tokens, partial(refresh, tokens.refresh_token.reveal())

    async for tokens, death in deaths(auth, settings, somebody_who_refreshes):
        spent = BearerSecret.parse("refresh", tokens.refresh_token)
        committed = await auth.services.database.fetch_all(CHILDREN, spent.id)

        retried = await rotate(auth, tokens.refresh_token)

        if committed:
            assert retried == Refused(Refusal.REUSED), death
            assert await auth.services.sessions.list(await owner_of(auth, tokens), now=auth.clock.now()) == []
        else:
            assert isinstance(retried, Rotated), death
            assert len(await auth.services.database.fetch_all(UNSPENT, tokens.session_id)) == 1, death


async def test_f01_a_killed_answer_to_theft_is_whole_or_repeated(strict, settings):
    """Wherever the end of a stolen family is killed, it has ended with all its records, or the next replay ends it."""
    auth = strict.auth

    async def somebody_who_was_robbed():
        stolen = (await registered(auth)).tokens
        await rotate(auth, stolen.refresh_token)
        return stolen, partial(refresh, stolen.refresh_token.reveal())

    whole = 0
    async for stolen, death in deaths(auth, settings, somebody_who_was_robbed):
        subject = external_session_id(stolen.session_id)
        traces = await auth.services.database.fetch_one(TRACES_OF_END, stolen.session_id, subject)
        whole += traces == 4

        again = await rotate(auth, stolen.refresh_token)

        assert traces in {0, 4}, death
        assert again == Refused(Refusal.SESSION_ENDED if traces else Refusal.REUSED), death
        assert await auth.services.database.fetch_one(TRACES_OF_END, stolen.session_id, subject) == 4
    assert whole >= 1


async def test_f01_a_killed_registration_happened_or_did_not(auth, settings):
    """Wherever a registration is killed, all of it is there or nothing, and the client's retry shows which."""
    numbers = itertools.count(1)
    before = None

    async def somebody_new():
        nonlocal before
        before = await auth.services.database.fetch_one(ROWS)
        email = f"newcomer{next(numbers)}@example.org"
        return email, partial(register, email, PASSWORD)

    outcomes = []
    async for email, death in deaths(auth, settings, somebody_new):
        after = await auth.services.database.fetch_one(ROWS)
        added = {now - then for then, now in zip(astuple(before), astuple(after), strict=True)}
        outcomes.append(added)

        assert added in ({0}, {1}), death
        if added == {1}:
            with pytest.raises(IdentifierTaken):
                await registered(auth, email)
        else:
            await registered(auth, email)
        assert isinstance(await attempt(auth, email), SignedIn), death
    assert outcomes[0] == {0}
    assert outcomes[-1] == {1}


async def owner_of(auth, tokens):
    """Return whose tokens these are."""
    query = Query("SELECT identity_id FROM ostiary.sessions WHERE id = $1", into=UUID)
    return await auth.services.database.fetch_one(query, tokens.session_id)
