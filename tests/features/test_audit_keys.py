"""Personal data in the audit events: under a key of whoever it is about, and unreadable when that key is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from tests.factories import insert, records_of

from ostiary.features.audit import NOBODY, Action, Actor, Event, Origin, Seals
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import format_id, new_id
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HERE = Origin("192.0.2.7", "Mozilla/5.0 Firefox/140.0")
THERE = Origin("198.51.100.9", "curl/8")
KEY = bytes(range(32))


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
    return identity_id


async def forget(database, identity_id):
    await database.execute(Query("DELETE FROM ostiary.identities WHERE id = $1"), identity_id)


def by(identity_id):
    return Actor.identity(format_id("idn", identity_id))


def event(actor, target=None, **more):
    target_id = format_id("idn", target) if target else None
    return Event(Action.SESSION_ENDED, actor, target_kind="identity", target_id=target_id, **more)


async def record(database, audit, *events, now=NOW):
    async with database.transaction() as tx:
        for one in events:
            audit.record(tx, one, now=now)


async def record_and_fail(database, audit, one):
    async with database.transaction() as tx:
        audit.record(tx, one, now=NOW)
        raise ZeroDivisionError


async def opened(database, audit):
    """Return what can be read of every event, the oldest first."""
    ids = await database.fetch_all(Query("SELECT id FROM ostiary.audit_events ORDER BY seq", into=UUID))
    documents = await database.fetch_all(
        Query("SELECT metadata FROM ostiary.audit_events ORDER BY seq", into=dict)
    )
    return await audit.personal_data.open(list(zip(ids, documents, strict=True)))


async def number_of(database, table, where="TRUE"):
    return await database.fetch_one(Query(f"SELECT count(*) FROM ostiary.{table} WHERE {where}", into=int))


async def test_what_is_personal_is_stored_sealed_and_opened_by_any_worker(migrated):
    """No column and no document of an event about somebody shows an address, and whoever has the root key reads it."""
    ada = await add_identity(migrated)
    told = event(by(ada), ada, origin=HERE, metadata={"kind": "x"}, personal={"email": "ada@example.org"})

    await record(migrated, records_of(migrated), told)
    (seen,) = await opened(migrated, records_of(migrated))
    document = await migrated.fetch_one(
        Query("SELECT CAST(metadata AS text) FROM ostiary.audit_events", into=str)
    )

    assert (seen.origin, seen.personal, seen.is_erased) == (HERE, {"email": "ada@example.org"}, False)
    assert all(text not in document for text in ("192.0.2.7", "Firefox", "ada@example.org"))
    assert await number_of(migrated, "audit_events", "ip_address IS NOT NULL OR user_agent IS NOT NULL") == 0


async def test_an_event_about_nobody_keeps_plain_columns(migrated):
    """There is nobody whose key it could stand under; retention takes it."""
    await record(migrated, records_of(migrated), event(NOBODY, origin=HERE))

    assert await number_of(migrated, "audit_events", "ip_address = '192.0.2.7'") == 1
    assert await number_of(migrated, "audit_keys") == 0


async def test_where_it_came_from_belongs_to_whoever_did_it(migrated):
    """Erasing somebody leaves the operator's address who acted on them, and takes what was said about them."""
    ada, operator = await add_identity(migrated), await add_identity(migrated)
    audit = records_of(migrated)
    await record(migrated, audit, event(by(operator), ada, origin=THERE, personal={"email": "a@example.org"}))

    await forget(migrated, ada)
    (seen,) = await opened(migrated, audit)

    assert (seen.origin, seen.personal, seen.is_erased) == (THERE, {}, True)


async def test_with_the_identity_goes_all_that_is_personal_and_the_seals_still_fit(migrated):
    """Whoever deletes the identity, nobody reads the data again, and the log is as it was sealed."""
    ada, bob = await add_identity(migrated), await add_identity(migrated)
    audit, seals = records_of(migrated), Seals(migrated, KEY)
    await record(migrated, audit, event(by(ada), ada, origin=HERE), event(NOBODY, ada, origin=HERE))
    await record(migrated, audit, event(by(bob), bob, origin=THERE))
    await seals.seal_due(now=NOW + timedelta(hours=1))

    await forget(migrated, ada)
    seen = await opened(migrated, audit)
    findings = [finding async for finding in seals.verify().findings()]

    assert [(one.origin, one.is_erased) for one in seen] == [
        (Origin(), True),
        (Origin(), True),
        (THERE, False),
    ]
    assert findings == []
    assert await number_of(migrated, "audit_keys") == 1


async def test_a_worker_uses_one_key_for_a_while(migrated):
    """Events within the hour share a key, in one transaction and in several; later ones get another."""
    ada = await add_identity(migrated)
    audit = records_of(migrated)
    about = event(by(ada), ada, origin=HERE)

    await record(migrated, audit, about, about)
    await record(migrated, audit, about, now=NOW + timedelta(minutes=59))
    within = await number_of(migrated, "audit_keys")
    await record(migrated, audit, about, now=NOW + timedelta(minutes=61))

    assert (within, await number_of(migrated, "audit_keys")) == (1, 2)
    assert all(one.origin == HERE for one in await opened(migrated, audit))


async def test_a_key_that_was_rolled_back_is_not_used_again(migrated):
    """What never became final opens nothing, so the next event makes a key of its own."""
    ada = await add_identity(migrated)
    audit = records_of(migrated)
    about = event(by(ada), ada, origin=HERE)

    with pytest.raises(ZeroDivisionError):
        await record_and_fail(migrated, audit, about)
    await record(migrated, audit, about)

    assert [one.origin for one in await opened(migrated, audit)] == [HERE]


async def test_after_the_end_of_an_identity_no_worker_writes_readable_data_about_it(migrated):
    """A worker that remembers a destroyed key, and one that makes a new one, write what nobody can read."""
    ada = await add_identity(migrated)
    remembering, fresh = records_of(migrated), records_of(migrated)
    about = event(by(ada), ada, origin=HERE)
    await record(migrated, remembering, about)

    await forget(migrated, ada)
    await record(migrated, remembering, about)
    await record(migrated, fresh, about)

    assert [one.is_erased for one in await opened(migrated, fresh)] == [True] * 3
    assert await number_of(migrated, "audit_keys") == 0


async def test_a_sealed_part_opens_in_no_other_event(migrated):
    """Moved from one event to another, a part says nothing."""
    ada = await add_identity(migrated)
    audit = records_of(migrated)
    await record(migrated, audit, event(by(ada), ada, origin=HERE))
    document = await migrated.fetch_one(Query("SELECT metadata FROM ostiary.audit_events", into=dict))

    (seen,) = await audit.personal_data.open([(new_id(NOW, Entropy()), document)])

    assert (seen.origin, seen.is_erased) == (Origin(), True)


@pytest.mark.parametrize("document", [{"origin": 1}, {"origin": {"key": "x"}}, {"origin": "y"}])
async def test_what_is_no_sealed_part_is_passed_over(migrated, document):
    """Metadata that somebody else's hand wrote keeps nobody from reading."""
    (seen,) = await records_of(migrated).personal_data.open([(new_id(NOW, Entropy()), document)])

    assert (seen.origin, seen.is_erased) == (Origin(), False)


async def test_a_key_is_bound_to_its_owner(migrated):
    """A key's row that was given to somebody else opens nothing."""
    ada, bob = await add_identity(migrated), await add_identity(migrated)
    audit = records_of(migrated)
    await record(migrated, audit, event(by(ada), ada, origin=HERE))

    await migrated.execute(Query("UPDATE ostiary.audit_keys SET identity_id = $1"), bob)

    assert [one.is_erased for one in await opened(migrated, audit)] == [True]


async def test_keys_are_purged_when_no_event_stands_under_them(auth, rows_of_years):
    """A key goes months after the last event it can open; a younger one stays."""
    now = auth.clock.now()

    outcome = await auth.services.maintenance.run("audit-keys", now=now)
    left = await auth.services.database.fetch_all(
        Query("SELECT created_at FROM ostiary.audit_keys ORDER BY created_at", into=datetime)
    )

    assert outcome.removed == 1
    assert left[0] == now - timedelta(days=461)


@pytest.fixture
async def rows_of_years(auth):
    """A key that is old enough to go, and one that is not."""
    identity_id = await add_identity(auth.services.database)
    for days in (463, 461):
        made_at = auth.clock.now() - timedelta(days=days)
        await insert(
            auth, "audit_keys", id=str(days), identity_id=identity_id, key_sealed=b"x", created_at=made_at
        )
