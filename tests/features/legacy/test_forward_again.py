"""Forward again after a rollback: as if it had never gone back, but for those who were born here, who stay who they are."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from tests.factories import ORIGIN, attempt, insert
from tests.features.legacy.moving import Targets, begin, contents, differences, move, on

from ostiary.features.audit import Origin
from ostiary.features.flows import SignedIn
from ostiary.features.sessions import Refused
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.ids import new_id
from ostiary.foundation.secret import Secret

pytestmark = pytest.mark.anyio

KEY = "5b0f8f5a-0000-4000-8000-000000000001"
HASH = "$2b$04$abcdefghijklmnopqrstuuJqTpSkKNXlnd7FYdGbLzCHSKTwZ3Gm6"


def _plain(one):
    return (
        one.entity_type == "user"
        and one.status == "active"
        and one.password
        and one.email
        and not one.sessions
    )


def _compared(found):
    """Leave out what was begun here, and how often tokens of somebody were ended: no other system knows of it."""
    return {
        table: [re.sub(r"token_epoch=\d+", "", row) for row in rows if ORIGIN.user_agent not in row]
        for table, rows in found.items()
    }


async def test_forward_again_comes_to_what_a_fresh_migration_comes_to(
    moving, arrival, tmp_path, migrated_sqlite_template
):
    """Rolled back, changed over there, and run again: the same rows here as if it had begun now."""
    soak = await moving("auth-entity", "dirty")
    going, services = soak.going, arrival.auth.services
    await begin(services.database, going.plan, arrival.clock.now())
    began = arrival.clock.now()
    await going.run()
    await going.cut_over()
    first, second, third, fourth = [one for p in soak.people for one in p.identities if _plain(one)][:4]
    await soak.change_password(first)
    await attempt(arrival.auth, second.email, password=second.password)
    cast = "" if going.there_url.startswith("sqlite") else "::text"
    # While it soaks nothing is noted over there.
    await going.there(f'DELETE FROM user_role WHERE "userId"{cast} = $1', third.entity_id)
    await going.roll_back()
    await going.there(f'UPDATE "user" SET name = $1 WHERE id{cast} = $2', "Theirs", first.entity_id)
    await going.there(f'UPDATE "user" SET password = $1 WHERE id{cast} = $2', HASH, second.entity_id)
    await going.there(f'DELETE FROM "user" WHERE id{cast} = $1', fourth.entity_id)
    await going.there(
        'INSERT INTO "user" (id, name, email) VALUES ($1, $2, $3)', KEY, "Somebody", "some@example.org"
    )

    await going.run()

    again = await contents(arrival.auth, services.database, going.source)
    targets = Targets(arrival.auth, tmp_path, migrated_sqlite_template)
    async with targets.opened(targets.copy()) as database:
        await begin(database, going.plan, began)
        await move(on(arrival.auth, database), going.plan, going.source)
        fresh = await contents(arrival.auth, database, going.source)
    assert differences(_compared(again), _compared(fresh)) == []


async def test_whoever_was_deleted_over_there_while_it_soaked_is_gone_on_the_way_forward(soaking):
    """A deletion that nothing noted, as the tables were closed, is found by looking."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_plain)
    cast = "" if soak.going.there_url.startswith("sqlite") else "::text"
    for table, column in (("token", "userId"), ("user_role", "userId")):
        await soak.going.source.capture.open_tables()
        await soak.going.there(f'DELETE FROM "{table}" WHERE "{column}"{cast} = $1', one.entity_id)
    await soak.going.there(f'DELETE FROM "user" WHERE id{cast} = $1', one.entity_id)
    await soak.going.roll_back()

    await soak.going.run()

    assert (
        await soak.going.here(
            "SELECT id FROM ostiary.identities WHERE entity_id = $1", one.entity_id, into=UUID
        )
        == []
    )


async def test_whoever_was_born_here_stays_who_they_are(soaking):
    """Born here, gone there and back: the same identity, with the passkey and the app they have here, and their row's name."""
    soak = await soaking("auth-entity")
    going, now = soak.going, soak.now
    identity_id = await soak.born("new@example.org")
    passkey, totp = new_id(now, Entropy()), new_id(now, Entropy())
    await insert(
        soak.auth,
        "passkeys",
        id=passkey,
        identity_id=identity_id,
        credential_id=b"credential",
        public_key=b"key",
        sign_count=1,
        aaguid="00000000-0000-0000-0000-000000000000",
        transports=[],
        backup_eligible=False,
        backed_up=False,
        label="Key",
        created_at=now,
    )
    await insert(
        soak.auth,
        "totp_factors",
        id=totp,
        identity_id=identity_id,
        secret_sealed=b"sealed",
        label="App",
        created_at=now,
        confirmed_at=now,
    )
    await going.roll_back()
    await going.there("UPDATE \"user\" SET name = 'Renamed' WHERE email = 'new@example.org'")

    await going.run()
    await going.cut_over()
    foreseen = await going.foresee()

    assert await going.here(
        "SELECT id FROM ostiary.identities WHERE email = $1", "new@example.org", into=UUID
    ) == [identity_id]
    assert await going.here("SELECT id FROM ostiary.passkeys", into=UUID) == [passkey]
    assert await going.here("SELECT id FROM ostiary.totp_factors", into=UUID) == [totp]
    assert await going.here("SELECT display_name FROM ostiary.users WHERE identity_id = $1", identity_id) == [
        "Renamed"
    ]
    assert (foreseen.rows_changed, foreseen.born, foreseen.needing_reset) == (0, 0, [])


async def test_sessions_of_before_are_dead_and_old_ones_are_exchanged_again(soaking):
    """Going back ends what was begun here; a session of the other system is exchanged here once more, after the way forward."""
    soak = await soaking("jwt-sessions")
    going, services = soak.going, soak.services
    one = soak.somebody(lambda one: one.sessions and one.status == "active")
    token = Secret(min(one.sessions))
    device = None
    before = await services.legacy_sign_in.exchange(token, device=device, origin=Origin(), now=soak.now)
    await going.roll_back()
    dead = await services.sessions.rotate(before.tokens.refresh_token, origin=Origin(), now=soak.now)
    await going.run()
    await going.cut_over()

    after = await services.legacy_sign_in.exchange(token, device=device, origin=Origin(), now=soak.now)

    assert isinstance(before, SignedIn)
    assert isinstance(dead, Refused)
    assert isinstance(after, SignedIn)


async def test_a_way_back_after_a_way_forward_after_a_contraction_is_complete(soaking):
    """Contracted, put back, forward again, and changes over there are still noticed: the count of them began anew."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_plain)
    cast = "" if soak.going.there_url.startswith("sqlite") else "::text"
    await soak.going.contract()
    await soak.going.roll_back()
    await soak.going.run()
    await soak.going.there(f'UPDATE "user" SET name = $1 WHERE id{cast} = $2', "Renamed", one.entity_id)

    await soak.going.run()

    identity_id = await soak.id_of(one)
    assert await soak.going.here(
        "SELECT display_name FROM ostiary.users WHERE identity_id = $1", identity_id
    ) == ["Renamed"]
