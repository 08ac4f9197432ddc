"""The rules the database keeps by itself: cascades, uniqueness, and an audit trail that only grows."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from tests.factories import records_of

from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.storage import Query, ReferenceViolation, RuleViolation, UniqueViolation

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fresh_id():
    return new_id(NOW, Entropy())


async def insert(database, table, **row):
    columns = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await database.execute(Query(f"INSERT INTO ostiary.{table} ({columns}) VALUES ({places})"), *row.values())
    return row.get("id")


async def count(database, table):
    return await database.fetch_one(Query(f"SELECT count(*) FROM ostiary.{table}", into=int))


async def run(database, text, *parameters):
    return await database.execute(Query(text), *parameters)


async def add_identity(database, *, key="1", **more):
    row = {"id": fresh_id(), "entity_type": "user", "entity_id": key, "status": "active", **more}
    return await insert(database, "identities", **row, created_at=NOW, updated_at=NOW)


async def add_profile(database, table, identity_id):
    row = {"id": fresh_id(), "identity_id": identity_id}
    return await insert(database, table, **row, created_at=NOW, updated_at=NOW)


async def add_session(database, identity_id):
    moments = (
        "authenticated_at",
        "created_at",
        "updated_at",
        "last_used_at",
        "idle_expires_at",
        "expires_at",
    )
    row = dict.fromkeys(moments, NOW)
    return await insert(database, "sessions", id=fresh_id(), identity_id=identity_id, **row)


async def add_refresh_token(database, session_id):
    row = {"id": fresh_id(), "session_id": session_id, "secret_digest": b"d"}
    return await insert(database, "refresh_tokens", **row, issued_at=NOW, expires_at=NOW)


async def add_challenge(database, identity_id, *, consumed_at=None):
    row = {
        "id": fresh_id(),
        "identity_id": identity_id,
        "purpose": "verify_email",
        "destination": "a@example.org",
    }
    row |= {"format": "link", "secret_digest": b"d", "max_attempts": 1, "consumed_at": consumed_at}
    return await insert(database, "challenges", **row, created_at=NOW, expires_at=NOW)


async def add_grant(database, identity_id):
    role_id = await insert(database, "roles", id=fresh_id(), name="editor")
    await insert(database, "role_permissions", role_id=role_id, permission="pages:write")
    await insert(database, "role_grants", identity_id=identity_id, role_id=role_id, granted_at=NOW)
    return role_id


async def add_key(database, kid, algorithm, state):
    row = {"kid": kid, "algorithm": algorithm, "state": state, "public_jwk": {}, "private_key": b"sealed"}
    await insert(database, "signing_keys", **row, created_at=NOW)


async def add_event(database):
    await records_of(database).record_read(Event(Action.IDENTITY_READ, SYSTEM), now=NOW)
    return await database.fetch_one(Query("SELECT id FROM ostiary.audit_events ORDER BY seq DESC", into=UUID))


async def test_deleting_an_identity_deletes_what_belongs_to_it(migrated):
    """Sessions, refresh tokens, challenges, role grants and the profile go with their identity."""
    identity_id = await add_identity(migrated)
    await add_profile(migrated, "users", identity_id)
    await add_refresh_token(migrated, await add_session(migrated, identity_id))
    await add_challenge(migrated, identity_id)
    await add_grant(migrated, identity_id)

    await run(migrated, "DELETE FROM ostiary.identities WHERE id = $1", identity_id)

    for table in ("users", "sessions", "refresh_tokens", "challenges", "role_grants"):
        assert await count(migrated, table) == 0, table
    assert await count(migrated, "roles") == 1


async def test_history_outlives_the_identity(migrated):
    """Audit events, login history and revocations stay when the identity they name is deleted."""
    identity_id = await add_identity(migrated)
    await add_event(migrated)
    login = {"id": fresh_id(), "identity_id": identity_id, "method": "password", "success": True}
    await insert(migrated, "login_history", **login, occurred_at=NOW)
    revocation = {"seq": 1, "kind": "identity", "subject": "idn", "identity_id": identity_id, "min_epoch": 1}
    await insert(migrated, "revocations", **revocation, expires_at=NOW, revoked_at=NOW)

    await run(migrated, "DELETE FROM ostiary.identities WHERE id = $1", identity_id)

    for table in ("audit_events", "login_history", "revocations"):
        assert await count(migrated, table) == 1, table


async def test_what_is_personal_in_the_records_goes_with_the_profile(migrated):
    """Whoever deletes a profile's row destroys its owner's keys and empties their history, and nobody else's."""
    for number in range(2):
        identity_id = await add_identity(migrated, key=str(number))
        await add_profile(migrated, "users", identity_id)
        key = {"id": str(number), "identity_id": identity_id, "key_sealed": b"k"}
        await insert(migrated, "audit_keys", **key, created_at=NOW)
        login = {"id": fresh_id(), "identity_id": identity_id, "success": True, "device": b"d"}
        await insert(
            migrated, "login_history", **login, ip_address="192.0.2.7", user_agent="x", occurred_at=NOW
        )

    await run(migrated, "DELETE FROM ostiary.users WHERE identity_id = $1", identity_id)

    assert await count(migrated, "audit_keys") == 1
    assert await count(migrated, "login_history") == 2
    said = "SELECT count(*) FROM ostiary.login_history WHERE coalesce(ip_address, user_agent) IS NOT NULL OR device IS NOT NULL"
    assert await migrated.fetch_one(Query(said, into=int)) == 1


async def test_deleting_a_session_deletes_its_refresh_tokens(migrated):
    """Refresh tokens go with their session, and the identity stays."""
    session_id = await add_session(migrated, await add_identity(migrated))
    await add_refresh_token(migrated, session_id)

    await run(migrated, "DELETE FROM ostiary.sessions WHERE id = $1", session_id)

    assert await count(migrated, "refresh_tokens") == 0
    assert await count(migrated, "identities") == 1


async def test_deleting_a_role_deletes_its_grants(migrated):
    """Grants and permissions go with their role, and the identity stays."""
    role_id = await add_grant(migrated, await add_identity(migrated))

    await run(migrated, "DELETE FROM ostiary.roles WHERE id = $1", role_id)

    assert await count(migrated, "role_grants") == 0
    assert await count(migrated, "role_permissions") == 0
    assert await count(migrated, "identities") == 1


@pytest.mark.parametrize("table", ["users", "admins", "services"])
async def test_deleting_a_profile_deletes_its_identity(migrated, table):
    """Whoever deletes a profile row deletes the identity and everything of it with the same statement."""
    identity_id = await add_identity(migrated)
    profile_id = await add_profile(migrated, table, identity_id)
    await add_session(migrated, identity_id)

    await run(migrated, f"DELETE FROM ostiary.{table} WHERE id = $1", profile_id)

    assert await count(migrated, "identities") == 0
    assert await count(migrated, "sessions") == 0


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=False)
async def test_truncating_profiles_deletes_their_identities(migrated, dialect):
    """TRUNCATE, which row triggers do not see, leaves no orphan either."""
    await add_profile(migrated, "users", await add_identity(migrated))
    await add_profile(migrated, "admins", await add_identity(migrated, key="2"))

    await run(migrated, "TRUNCATE ostiary.users")

    assert await count(migrated, "identities") == 1


async def test_a_profile_needs_an_identity(migrated):
    """A profile that points at no identity cannot be inserted."""
    with pytest.raises(ReferenceViolation):
        await add_profile(migrated, "users", fresh_id())

    assert await count(migrated, "users") == 0


@pytest.mark.parametrize("column", ["entity_id", "email_normalized", "phone"])
async def test_identifiers_are_unique_within_an_entity_type(migrated, column):
    """A second identity of one type with the same identifier is refused, under the name the code relies on."""
    await add_identity(migrated, key="1", **({} if column == "entity_id" else {column: "same"}))

    with pytest.raises(UniqueViolation) as refusal:
        await add_identity(
            migrated, **({"key": "1"} if column == "entity_id" else {"key": "2", column: "same"})
        )

    assert refusal.value.constraint == f"uq_identities_entity_type_{column}"


async def test_deleted_identities_hold_no_identifier(migrated):
    """The identifiers of a deleted identity are free for a new one."""
    identifiers = {"email_normalized": "a@example.org", "phone": "+15550100"}
    await add_identity(migrated, **identifiers, deleted_at=NOW)

    await add_identity(migrated, **identifiers)

    assert await count(migrated, "identities") == 2


async def test_entity_types_do_not_share_identifiers(migrated):
    """A vendor may have the e-mail address of a user."""
    await add_identity(migrated, email_normalized="a@example.org")

    await add_identity(migrated, email_normalized="a@example.org", entity_type="vendor")

    assert await count(migrated, "identities") == 2


@pytest.mark.parametrize("known", [True, False], ids=["identity", "no identity"])
async def test_one_challenge_lives_for_a_purpose_and_destination(migrated, known):
    """A second live challenge is refused, also where there is no identity yet; a spent one does not count."""
    identity_id = await add_identity(migrated) if known else None
    await add_challenge(migrated, identity_id, consumed_at=NOW)
    await add_challenge(migrated, identity_id)

    with pytest.raises(UniqueViolation) as refusal:
        await add_challenge(migrated, identity_id)

    columns = "identity_id_purpose_destination" if known else "purpose_entity_type_destination"
    assert refusal.value.constraint == f"uq_challenges_{columns}"


async def test_one_key_of_an_algorithm_is_active(migrated):
    """A second active key of an algorithm is refused; other states and other algorithms are free."""
    await add_key(migrated, "1", "ES256", "active")
    await add_key(migrated, "2", "ES256", "next")
    await add_key(migrated, "3", "EdDSA", "active")

    with pytest.raises(UniqueViolation) as refusal:
        await add_key(migrated, "4", "ES256", "active")

    assert refusal.value.constraint == "uq_signing_keys_algorithm"
    assert await count(migrated, "signing_keys") == 3


async def test_a_sign_in_by_nobody_is_recorded(migrated):
    """An attempt at an identifier nobody holds has a place in the login history."""
    login = {"id": fresh_id(), "identity_id": None, "method": "password", "success": False}

    await insert(migrated, "login_history", **login, occurred_at=NOW)

    assert await count(migrated, "login_history") == 1


async def test_values_outside_the_model_are_refused(migrated):
    """A status or a count that the model does not know never reaches a row."""
    with pytest.raises(RuleViolation):
        await add_identity(migrated, status="superuser")
    with pytest.raises(RuleViolation):
        await add_identity(migrated, failed_login_attempts=-1)

    assert await count(migrated, "identities") == 0


async def test_audit_events_are_never_changed(migrated):
    """An UPDATE of an audit event is refused, even one that changes nothing."""
    await add_event(migrated)

    with pytest.raises(RuleViolation):
        await run(migrated, "UPDATE ostiary.audit_events SET reason = reason")

    assert await count(migrated, "audit_events") == 1


async def test_audit_events_are_deleted_up_to_the_purge_mark_only(migrated):
    """Retention moves the mark, then deletes; a DELETE that reaches past the mark removes nothing."""
    for _ in range(3):
        await add_event(migrated)

    with pytest.raises(RuleViolation):
        await run(migrated, "DELETE FROM ostiary.audit_events WHERE seq = 1")
    await run(migrated, "UPDATE ostiary.audit_purge_mark SET through_seq = 2")
    with pytest.raises(RuleViolation):
        await run(migrated, "DELETE FROM ostiary.audit_events")
    deleted = await run(migrated, "DELETE FROM ostiary.audit_events WHERE seq <= 2")

    assert deleted == 2
    assert await count(migrated, "audit_events") == 1


async def test_without_a_purge_mark_no_audit_event_is_deleted(migrated):
    """Removing the mark opens nothing."""
    await add_event(migrated)
    await run(migrated, "DELETE FROM ostiary.audit_purge_mark")

    with pytest.raises(RuleViolation):
        await run(migrated, "DELETE FROM ostiary.audit_events")

    assert await count(migrated, "audit_events") == 1


async def test_there_is_one_purge_mark(migrated):
    """A second mark, which could be read instead of the first, is refused."""
    with pytest.raises(RuleViolation):
        await insert(migrated, "audit_purge_mark", id=2, through_seq=100)

    assert await count(migrated, "audit_purge_mark") == 1


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=False)
async def test_audit_events_cannot_be_truncated(migrated, dialect):
    """TRUNCATE, which row triggers do not see, is refused."""
    await add_event(migrated)

    with pytest.raises(RuleViolation):
        await run(migrated, "TRUNCATE ostiary.audit_events")

    assert await count(migrated, "audit_events") == 1


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=False)
@pytest.mark.parametrize("key", ["id", "seq"])
async def test_audit_events_cannot_be_replaced(migrated, dialect, key):
    """SQLite's REPLACE, which delete triggers do not see, is refused whichever key it aims at."""
    event_id = await add_event(migrated)
    aim = {"id": event_id, "seq": 7} if key == "id" else {"id": fresh_id(), "seq": 1}
    row = {**aim, "occurred_at": NOW, "action": "forged", "success": True}
    columns, places = ", ".join(row), ", ".join(f"${number}" for number in range(1, len(row) + 1))

    with pytest.raises(RuleViolation):
        await run(migrated, f"REPLACE INTO ostiary.audit_events ({columns}) VALUES ({places})", *row.values())

    actions = await migrated.fetch_all(Query("SELECT action FROM ostiary.audit_events", into=str))
    assert actions == [Action.IDENTITY_READ]


async def test_audit_numbers_are_not_used_twice(migrated):
    """The number of a purged event is never given to a later one, so a gap stays visible."""
    await add_event(migrated)
    await run(migrated, "UPDATE ostiary.audit_purge_mark SET through_seq = 1")
    await run(migrated, "DELETE FROM ostiary.audit_events")

    await add_event(migrated)

    assert await migrated.fetch_one(Query("SELECT max(seq) FROM ostiary.audit_events", into=int)) == 2
