"""What ends a person's access, wherever it happens, is known to every worker, and outlives all of them."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import pytest
from tests.factories import ORIGIN, attempt, made_role, registered, rotate

from ostiary.features.audit import SYSTEM
from ostiary.features.sessions import Caller, Refused, Rotated
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD
from ostiary.verifier import RevokedToken

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"


async def log_out(auth, caller, now):
    await auth.services.account.log_out(caller, refresh_token=None, now=now)


async def log_out_everywhere(auth, caller, now):
    await auth.services.account.log_out_everywhere(caller, keep_current=False, now=now)


async def end_session(auth, caller, now):
    await auth.services.account.end_session(caller, caller.session_id, now=now)


async def change_password(auth, caller, now):
    new = Secret("another long phrase of hers")
    await auth.services.account.change_password(caller, current=Secret(PASSWORD), new=new, now=now)


async def reauthenticate(auth, caller, now):
    await auth.services.account.reauthenticate(caller, password=Secret(PASSWORD), now=now)


async def delete(auth, caller, now):
    await auth.services.privacy.delete(caller, now=now)


async def suspend(auth, caller, now):
    await auth.services.administration.suspend(caller.identity_id, by=SYSTEM, now=now)


async def end_sessions(auth, caller, now):
    await auth.services.administration.end_sessions(caller.identity_id, by=SYSTEM, now=now)


async def require_password_change(auth, caller, now):
    await auth.services.administration.require_password_change(caller.identity_id, by=SYSTEM, now=now)


ENDINGS = (
    log_out,
    log_out_everywhere,
    end_session,
    change_password,
    reauthenticate,
    delete,
    suspend,
    end_sessions,
    require_password_change,
)


@pytest.mark.parametrize("end", ENDINGS)
async def test_ses_05_rt_07_an_end_is_known_here_there_and_after_a_restart(migrated_url, tmp_path, end):
    """Access and refresh tokens are dead at the worker that ended them, at another after its next look, and at a new one."""
    shared = {"database_url": migrated_url, "data": tmp_path}
    async with auth_for_tests(**shared) as here, auth_for_tests(**shared) as there:
        tokens = (await registered(here.auth, EMAIL)).tokens
        access_token = tokens.access_token.reveal()
        caller = Caller.of(there.auth.verify(access_token), ORIGIN)

        await end(here.auth, caller, here.clock.now())
        await there.auth.services.sessions.revocations.catch_up(now=there.clock.now())

        for worker in (here, there):
            with pytest.raises(RevokedToken):
                worker.auth.verify(access_token)
            assert isinstance(await rotate(worker.auth, tokens.refresh_token), Refused)
    async with auth_for_tests(**shared) as restarted:
        with pytest.raises(RevokedToken):
            restarted.auth.verify(access_token)
        assert isinstance(await rotate(restarted.auth, tokens.refresh_token), Refused)


@pytest.mark.parametrize("end", [log_out_everywhere, change_password, delete, suspend, end_sessions])
async def test_ses_05_a_refresh_at_the_same_moment_leaves_nothing_alive(auth, end):
    """Whichever wins, neither the presented nor the new refresh token nor any access token opens anything."""
    tokens = (await registered(auth, EMAIL)).tokens
    caller = Caller.of(auth.verify(tokens.access_token.reveal()), ORIGIN)

    rotated, _ = await asyncio.gather(rotate(auth, tokens.refresh_token), end(auth, caller, auth.clock.now()))

    handed_out = [tokens, rotated.tokens] if isinstance(rotated, Rotated) else [tokens]
    for each in handed_out:
        with pytest.raises(RevokedToken):
            auth.verify(each.access_token.reveal())
        assert isinstance(await rotate(auth, each.refresh_token), Refused)


async def test_ses_01_what_the_database_holds_cannot_be_presented(auth):
    """A digest from a dump, put where the secret belongs, refreshes nothing."""
    tokens = (await registered(auth)).tokens
    digests = Query("SELECT secret_digest FROM ostiary.refresh_tokens", into=bytes)
    (digest,) = await auth.services.database.fetch_all(digests)
    *named, _ = tokens.refresh_token.reveal().split("_", 3)
    encoded = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    assert isinstance(await rotate(auth, "_".join((*named, encoded))), Refused)


@pytest.mark.parametrize(
    ("steps", "short_by", "outcome"),
    [
        ([timedelta(hours=1)], 1, Rotated),
        ([timedelta(hours=1)], 0, Refused),
        ([timedelta(minutes=30)] * 48, 1, Rotated),
        ([timedelta(minutes=30)] * 48, 0, Refused),
    ],
)
async def test_ses_04_the_strict_profile_lasts_a_day_and_an_idle_hour(
    migrated_url, tmp_path, steps, short_by, outcome
):
    """NIST SP 800-63B AAL2 bounds, to the second, however busy the session is."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, profile="strict") as running:
        tokens = (await registered(running.auth)).tokens
        for step in steps[:-1]:
            running.clock.move(step)
            tokens = (await rotate(running.auth, tokens.refresh_token)).tokens
        running.clock.move(steps[-1] - timedelta(seconds=short_by))

        assert isinstance(await rotate(running.auth, tokens.refresh_token), outcome)


async def test_adm_05_a_shortened_role_ends_tokens_that_would_outlive_it(auth):
    """A token minted while a role had no end is dead once it has one; a longer time ends nothing."""
    person = await registered(auth, EMAIL)
    administration, now = auth.services.role_administration, auth.clock.now()
    await made_role(auth, "editor")
    await administration.grant(person.identity_id, "editor", by=SYSTEM, now=now)
    forever = (await attempt(auth, EMAIL)).tokens.access_token.reveal()
    soon = now + timedelta(minutes=1)

    await administration.grant(person.identity_id, "editor", expires_at=soon, by=SYSTEM, now=now)
    with pytest.raises(RevokedToken):
        auth.verify(forever)
    bounded = (await attempt(auth, EMAIL)).tokens
    await administration.grant(person.identity_id, "editor", by=SYSTEM, now=now)

    assert bounded.expires_in == 60
    assert auth.verify(bounded.access_token.reveal()).roles == {"editor"}


async def test_a_sign_in_cannot_outrun_a_suspension(auth):
    """Of a sign-in and a suspension at one moment, whichever comes first, nothing lives afterwards."""
    person = await registered(auth, EMAIL)
    signing_in = [attempt(auth, EMAIL) for _ in range(3)]
    suspending = auth.services.administration.suspend(person.identity_id, by=SYSTEM, now=auth.clock.now())

    outcomes = await asyncio.gather(*signing_in, suspending, return_exceptions=True)

    for outcome in outcomes:
        if tokens := getattr(outcome, "tokens", None):
            with pytest.raises(RevokedToken):
                auth.verify(tokens.access_token.reveal())
            assert isinstance(await rotate(auth, tokens.refresh_token), Refused)
    assert await auth.services.sessions.list(person.identity_id, now=auth.clock.now()) == []
