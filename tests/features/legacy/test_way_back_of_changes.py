"""What was written here after cut-over comes along when everything goes back, or is named before anybody is asked."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import bcrypt
import pytest
from tests.factories import ORIGIN, attempt
from tests.features.legacy.returning import NEWER, dump

from ostiary.features.audit import SYSTEM
from ostiary.features.flows import SignedIn
from ostiary.features.identities import Channel, Status, parse_email, parse_phone
from ostiary.features.passwords import detect
from ostiary.features.sessions import EndReason
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query

pytestmark = pytest.mark.anyio


def _is_plain_user(one):
    return (
        one.entity_type == "user"
        and one.status == "active"
        and one.password
        and one.email
        and one.phone
        and "vendor" not in one.roles
    )


def _is_unusable(password):
    """No hash of any kind; and where passwords lie open, nobody can guess it."""
    return detect(password) == {"unusable"} and len(set(password)) > 8


def _accepts(stored, password):
    return bcrypt.checkpw(password.encode(), stored.encode())


async def test_addresses_and_names_come_along(soaking):
    """An e-mail address, a number and a name that were changed here are over there after going back, and nothing else is."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    before = await dump(soak.going.there_url)
    await soak.set_address(one, Channel.EMAIL, parse_email("moved@example.org"))
    await soak.set_address(one, Channel.PHONE, parse_phone("+442079460999"))
    await soak.services.database.execute(
        Query("UPDATE ostiary.users SET display_name = 'New Name' WHERE identity_id = $1"),
        await soak.id_of(one),
    )

    foreseen = await soak.going.foresee()
    done = await soak.going.roll_back()
    after = await dump(soak.going.there_url)

    assert (foreseen.rows_changed, done.rows_changed, foreseen.is_lossy) == (1, 1, False)
    assert await soak.row("user", one.entity_id, "email", "phone", "name") == (
        "moved@example.org",
        "+442079460999",
        "New Name",
    )
    changed = {line for line in set(after) ^ set(before) if "capture" not in line}
    assert all(one.entity_id in line for line in changed)


async def test_looking_first_writes_nothing(soaking, migrated_sqlite_url):
    """A dry run leaves both sides as they are, to the last counter."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    await soak.change_password(one)
    there = await soak.going.source.state()
    here = await dump(migrated_sqlite_url)

    foreseen = await soak.going.foresee()

    assert foreseen.rows_changed == 1
    assert await soak.going.source.state() == there
    assert await dump(migrated_sqlite_url) == here


async def test_a_new_password_works_over_there_and_the_old_one_does_not(soaking):
    """Changed here with a shadow: the other system's own verifier takes the new password, and refuses the old."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    await soak.change_password(one)

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    stored = await soak.row("user", one.entity_id, "password")
    assert foreseen.needing_reset == []
    assert _accepts(stored, NEWER)
    assert not _accepts(stored, one.password)


async def test_a_hash_that_was_only_made_anew_stays_as_it_was(soaking):
    """Signing in here makes a stronger hash of the same password: over there nothing is written for it."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    before = await soak.row("user", one.entity_id, "password")
    outcome = await attempt(soak.auth, one.email, password=one.password)

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    assert isinstance(outcome, SignedIn)
    assert (foreseen.rows_changed, foreseen.sessions_end) == (0, 1)
    assert await soak.row("user", one.entity_id, "password") == before


async def test_a_password_that_has_no_shadow_is_named_and_the_old_one_is_dead(soaking):
    """Without a hash the other system can check, somebody is listed, and nobody gets in there with the old password."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    await soak.change_password(one)
    await soak.services.database.execute(
        Query("UPDATE ostiary.identities SET shadow_hash = NULL WHERE id = $1"), await soak.id_of(one)
    )

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    assert foreseen.needing_reset == [one.entity_id]
    assert foreseen.is_lossy
    assert _is_unusable(await soak.row("user", one.entity_id, "password"))


async def test_whoever_was_suspended_is_so_over_there(soaking):
    """A suspension is written where there is a flag for it."""
    soak = await soaking("token-vault")
    one = soak.somebody(lambda one: one.status == "active")
    async with soak.services.database.transaction() as tx:
        await soak.services.identities.set_status(tx, await soak.id_of(one), Status.SUSPENDED, now=soak.now)

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    assert not foreseen.is_lossy
    assert not await soak.row("users", one.entity_id, "isActive")


async def test_a_suspension_without_a_flag_is_named_and_takes_the_password(soaking):
    """Where the other system cannot say that somebody is suspended, they have no password there, and it is said."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    async with soak.services.database.transaction() as tx:
        await soak.services.identities.set_status(tx, await soak.id_of(one), Status.SUSPENDED, now=soak.now)

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    assert [key for key, _ in foreseen.irreversible] == [one.entity_id]
    assert _is_unusable(await soak.row("user", one.entity_id, "password"))


async def test_whoever_was_deleted_is_so_over_there(soaking):
    """A deletion is written as a moment, and no password is left that opens anything."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    async with soak.services.database.transaction() as tx:
        await soak.services.identities.delete(tx, await soak.id_of(one), now=soak.now)

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    deleted_at, password = await soak.row("user", one.entity_id, "deletedAt", "password")
    assert not foreseen.is_lossy
    assert deleted_at is not None
    assert _is_unusable(password)


async def test_whoever_was_erased_is_named_and_noted_as_deleted(soaking):
    """Of somebody who was erased here the other system knows that they are gone; that it keeps the rest is said."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    identity_id = await soak.id_of(one)
    async with soak.services.database.transaction() as tx:
        await soak.services.identities.delete(tx, identity_id, now=soak.now)
        await soak.services.identities.erase(tx, identity_id)

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    assert [key for key, _ in foreseen.irreversible] == [one.entity_id]
    assert (await soak.row("user", one.entity_id, "deletedAt")) is not None


async def test_tokens_that_were_renewed_lie_in_the_old_row_again(soaking):
    """The newest tokens of a provider are where the other system looks for them, and nowhere else."""
    soak = await soaking("token-vault")
    one = soak.somebody(lambda one: len(one.sessions) > 1 and one.vault)
    ((_, account, access, _),) = one.vault
    (account_id,) = await soak.going.here(
        "SELECT id FROM ostiary.linked_accounts WHERE provider_account_id = $1", account, into=UUID
    )
    end = soak.now.replace(microsecond=0) + timedelta(hours=1)
    renewed = UpstreamTokens(
        Secret("new access"), Secret("new refresh"), Secret("new id"), access_token_expires_at=end
    )
    async with soak.services.database.transaction() as tx:
        soak.services.vault.keep(tx, account_id, await soak.id_of(one), renewed, now=soak.now)

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    rows = await soak.going.there(
        'SELECT "accessToken", "refreshToken", "idToken" FROM user_sessions WHERE "userId" = $1',
        one.entity_id,
    )
    assert (foreseen.rows_changed, foreseen.is_lossy) == (1, False)
    assert ("new access", "new refresh", "new id") in rows
    assert access not in {row[0] for row in rows}
    assert len(rows) >= len(one.sessions)


async def test_whoever_was_born_here_has_a_row_over_there(soaking):
    """Somebody who came while it soaked is somebody over there, with no password that opens anything, and it is said."""
    soak = await soaking("auth-entity")
    identity_id = await soak.born("new@example.org", phone="+442079460998")

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    (row,) = await soak.going.there(
        'SELECT "email", "phone", "password" FROM "user" WHERE "email" = $1', "new@example.org"
    )
    assert foreseen.born == 1
    assert len(foreseen.needing_reset) == 1
    assert row[:2] == ("new@example.org", "+442079460998")
    assert _is_unusable(row[2])
    assert await soak.going.here(
        "SELECT identity_id FROM ostiary.legacy_identities WHERE is_adopted", into=UUID
    ) == [identity_id]


async def test_whoever_was_born_where_keys_are_made_over_there_is_named(soaking):
    """Somebody whose row the profile cannot make is listed, and stays here."""
    soak = await soaking("token-tables")
    identity_id = await soak.born("new@example.org")

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    assert foreseen.born == 0
    assert len(foreseen.irreversible) == 1
    assert (await soak.services.identities.get(identity_id)).email == "new@example.org"


async def test_what_no_profile_can_write_is_named(soaking):
    """Roles, accounts at providers that changed here are listed with whose they are."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    identity_id = await soak.id_of(one)
    async with soak.services.database.transaction() as tx:
        await soak.services.roles.ensure(tx, "editor", now=soak.now)
        soak.services.vault.link(
            tx,
            identity_id=identity_id,
            entity_type="user",
            provider="github",
            provider_account_id="4711",
            profile={},
            linked_by=LinkedBy.SIGN_IN,
            tokens=None,
            now=soak.now,
        )
    await soak.services.role_administration.grant(identity_id, "editor", by=SYSTEM, now=soak.now)

    foreseen = await soak.going.foresee()

    assert set(foreseen.irreversible) == {
        (one.entity_id, "the role editor was added here"),
        (one.entity_id, "the account github was added here"),
    }


async def test_of_two_accounts_of_one_row_the_owners_goes_back(soaking):
    """User and vendor were one row and have two passwords now: the user's is written, and of the vendor it is said."""
    soak = await soaking("auth-entity")
    person = next(
        one
        for one in soak.people
        if len(one.identities) == 2 and one.identities[0].password and one.identities[0].status == "active"
    )
    user, vendor = person.identities
    await soak.change_password(user)
    await soak.change_password(vendor, "a third phrase that is long")

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    assert _accepts(await soak.row("user", user.entity_id, "password"), NEWER)
    assert foreseen.irreversible == [(vendor.entity_id, "the password of vendors has changed here")]


async def test_people_who_swapped_addresses_are_not_in_each_others_way(soaking):
    """A unique address that went from one to another, and back around, is written whatever the order of the rows."""
    soak = await soaking("auth-entity")
    first, second, third = [
        one for person in soak.people for one in person.identities if _is_plain_user(one)
    ][:3]
    await soak.set_address(first, Channel.EMAIL, parse_email("between@example.org"))
    await soak.set_address(third, Channel.EMAIL, parse_email("third@example.org"))
    await soak.set_address(second, Channel.EMAIL, parse_email(third.email))
    await soak.set_address(first, Channel.EMAIL, parse_email(second.email))
    await soak.set_address(third, Channel.EMAIL, parse_email(first.email))

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    emails = [await soak.row("user", one.entity_id, "email") for one in (first, second, third)]
    assert not foreseen.is_lossy
    assert [one.lower() for one in emails] == [one.email.lower() for one in (second, third, first)]


async def test_what_somebody_else_keeps_over_there_is_named(soaking):
    """An address that a row over there has whose owner did not come here with it is not taken from them."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    key = "5b0f8f5a-0000-4000-8000-000000000001"
    await soak.set_address(one, Channel.EMAIL, parse_email("taken@example.org"))
    await soak.going.source.capture.open_tables()
    await soak.going.there(
        'INSERT INTO "user" (id, name, email) VALUES ($1, $2, $3)', key, "Somebody", "taken@example.org"
    )

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    assert foreseen.irreversible == [(one.entity_id, "email of user is somebody else's over there")]
    assert (await soak.row("user", one.entity_id, "email")) == one.email
    assert (await soak.row("user", key, "email")) == "taken@example.org"


async def test_what_the_other_system_wrote_meanwhile_stays(soaking):
    """A name that the application changed over there while it soaked is not taken back to what it was."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    cast = "" if soak.going.there_url.startswith("sqlite") else "::text"
    await soak.going.there(f'UPDATE "user" SET name = $1 WHERE id{cast} = $2', "Theirs", one.entity_id)
    await soak.change_password(one)

    await soak.going.roll_back()

    name, stored = await soak.row("user", one.entity_id, "name", "password")
    assert name == "Theirs"
    assert _accepts(stored, NEWER)


async def test_a_session_that_was_ended_here_is_over_there_too(soaking):
    """Whoever signed out here is not signed in again by going back; sessions nobody ended are good as they were."""
    soak = await soaking("jwt-sessions")
    one = soak.somebody(lambda one: one.sessions)
    identity_id = await soak.id_of(one)
    async with soak.services.database.transaction() as tx:
        await soak.services.sessions.end_all(
            tx, identity_id, reason=EndReason.LOGOUT_EVERYWHERE, now=soak.now
        )

    foreseen = await soak.going.foresee()
    await soak.going.roll_back()

    rows = await soak.going.there('SELECT "accessToken" FROM sessions WHERE "userId" = $1', one.entity_id)
    others = await soak.going.there('SELECT count(*) FROM sessions WHERE "userId" <> $1', one.entity_id)
    assert not foreseen.is_lossy
    assert not {row[0] for row in rows} & set(one.sessions)
    assert others[0][0] > 0


async def test_a_session_that_was_exchanged_goes_on_over_there(soaking):
    """A token that was traded for a session here is good over there after going back, unless that session was ended."""
    soak = await soaking("jwt-sessions")
    first, second = [
        one for p in soak.people for one in p.identities if one.sessions and one.status == "active"
    ][:2]
    for one in (first, second):
        token = Secret(min(one.sessions))
        entered = await soak.services.legacy_sign_in.exchange(token, device=None, origin=ORIGIN, now=soak.now)
        assert isinstance(entered, SignedIn)
    soak.going.running.move(seconds=1)
    async with soak.services.database.transaction() as tx:
        reason = EndReason.LOGOUT_EVERYWHERE
        await soak.services.sessions.end_all(tx, await soak.id_of(second), reason=reason, now=soak.now)

    await soak.going.roll_back()

    rows = await soak.going.there('SELECT "accessToken", "refreshToken" FROM sessions')
    left = {token for row in rows for token in row}
    assert min(first.sessions) in left
    assert not left & set(second.sessions)


async def test_status_says_whether_something_would_be_lost(soaking):
    """Going back is possible, then lossy as soon as a password has no hash the other system reads."""
    soak = await soaking("auth-entity")
    one = soak.somebody(_is_plain_user)
    await soak.change_password(one)
    with_shadow = await soak.going.legacy.status()
    await soak.going.contract()

    without = await soak.going.legacy.status()

    assert (with_shadow.rollback, with_shadow.changed_password, with_shadow.with_shadow) == ("possible", 1, 1)
    assert (without.rollback, without.changed_password, without.with_shadow) == ("lossy", 1, 0)


async def test_taken_back_to_drafted_those_born_here_are_over_there_only(soaking):
    """As if it had never begun: whoever has a row over there is no one's here, whoever could get none stays."""
    soak = await soaking("auth-entity")
    written = await soak.born("new@example.org")

    await soak.going.roll_back(to_drafted=True)

    assert await soak.going.here("SELECT id FROM ostiary.identities WHERE id = $1", written, into=UUID) == []
    assert await soak.going.there('SELECT "email" FROM "user" WHERE "email" = $1', "new@example.org")
