"""Verification: what was moved is the same, and whatever is not is named."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from tests.features.legacy.migrating import moved
from tests.features.legacy.systems import SYSTEMS, build

from ostiary.features.legacy import Canary, LegacyError, Level, State
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio


@pytest.fixture
def there_url(request, dialect, tmp_path):
    """An empty database to be migrated from."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path}/there.db"
        return
    cluster = request.getfixturevalue("postgres_cluster")
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def move(running, there_url, migrated_url, tmp_path):
    """Moves a system here."""
    return lambda name, **size: moved(running, name, there_url, migrated_url, tmp_path, **size)


def systems_on(dialect):
    return [name for name in SYSTEMS if {dialect, "files"} & set(build(name, "clean").dialects)]


@pytest.mark.parametrize("size", ["clean", "dirty"])
@pytest.mark.parametrize(
    ("dialect", "name"),
    [(dialect, name) for dialect in ("sqlite", "postgresql") for name in systems_on(dialect)],
)
async def test_what_was_moved_is_the_same(move, name, size):
    """A migration that nobody meddled with is verified at the deepest level, whatever its rows are like."""
    async with move(name, size=size) as one:
        found = await one.verify("deep")

    assert found.mismatches == []
    assert found.root_there == found.root_here
    assert all(counted.agrees for counted in found.counts.values())
    assert found.checks["digests"].total >= len(list(build(name, "clean").people()))
    assert found.checks["shadow reads"].total


async def _two(one, query):
    """Return two rows of different owners, and the keys of those."""
    rows = await one.here(query)
    first = rows[0]
    return first, next(row for row in rows if row[0] != first[0])


_OWNED = (
    "SELECT root_key, {} FROM ostiary.{} AS t JOIN ostiary.legacy_identities AS k ON k.identity_id = t.{}"
)


def owned(table, column="id", by="identity_id", where="TRUE"):
    """Select records with the key of their owner over there."""
    return f"{_OWNED.format('t.' + column, table, by)} WHERE {where} ORDER BY root_key, t.{column}"


# What is changed here, and in which table it has to be found.
CHANGES = {
    "e-mail": ("auth-entity", "identities", "email_normalized = 'other@example.org'", "t.email IS NOT NULL"),
    "spelling": ("auth-entity", "identities", "email = upper(email)", "t.email IS NOT NULL"),
    "phone": ("auth-entity", "identities", "phone = '+447700900999'", "t.phone IS NOT NULL"),
    "empty for null": ("auth-entity", "identities", "locale = ''", "TRUE"),
    "hash": ("auth-entity", "identities", "password_hash = '$2b$04$other'", "t.password_hash IS NOT NULL"),
    "scheme": ("auth-entity", "identities", "password_scheme = 'argon2id'", "t.password_hash IS NOT NULL"),
    "status": ("auth-entity", "identities", "status = 'suspended'", "t.status = 'active'"),
    "session": ("jwt-sessions", "sessions", "ip_address = '198.51.100.1'", "TRUE"),
    "ended": ("jwt-sessions", "sessions", "ended_at = created_at", "TRUE"),
    "one-time token": ("token-tables", "challenges", "destination = 'other@example.org'", "TRUE"),
    "account": ("token-vault", "linked_accounts", "provider_account_id = 'other'", "TRUE"),
    "history": ("token-vault", "login_history", "user_agent = 'other'", "TRUE"),
    "authenticator app": ("django", "totp_factors", "label = 'other'", "TRUE"),
    "passkey": ("django", "passkeys", "sign_count = sign_count + 1", "TRUE"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_record_that_is_another_is_named(move, change):
    """One value that was changed here is found, under the key of its owner, and nothing else is."""
    name, table, change_to, where = CHANGES[change]
    by = "id" if table == "identities" else "identity_id"
    async with move(name) as one:
        key, record = (await one.here(owned(table, by=by, where=where)))[0]
        await one.here(f"UPDATE ostiary.{table} SET {change_to} WHERE id = $1", record)

        found = await one.verify()

    assert {(mismatch.table, mismatch.key) for mismatch in found.mismatches} == {(table, key)}
    assert found.root_there != found.root_here


async def test_a_token_that_was_swapped_is_named(move):
    """Two tokens that open each other's session are found with both owners."""
    async with move("jwt-sessions") as one:
        (key, mine), (other, theirs) = await _two(one, owned("legacy_bearers", "digest"))
        swap = "UPDATE ostiary.legacy_bearers SET digest = $1 WHERE digest = $2"
        for values in ((b"between", mine), (mine, theirs), (theirs, b"between")):
            await one.here(swap, *values)

        found = await one.verify()

    assert {(one.table, one.key) for one in found.mismatches} == {
        ("legacy_bearers", key),
        ("legacy_bearers", other),
    }


async def test_a_session_that_is_gone_is_named(move):
    """A session that was deleted here is missing."""
    async with move("jwt-sessions") as one:
        key, session = (await one.here(owned("sessions")))[0]
        await one.here("DELETE FROM ostiary.legacy_bearers WHERE session_id = $1", session)
        await one.here("DELETE FROM ostiary.sessions WHERE id = $1", session)

        found = await one.verify()

    assert {one.key for one in found.mismatches} == {key}
    assert ("sessions", "1 is missing") in {(one.table, one.what) for one in found.mismatches}


async def test_a_role_too_many_is_named(move):
    """A role that nobody has over there is found here."""
    async with move("auth-entity") as one:
        key, identity = (await one.here(owned("identities", by="id")))[0]
        await one.here(
            "INSERT INTO ostiary.role_grants (identity_id, role_id, granted_by, granted_at) "
            "SELECT i.id, r.id, 'legacy', i.created_at FROM ostiary.identities AS i, ostiary.roles AS r "
            "WHERE i.id = $1 AND r.name = 'admin' ON CONFLICT DO NOTHING",
            identity,
        )

        found = await one.verify()

    assert [(one.table, one.key, one.what) for one in found.mismatches] == [
        ("role_grants", key, "1 is too many")
    ]


async def test_what_is_over_there_and_not_here_is_named(move):
    """A row that came, one that went and one that changed over there, none of them captured, are each found."""
    async with move("auth-entity") as one:
        keys = [
            key for (key,) in await one.there('SELECT id FROM "user" WHERE "email" IS NOT NULL ORDER BY id')
        ]
        changed, gone = keys[0], keys[1]
        await one.there('UPDATE "user" SET "name" = \'Other\' WHERE id = $1', changed)
        for table in ("vendors", "user_role", "token", "user_address"):
            await one.there(f'DELETE FROM "{table}" WHERE "userId" = $1', gone)
        await one.there('DELETE FROM "user" WHERE id = $1', gone)
        new = "00000000-0000-4000-8000-000000000000"
        await one.there(f"INSERT INTO \"user\" (id, name) VALUES ('{new}', 'New')")
        await one.source.capture.settle(await one.source.capture.changed(10))

        found = await one.verify()

    digests = {(one.table, one.key, one.what) for one in found.mismatches if one.key}
    assert digests == {
        ("user", str(changed), "has changed over there, and that was not captured"),
        ("user", str(gone), "is not over there any more, and that was not captured"),
        ("user", new, "was not taken over"),
    }


async def test_whoever_waits_to_be_taken_over_is_left_out(move):
    """A change that was captured and not taken over yet is no mismatch; how many wait is said."""
    async with move("auth-entity") as one:
        await one.there(
            "INSERT INTO \"user\" (id, name) VALUES ('00000000-0000-4000-8000-000000000000', 'New')"
        )
        ((key,),) = await one.there(
            'SELECT id FROM "user" WHERE "email" IS NOT NULL ORDER BY id DESC LIMIT 1'
        )
        await one.there('UPDATE "user" SET "name" = \'Other\' WHERE id = $1', key)

        found = await one.verify()

    assert found.mismatches == []
    assert found.waiting == 2


async def test_a_row_without_an_owner_that_is_not_accounted_for_is_named(move):
    """Rows that belong to nobody are compared as well."""
    async with move("token-vault", size="dirty") as one:
        (stray,) = (
            await one.here("SELECT source_key FROM ostiary.legacy_findings WHERE reason = 'OWNER_MISSING'")
        )[0]
        await one.there(
            'UPDATE "user_sessions" SET "fingerprint" = \'other\' WHERE "userId" NOT IN (SELECT id FROM users)'
        )

        found = await one.verify()

    assert [(one.table, one.key) for one in found.mismatches] == [("user_sessions", stray)]


@pytest.mark.parametrize("level", ["digest", "deep"])
async def test_inv_10_tokens_swapped_between_rows_do_not_open(move, level):
    """Two sealed tokens that changed places look as before from outside, and do not open in each other's place."""
    async with move("token-vault") as one:
        sealed = owned("linked_accounts", "access_token", where="t.access_token IS NOT NULL")
        (key, mine), (other, theirs) = await _two(one, sealed)
        swap = "UPDATE ostiary.linked_accounts SET access_token = $1 WHERE access_token = $2"
        for values in ((b"between", mine), (mine, theirs), (theirs, b"between")):
            await one.here(swap, *values)

        found = await one.verify(level)

    named = {(one.table, one.key, one.what) for one in found.mismatches}
    wanted = {("linked_accounts", owner, "a token does not open") for owner in (key, other)}
    assert named == (wanted if level == "deep" else set())


@pytest.mark.parametrize(
    ("name", "table", "column", "named", "what"),
    [
        ("token-vault", "legacy_roots", "archive", "users", "its archive does not open"),
        ("django", "totp_factors", "secret_sealed", "totp_factors", "a secret does not open"),
    ],
)
async def test_a_bit_of_what_is_sealed_is_named(move, name, table, column, named, what):
    """One bit of an archive or of an authenticator app's secret that is another is found at the deepest level."""
    async with move(name) as one:
        query = (
            owned(table, column)
            if table != "legacy_roots"
            else ("SELECT root_key, archive FROM ostiary.legacy_roots ORDER BY root_key")
        )
        key, sealed = (await one.here(query))[0]
        spoilt = sealed[:-1] + bytes([sealed[-1] ^ 1])
        await one.here(f"UPDATE ostiary.{table} SET {column} = $1 WHERE {column} = $2", spoilt, sealed)

        found = await one.verify("deep")

    assert [(one.table, one.key, one.what) for one in found.mismatches] == [(named, key, what)]


@pytest.mark.parametrize("level", get_args(Level))
async def test_a_map_that_points_at_nobody_is_named(move, level):
    """An identity that the map has and that is not there is found at every level, and so is one the map lacks."""
    async with move("token-tables") as one:
        (key, identity), (other, theirs) = await _two(one, owned("identities", by="id"))
        for table in ("legacy_bearers", "challenges", "sessions", "users", "role_grants", "linked_accounts"):
            await one.here(f"DELETE FROM ostiary.{table} WHERE identity_id = $1", identity)
        await one.here("DELETE FROM ostiary.identities WHERE id = $1", identity)
        await one.here("DELETE FROM ostiary.legacy_identities WHERE identity_id = $1", theirs)

        found = await one.verify(level)

    assert {one.key for one in found.mismatches} == {key, other}
    assert found.checks["foreign keys"].differing == 3


async def test_counts_tell_that_a_row_is_in_no_state(move):
    """Each row over there was mapped, quarantined or dropped, and exactly one of these."""
    async with move("token-tables") as one:
        key = (await one.here("SELECT root_key FROM ostiary.legacy_roots ORDER BY root_key"))[0][0]
        await one.here(
            "UPDATE ostiary.legacy_roots SET counts = '{\"users\": [2, 0, 0]}' WHERE root_key = $1", key
        )

        found = await one.verify("counts")

    assert not found.is_green
    assert (found.mismatches[0].table, found.mismatches[0].key) == ("users", "")


async def test_a_whole_verification_makes_the_migration_verified(move):
    """Only what was wholly compared, and is the same, can be relied on; a red one takes it back."""
    async with move("token-tables") as one:
        legacy = one.running.auth.services.legacy
        states = []
        for level, sample in (("counts", None), ("digest", 0.5), ("digest", None), ("digest", 0.5)):
            await one.verify(level, sample=sample)
            states.append((await legacy.current()).state)
        await one.here("UPDATE ostiary.identities SET status = 'suspended'")
        await one.verify()
        kept = await legacy.current()

    assert states == [State.BACKFILLED, State.BACKFILLED, State.VERIFIED, State.VERIFIED]
    assert kept.state is State.BACKFILLED
    assert kept.verification["is_green"] is False
    assert kept.verified_at == one.running.auth.clock.now()


async def test_a_sample_says_that_it_is_one(move):
    """Of a sample of owners only these are compared, the same at every time, and the result says so."""
    async with move("token-tables") as one:
        found = [await one.verify(sample=0.5) for _ in range(2)]

    assert [each.sample for each in found] == [0.5, 0.5]
    assert not found[0].is_complete
    assert 0 < found[0].checks["digests"].total < 40
    assert found[0].root_here == found[1].root_here


async def test_every_look_up_finds_who_is_found_over_there(move):
    """By e-mail, phone and account everybody is found, and nobody by what somebody else keeps."""
    async with move("auth-entity", size="dirty") as one:
        found = await one.verify()

    assert found.checks["shadow reads"].differing == 0
    assert found.checks["shadow reads"].total > found.checks["digests"].total


async def test_a_look_up_that_finds_somebody_else_is_named(move):
    """Two people who answer to each other's address are found with both."""
    async with move("auth-entity") as one:
        address = owned("identities", "email_normalized", by="id", where="t.email_normalized IS NOT NULL")
        (key, mine), (other, theirs) = await _two(one, address)
        swap = "UPDATE ostiary.identities SET email_normalized = $1 WHERE email_normalized = $2"
        for values in (("between", mine), (mine, theirs), (theirs, "between")):
            await one.here(swap, *values)

        found = await one.verify()

    assert {one.key for one in found.mismatches} == {key, other}
    assert found.checks["shadow reads"].differing >= 2


@pytest.mark.parametrize("is_spoilt", [False, True])
async def test_once_cut_over_the_archive_is_what_is_compared(move, is_spoilt):
    """What people do here since is no mismatch; an archive that would not bring the old rows back is."""
    async with move("token-tables") as one:
        await one.here("UPDATE ostiary.legacy_migrations SET state = 'soaking'")
        await one.here("UPDATE ostiary.identities SET last_login_at = updated_at, status = 'suspended'")
        key, archive = (
            await one.here("SELECT root_key, archive FROM ostiary.legacy_roots ORDER BY root_key")
        )[0]
        if is_spoilt:
            await one.here(
                "UPDATE ostiary.legacy_roots SET archive = $1 WHERE root_key = $2", archive[:-1], key
            )

        found = await one.verify()
        kept = await one.running.auth.services.legacy.current()

    wanted = [("users", key, "its archive does not open")] if is_spoilt else []
    assert [(one.table, one.key, one.what) for one in found.mismatches] == wanted
    assert kept.state is State.SOAKING
    assert kept.verification["mismatches"] == len(wanted)


async def test_nothing_is_verified_before_every_owner_was_looked_at(move):
    """A migration that is on its way cannot be verified."""
    async with move("token-tables") as one:
        await one.here("UPDATE ostiary.legacy_migrations SET state = 'backfilling'")

        with pytest.raises(LegacyError, match="Not every owner"):
            await one.verify()


def canaries_of(system):
    """Return somebody with a password for each scheme."""
    found = {
        identity.scheme: Canary(identity.email or person.key, Secret(identity.password))
        for person in system.people()
        for identity in person.identities
        if identity.password is not None and identity.status == "active"
    }
    return [found[scheme] for scheme in sorted(found)]


@pytest.mark.parametrize("name", ["token-tables", "auth-entity", "django", "laravel"])
async def test_the_right_password_is_accepted_and_another_refused(move, name):
    """A canary for each scheme shows that its passwords work here as they did."""
    async with move(name) as one:
        wanted = canaries_of(one.system)
        found = await one.verify("counts", canaries=wanted)

    assert found.mismatches == []
    assert len(found.covered) == len(wanted) > 0
    assert found.covered <= set(found.schemes)


async def test_a_canary_that_dies_is_named_by_its_number(move):
    """A wrong password and somebody unknown are found; of who they are, and their passwords, nothing is said."""
    async with move("token-tables") as one:
        (right, *_) = canaries_of(one.system)
        wrong = Canary(right.identifier, Secret("canary-wrong-password"))
        nobody = Canary("canary-nobody@example.org", Secret("canary-of-nobody"))

        found = await one.verify("counts", canaries=[right, wrong, nobody])
        kept = await one.running.auth.services.legacy.current()
        attempts = await one.here("SELECT max(failed_login_attempts) FROM ostiary.identities")

    assert [(one.table, one.key, one.what) for one in found.mismatches] == [
        ("canaries", "2", "the password is refused"),
        ("canaries", "3", "nobody with a password answers to it"),
    ]
    said = msgspec.json.encode([found.document(), kept.verification]).decode() + repr(found)
    assert not any(
        text in said
        for text in ("canary-", right.identifier, right.password.reveal(), wrong.password.reveal())
    )
    assert attempts == [(0,)]


async def test_no_value_of_a_row_is_said(move):
    """What a verification says of a system where everything differs has keys and names in it, and no value."""
    async with move("token-vault") as one:
        await one.here("UPDATE ostiary.identities SET email = 'x', password_hash = 'y', status = 'suspended'")
        values = await one.there('SELECT "email", "firstName", "phone" FROM "users"')
        tokens = await one.there('SELECT "accessToken", "refreshToken" FROM "user_sessions"')

        found = await one.verify("deep")

    said = msgspec.json.encode(found.document()).decode()
    assert found.total > 40
    assert not [
        value for row in [*values, *tokens] for value in row if value and len(value) > 4 and value in said
    ]
