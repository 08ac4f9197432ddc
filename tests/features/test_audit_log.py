"""Reading the log: the newest first, by whom and to whom, in pages, with what is personal opened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.doubles import CountingDatabase
from tests.factories import records_of

from ostiary.features.audit import NOBODY, SYSTEM, Action, Actor, AuditLog, Event, EventFilter, Origin
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import format_id, new_id
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HERE = Origin("192.0.2.7", "Firefox")


async def add_identity(database):
    identity_id = new_id(NOW, Entropy())
    await database.execute(
        Query(
            "INSERT INTO ostiary.identities (id, entity_type, entity_id, status, created_at, updated_at)"
            " VALUES ($1, 'user', $2, 'active', $3, $3)"
        ),
        identity_id,
        str(identity_id),
        NOW,
    )
    return format_id("idn", identity_id)


@pytest.fixture
def records(migrated):
    return records_of(migrated)


@pytest.fixture
def log(migrated, records):
    return AuditLog(migrated, records.personal_data)


@pytest.fixture
async def people(migrated):
    return await add_identity(migrated), await add_identity(migrated)


async def write(database, records, *events):
    """Append events, a second apart; the first one at NOW."""
    for number, event in enumerate(events):
        async with database.transaction() as tx:
            records.record(tx, event, now=NOW + number * SECOND)


def to(who, by=SYSTEM, action=Action.IDENTITY_SUSPENDED, **more):
    return Event(action, by, target_kind="identity", target_id=who, **more)


async def test_the_newest_come_first_in_pages_without_a_gap(migrated, records, log, people):
    """Whoever asks on with the last id sees every event once, also where several share a moment."""
    async with migrated.transaction() as tx:
        for number in range(7):
            records.record(tx, to(people[0], reason=str(number)), now=NOW)
    await write(migrated, records, *(to(people[1], reason=str(number)) for number in range(7, 12)))
    seen, before = [], None

    while page := await log.list(EventFilter(), limit=5, before=before):
        seen += page
        before = page[-1].id

    assert sorted(int(event.reason) for event in seen) == list(range(12))
    assert [event.occurred_at for event in seen] == sorted(
        (event.occurred_at for event in seen), reverse=True
    )


async def test_what_somebody_did_and_what_was_done_to_them_is_found_once(migrated, records, log, people):
    """By or to an identity, in order, and nothing of anybody else."""
    ada, bob = people
    own, of_bob, by_ada = (
        to(ada, Actor.identity(ada), Action.IDENTITY_PROFILE_CHANGED),
        to(bob),
        to(bob, Actor.identity(ada)),
    )
    await write(migrated, records, own, of_bob, by_ada, to(ada), Event(Action.BOOTSTRAP_ISSUED, SYSTEM))

    found = await log.list(EventFilter(identity_id=ada), limit=10)

    assert [(event.action, event.actor.id, event.target_id) for event in found] == [
        (Action.IDENTITY_SUSPENDED, None, ada),
        (Action.IDENTITY_SUSPENDED, ada, bob),
        (Action.IDENTITY_PROFILE_CHANGED, ada, ada),
    ]


async def test_events_are_found_by_session_action_and_time(migrated, records, log, people):
    """Each narrows what is found."""
    session_id = new_id(NOW, Entropy())
    await write(
        migrated,
        records,
        to(people[0], session_id=session_id),
        to(people[0], action=Action.IDENTITY_UNLOCKED),
        to(people[0], action=Action.IDENTITY_UNLOCKED),
    )
    unlocked = EventFilter(action=Action.IDENTITY_UNLOCKED)

    by_session = await log.list(EventFilter(session_id=session_id), limit=10)
    by_action = await log.list(unlocked, limit=10)
    by_time = await log.list(replace(unlocked, since=NOW + SECOND, until=NOW + 2 * SECOND), limit=10)

    assert [event.session_id for event in by_session] == [session_id]
    assert [event.occurred_at for event in by_action] == [NOW + 2 * SECOND, NOW + SECOND]
    assert [event.occurred_at for event in by_time] == [NOW + SECOND]


async def test_reading_a_page_is_two_round_trips(migrated, records, people):
    """However many people the events of a page are about."""
    await write(migrated, records, *(to(who, NOBODY, origin=HERE) for who in people * 3))
    counting = CountingDatabase(migrated)

    found = await AuditLog(counting, records_of(counting).personal_data).list(EventFilter(), limit=10)

    assert [event.origin for event in found] == [HERE] * 6
    assert counting.round_trips == 2


async def test_where_the_key_is_gone_it_says_so(migrated, records, log, people):
    """What was done stays readable, from where does not."""
    await write(
        migrated,
        records,
        to(people[0], NOBODY, origin=HERE),
        Event(Action.BOOTSTRAP_USED, SYSTEM, origin=HERE),
    )
    await migrated.execute(Query("DELETE FROM ostiary.identities"))

    anybody, somebody = await log.list(EventFilter(), limit=10)

    assert (anybody.origin, anybody.is_erased) == (HERE, False)
    assert (somebody.origin, somebody.is_erased, somebody.target_id) == (Origin(), True, people[0])
    assert somebody.metadata == {}


def test_an_identity_and_a_session_at_once_are_refused():
    """Each has an index of its own, and nobody needs both."""
    with pytest.raises(ValueError, match="not by both"):
        EventFilter(identity_id="idn_x", session_id=new_id(NOW, Entropy()))
