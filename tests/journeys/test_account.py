"""The signed-in account: what its owner may do, what that ends, and what nobody else's id opens."""

from __future__ import annotations

import pytest
from tests.doubles import CountingDatabase
from tests.factories import ORIGIN, WRONG, attempt, count, delivered, registered, rotate

from ostiary.features.account import ProofRefused
from ostiary.features.flows import SignedIn
from ostiary.features.outbox import Template
from ostiary.features.profiles import ProfileChange
from ostiary.features.sessions import Caller, Refused, Rotated, Tokens
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query, Unstorable
from ostiary.testing.auth import PASSWORD
from ostiary.verifier import RevokedToken

pytestmark = pytest.mark.anyio

NEW = "another long phrase of hers"


@pytest.fixture
async def alice(auth):
    return await registered(auth, "alice@example.org")


def caller_of(auth, tokens):
    return Caller.of(auth.verify(tokens.access_token.reveal()), ORIGIN)


def is_alive(auth, tokens):
    try:
        auth.verify(tokens.access_token.reveal())
    except RevokedToken:
        return False
    return True


async def test_pwd_09_a_new_password_ends_every_session_and_hands_over_a_new_one(auth, alice):
    """Sessions, refresh tokens and access tokens of before are dead; the caller goes on with new ones."""
    elsewhere = (await attempt(auth, "alice@example.org")).tokens

    renewed = await auth.services.account.change_password(
        caller_of(auth, alice.tokens), current=Secret(PASSWORD), new=Secret(NEW), now=auth.clock.now()
    )

    assert isinstance(renewed, Tokens)
    assert [is_alive(auth, tokens) for tokens in (alice.tokens, elsewhere, renewed)] == [False, False, True]
    for tokens in (alice.tokens, elsewhere):
        assert isinstance(await rotate(auth, tokens.refresh_token), Refused)
    assert isinstance(await rotate(auth, renewed.refresh_token), Rotated)
    assert not isinstance(await attempt(auth, "alice@example.org"), SignedIn)
    assert isinstance(await attempt(auth, "alice@example.org", NEW), SignedIn)


async def test_mfa_06_the_owner_hears_of_a_new_password(auth, alice, running):
    """Whoever changes it, the account's address is told; a change that was refused is not told."""
    caller, now = caller_of(auth, alice.tokens), auth.clock.now()
    await auth.services.account.change_password(caller, current=Secret(WRONG), new=Secret(NEW), now=now)
    assert await delivered(running, Template.PASSWORD_CHANGED) == []

    await auth.services.account.change_password(caller, current=Secret(PASSWORD), new=Secret(NEW), now=now)

    assert [message.to for message in await delivered(running, Template.PASSWORD_CHANGED)] == [
        "alice@example.org"
    ]


async def test_pwd_09_a_change_needs_the_current_password(auth, alice):
    """A session alone changes nothing."""
    refused = await auth.services.account.change_password(
        caller_of(auth, alice.tokens), current=Secret(WRONG), new=Secret(NEW), now=auth.clock.now()
    )

    assert refused == ProofRefused()
    assert is_alive(auth, alice.tokens)
    assert isinstance(await attempt(auth, "alice@example.org"), SignedIn)


async def test_ses_02_a_step_up_is_a_new_session(auth, alice, running):
    """Proving oneself again ends the session that asked, and the new one was authenticated now."""
    running.move(hours=1)
    auth_time = auth.clock.now()
    fresh = (await rotate(auth, alice.tokens.refresh_token)).tokens

    renewed = await auth.services.account.reauthenticate(
        caller_of(auth, fresh), password=Secret(PASSWORD), now=auth_time
    )

    assert renewed.session_id != alice.tokens.session_id
    assert auth.verify(renewed.access_token.reveal()).authenticated_at == auth_time
    assert not is_alive(auth, fresh)


async def test_ses_05_logging_out_ends_the_session_at_once(auth, alice):
    """Access token, refresh token and session are over, and the history says when."""
    await auth.services.account.log_out(
        caller_of(auth, alice.tokens), refresh_token=None, now=auth.clock.now()
    )

    assert not is_alive(auth, alice.tokens)
    assert isinstance(await rotate(auth, alice.tokens.refresh_token), Refused)
    assert await count(auth, "login_history", "session_ended_at IS NOT NULL") == 1


@pytest.mark.parametrize(("keep_current", "alive"), [(True, [True, False]), (False, [False, False])])
async def test_ses_05_logging_out_everywhere(auth, alice, keep_current, alive):
    """Every other session ends, or every one."""
    elsewhere = (await attempt(auth, "alice@example.org")).tokens
    await auth.services.account.log_out_everywhere(
        caller_of(auth, alice.tokens), keep_current=keep_current, now=auth.clock.now()
    )

    assert [is_alive(auth, tokens) for tokens in (alice.tokens, elsewhere)] == alive
    assert isinstance(await attempt(auth, "alice@example.org"), SignedIn)


async def test_ses_07_sessions_of_others_do_not_exist(auth, alice):
    """Neither ending nor finding works with somebody else's session id, nor logging out with their token."""
    mallory = await registered(auth)
    services, now = auth.services, auth.clock.now()
    caller = caller_of(auth, mallory.tokens)

    assert not await services.account.end_session(caller, alice.tokens.session_id, now=now)
    assert (
        await services.sessions.find(mallory.identity_id, alice.tokens.session_id, now=auth.clock.now())
        is None
    )
    await services.account.revoke(caller, alice.tokens.refresh_token, token_id=None, now=now)
    await services.account.log_out(caller, refresh_token=alice.tokens.refresh_token, now=now)
    assert is_alive(auth, alice.tokens)
    assert isinstance(await rotate(auth, alice.tokens.refresh_token), Rotated)


async def test_ses_04_the_list_shows_live_sessions_by_one_statement(auth, alice, running):
    """Ended, expired and idle sessions are not listed; each has a label its owner recognises."""
    other = (await attempt(auth, "alice@example.org")).tokens
    async with auth.services.database.transaction() as tx:
        await auth.services.sessions.end(
            tx, alice.identity_id, other.session_id, reason="logout", now=auth.clock.now()
        )
    auth.services.sessions._database = counted = CountingDatabase(auth.services.database)

    listed = await auth.services.sessions.list(alice.identity_id, now=auth.clock.now())
    assert [session.id for session in listed] == [alice.tokens.session_id]
    assert listed[0].device_label == "Firefox on Linux"
    assert counted.round_trips == 1

    running.move(days=14)
    assert await auth.services.sessions.list(alice.identity_id, now=auth.clock.now()) == []


async def test_a_refresh_is_one_round_trip(auth, alice):
    """Rotating, and repeating a rotation within the grace time, are one statement each."""
    auth.services.sessions._database = counted = CountingDatabase(auth.services.database)
    trips = []
    for _ in range(2):
        counted.reset()
        assert isinstance(await rotate(auth, alice.tokens.refresh_token), Rotated)
        trips.append(counted.round_trips)

    assert trips == [1, 1]


async def test_a_token_check_is_no_round_trip(auth, alice):
    """Checking an access token, revocation included, reads nothing."""
    counted = CountingDatabase(auth.services.database)
    auth.services.sessions._database = auth.services.identities._database = counted
    for _ in range(3):
        auth.verify(alice.tokens.access_token.reveal())

    assert counted.round_trips == 0


async def test_s0_a_profile_is_one_query_that_knows_no_token(auth, alice):
    """`.email` and `.phone` come with it; no column of a credential, session or challenge is read."""
    from ostiary.features.profiles import store

    auth.services.profiles._database = counted = CountingDatabase(auth.services.database)
    profile = await auth.services.profiles.find("user", alice.identity_id)

    assert (profile.email, profile.phone) == ("alice@example.org", None)
    assert counted.round_trips == 1
    for queries in store.QUERIES.values():
        for forbidden in ("password", "token", "session", "challenge", "secret"):
            assert forbidden not in queries.find.postgresql


async def test_a_profile_changes_field_by_field(auth, alice):
    """What is absent stays, null clears, metadata merges."""
    caller, now = caller_of(auth, alice.tokens), auth.clock.now()
    change = auth.services.account.change_profile
    await change(caller, ProfileChange(given_name="Alice", metadata={"a": 1, "b": 2}), now=now)
    profile = await change(caller, ProfileChange(locale="de-CH", metadata={"a": None, "c": [3]}), now=now)

    assert (profile.given_name, profile.locale, profile.metadata) == ("Alice", "de-CH", {"b": 2, "c": [3]})
    assert await auth.services.profiles.find("user", alice.identity_id) == profile
    assert await count(auth, "audit_events", "action = 'identity:profile:changed'") == 2


async def test_text_no_database_can_hold_is_refused_by_both(auth, alice):
    """A NUL character is the same refusal on SQLite and PostgreSQL."""
    with pytest.raises(Unstorable):
        await auth.services.account.change_profile(
            caller_of(auth, alice.tokens), ProfileChange(given_name="a\0b"), now=auth.clock.now()
        )


async def test_a_deleted_account_is_gone_and_its_history_stays(auth, alice):
    """Tokens are dead, no sign-in works, the records remain."""
    await auth.services.privacy.delete(caller_of(auth, alice.tokens), now=auth.clock.now())

    assert not is_alive(auth, alice.tokens)
    assert not isinstance(await attempt(auth, "alice@example.org"), SignedIn)
    assert await count(auth, "audit_events", "action = 'identity:account:deleted'") == 1
    assert await count(auth, "identities", "password_hash IS NULL") == 1


async def test_adm_06_no_change_without_its_record(auth, alice):
    """When the audit row cannot be written, the account is not deleted and its sessions live."""
    await auth.services.database.execute(Query("ALTER TABLE ostiary.audit_events RENAME TO elsewhere"))

    with pytest.raises(Exception, match="audit_events"):
        await auth.services.privacy.delete(caller_of(auth, alice.tokens), now=auth.clock.now())

    assert is_alive(auth, alice.tokens)
    assert await count(auth, "identities", "deleted_at IS NULL") == 1


async def test_the_record_of_a_read_never_breaks_it(auth, alice, caplog):
    """An operator's look at an account is answered although it could not be recorded, and the log says so."""
    from ostiary.features.audit import SYSTEM

    now = auth.clock.now()
    await auth.services.administration.read(alice.identity_id, by=SYSTEM, now=now)
    assert await count(auth, "audit_events", "action = 'identity:account:read'") == 1
    await auth.services.database.execute(Query("ALTER TABLE ostiary.audit_events RENAME TO elsewhere"))

    identity = await auth.services.administration.read(alice.identity_id, by=SYSTEM, now=now)

    assert identity.id == alice.identity_id
    assert "could not be written" in caplog.text
