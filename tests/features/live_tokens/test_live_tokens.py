"""Live tokens: good when they are handed out, refreshed once, and never lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.doubles import CountingDatabase
from tests.factories import count
from tests.hostile_provider import OUTBOUND, TOKEN, Answer
from tests.vaulted import (
    HOUR,
    READER,
    account_of,
    events,
    linked,
    provider_listening,
    read,
    tokens_of,
    uses,
)

from ostiary.features.live_tokens import InvalidReason, Reader, TokenReason, TokenRefused
from ostiary.features.live_tokens.refreshes import pause_after
from ostiary.features.outbox import Template
from ostiary.features.upstream import UpstreamUnavailable
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.foundation.entropy import Entropy
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.ids import parse_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=30)
READ = "linked_account:token:read"
ENDED = "linked_account:grant:ended"
REFUSED = "linked_account:refresh:refused"


@pytest.fixture
async def provider():
    async with provider_listening() as listening:
        yield listening


@pytest.fixture
async def running(migrated_url, tmp_path, provider):
    """A started installation on either database that knows the provider."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, **provider.installation()) as started:
        yield started


@pytest.fixture
async def workers(migrated_url, tmp_path, provider):
    """Two workers on one database, at the same moment."""
    shared = {"database_url": migrated_url, "data": tmp_path, **provider.installation()}
    async with auth_for_tests(**shared) as one, auth_for_tests(**shared) as two:
        yield one, two


async def refusal(worker, account_id, reader=READER):
    with pytest.raises(TokenRefused) as refused:
        await read(worker, account_id, reader)
    return refused.value.reason


async def test_a_token_that_is_good_is_handed_out_as_it_is(running, provider):
    """Nobody is asked for a token that has not to be replaced, and its use is noted."""
    account_id = await linked(running, provider)
    kept = await tokens_of(running, account_id)

    live = await read(running, account_id)

    assert live.access_token == kept.access_token
    assert (live.account_id, live.provider, live.scope) == (account_id, "acme", "calendar mail")
    assert (live.token_type, live.expires_at) == ("Bearer", running.clock.now() + HOUR)
    assert provider.asked == []
    assert (await account_of(running, account_id)).last_used_at == running.clock.now()


async def test_vlt_03_a_reading_says_who_why_and_of_which_account(running, provider):
    """The record names the reader, the account and the scope; why is kept as the owner's personal data."""
    account_id = await linked(running, provider)
    account = await account_of(running, account_id)

    await read(running, account_id, Reader(READER.who, "to invite them", frozenset({"mail"})))

    (event,) = await events(running, READ)
    assert event.actor == READER.who
    assert parse_id("idn", event.target_id) == account.identity_id
    assert event.metadata["account"] == account.external_id
    assert (event.metadata["provider"], event.metadata["scope"]) == ("acme", "mail")
    assert event.personal == {"why": "to invite them"}


async def test_vlt_03_what_is_not_recorded_is_not_handed_out(running, provider):
    """Where the record cannot be written there is no token."""
    account_id = await linked(running, provider)
    before = (await account_of(running, account_id)).last_used_at
    await running.auth.services.database.execute(Query("ALTER TABLE ostiary.audit_events RENAME TO away"))

    with pytest.raises(Exception, match="audit_events"):
        await read(running, account_id)

    assert (await account_of(running, account_id)).last_used_at == before


@pytest.mark.parametrize("why", ["", " ", "x" * 201, "two\nlines"])
def test_vlt_03_whoever_reads_says_why(why):
    """A reading without a reason, or with one that no log could show, is none."""
    with pytest.raises(InvalidReason):
        Reader(READER.who, why)


async def test_a_reading_is_two_round_trips(running, provider):
    """One to read, one to record."""
    account_id = await linked(running, provider)
    await read(running, account_id)
    live_tokens = running.auth.services.live_tokens
    counting = CountingDatabase(running.auth.services.database)
    live_tokens._database = live_tokens._claims._database = counting

    await read(running, account_id)

    assert counting.round_trips == 2


async def test_vlt_04_a_token_near_its_end_is_replaced_first(running, provider):
    """The new token is kept before it is handed out, and so is the refresh token that replaced the old one."""
    account_id = await linked(running, provider, left=SOON)
    before = await tokens_of(running, account_id)

    live = await read(running, account_id)

    after = await tokens_of(running, account_id)
    assert live.access_token == after.access_token != before.access_token
    assert after.refresh_token.reveal() in provider._refresh
    assert after.refresh_token != before.refresh_token
    assert live.expires_at == running.clock.now() + HOUR
    assert (await account_of(running, account_id)).last_token_refresh_at == running.clock.now()


async def test_a_short_life_is_used_but_for_its_last_tenth(running, provider):
    """A token that lives for a minute is not replaced at every reading."""
    provider.expires_in = 60
    account_id = await linked(running, provider, left=SOON)
    await read(running, account_id)
    running.move(seconds=53)
    await read(running, account_id)
    early = provider.refreshes
    running.move(seconds=2)
    await read(running, account_id)

    assert (early, provider.refreshes) == (1, 2)


async def test_vlt_04_f11_sixteen_callers_of_two_workers_are_one_call(workers, provider):
    """However many want a new token at once, the provider is asked once, and all are given what it answers."""
    account_id = await linked(workers[0], provider, left=-SOON)

    found = await asyncio.gather(*(read(workers[number % 2], account_id) for number in range(16)))

    assert provider.refreshes == 1
    assert {live.access_token for live in found} == {(await tokens_of(workers[0], account_id)).access_token}
    assert len(await events(workers[0], READ)) == 16


async def test_vlt_04_f11_sixteen_workers_claim_and_one_wins(running, provider):
    """The claim is decided by the database alone."""
    account_id = await linked(running, provider, left=SOON)
    claims, now = running.auth.services.live_tokens._claims, running.clock.now()

    claimed = await asyncio.gather(
        *(claims.claim(account_id, ends_by=now + HOUR, now=now) for _ in range(16))
    )

    assert sum(each is not None for each in claimed) == 1


async def test_f11_a_provider_that_is_down_is_asked_once(workers, provider):
    """An outage makes no storm: after one failure everybody waits, and while the old token is good it is handed out."""
    provider.down = True
    account_id = await linked(workers[0], provider, left=SOON)
    old = (await tokens_of(workers[0], account_id)).access_token

    found = await asyncio.gather(*(read(workers[number % 2], account_id) for number in range(16)))

    assert provider.refreshes == 1
    assert {live.access_token for live in found} == {old}


async def test_f18_a_provider_that_is_down_is_left_alone_for_longer_each_time(running, provider):
    """Without a good token the answer is to come back later, and later each time; then everything goes on."""
    provider.down = True
    account_id = await linked(running, provider, left=-SOON)
    waits = []
    for _ in range(6):
        with pytest.raises(UpstreamUnavailable) as unavailable:
            await read(running, account_id)
        with pytest.raises(UpstreamUnavailable):
            await read(running, account_id)
        waits.append(unavailable.value.retry_after.total_seconds())
        running.move(minutes=5)
    asked = provider.refreshes
    provider.down = False

    live = await read(running, account_id)

    assert asked == 6
    assert waits[0] <= 5
    assert 15 < waits[-1] <= 32
    assert live.access_token == (await tokens_of(running, account_id)).access_token
    assert await count(running.auth, "linked_accounts", "refresh_failures > 0") == 0


def test_f18_nobody_waits_for_more_than_five_minutes():
    """Each failure doubles the pause, less up to half, up to five minutes."""
    entropy = Entropy()
    pauses = [pause_after(failures, entropy).total_seconds() for failures in range(40)]

    assert all(2**n / 2 <= pause <= 2**n for n, pause in enumerate(pauses[:8]))
    assert all(150 <= pause <= 300 for pause in pauses[9:])


async def test_f18_a_slow_provider_keeps_nobody_waiting(running, provider, monkeypatch):
    """Whoever asks is answered in time with the token that is still good, and the refresh comes to its end."""
    monkeypatch.setattr("ostiary.features.live_tokens.service._PATIENCE", timedelta(milliseconds=50))
    account_id = await linked(running, provider, left=SOON)
    old = (await tokens_of(running, account_id)).access_token
    provider.opened.clear()

    live = await read(running, account_id)
    provider.opened.set()
    await running.auth.services.live_tokens.stop()

    assert live.access_token == old
    assert (await tokens_of(running, account_id)).access_token != old


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [(b"<html>welcome</html>", []), (b'{"access_token": 17}', ["malformed"])],
    ids=["no JSON", "no token"],
)
async def test_f18_garbage_is_not_believed(running, provider, answer, reasons):
    """An answer that is none replaces nothing and is tried again; one that was read and not believed is recorded."""
    account_id = await linked(running, provider, left=SOON)
    before = await tokens_of(running, account_id)
    provider.bends.answers[TOKEN] = Answer(200, answer)

    live = await read(running, account_id)

    assert live.access_token == before.access_token
    assert await tokens_of(running, account_id) == before
    assert [event.reason for event in await events(running, REFUSED)] == reasons


async def test_fed_04_a_refresh_that_speaks_of_somebody_else_is_not_believed(
    migrated_url, tmp_path, provider
):
    """Tokens that come with an ID token of another account are not kept (OpenID Connect Core §12.2)."""
    known = {"acme": provider.settings()}
    async with auth_for_tests(
        database_url=migrated_url, data=tmp_path, outbound=OUTBOUND, providers=known
    ) as running:
        provider.clock = running.clock
        fresh = Secret(provider.grant("openid"))
        account_id = await linked(running, left=SOON, refresh_token=fresh)
        before = await tokens_of(running, account_id)

        live = await read(running, account_id)

        assert live.access_token == before.access_token
        assert await tokens_of(running, account_id) == before
        assert [event.reason for event in await events(running, REFUSED)] == ["wrong_subject"]


async def test_vlt_04_a_caller_that_goes_away_does_not_stop_the_refresh(running, provider):
    """What the provider answers is kept although nobody waits for it any more."""
    account_id = await linked(running, provider, left=-SOON)
    provider.opened.clear()
    caller = asyncio.create_task(read(running, account_id))
    await provider.waiting.wait()
    caller.cancel()
    await asyncio.wait([caller])
    provider.opened.set()

    await running.auth.services.live_tokens.stop()

    assert caller.cancelled()
    assert (await tokens_of(running, account_id)).refresh_token.reveal() in provider._refresh
    assert (await account_of(running, account_id)).last_token_refresh_at == running.clock.now()


async def test_vlt_04_stopping_waits_for_a_refresh(migrated_url, tmp_path, provider):
    """A worker that is told to end keeps what the provider is about to answer."""
    shared = {"database_url": migrated_url, "data": tmp_path, **provider.installation()}
    async with auth_for_tests(**shared) as stopped:
        account_id = await linked(stopped, provider, left=-SOON)
        provider.opened.clear()
        caller = asyncio.create_task(read(stopped, account_id))
        await provider.waiting.wait()
        caller.cancel()
        asyncio.get_running_loop().call_later(0.05, provider.opened.set)

    async with auth_for_tests(**shared) as after:
        assert (await tokens_of(after, account_id)).refresh_token.reveal() in provider._refresh


async def test_a_grant_that_ended_is_told_once(workers, provider):
    """`invalid_grant` marks the account, tells its owner and the log once, and is answered without asking again."""
    one, two = workers
    account_id = await linked(one, provider, left=-SOON)
    provider.revoke("alice")

    reasons = await asyncio.gather(*(refusal(workers[number % 2], account_id) for number in range(16)))

    assert set(reasons) == {TokenReason.NEEDS_RECONNECTION}
    assert provider.refreshes == 1
    assert [event.reason for event in await events(two, ENDED)] == ["grant_ended"]
    (message,) = await one.deliver()
    assert (message.template, message.to) == (Template.ACCOUNT_NEEDS_RECONNECTION, "ada@example.org")
    assert "Acme" in message.text


async def test_connecting_again_makes_an_account_whole(running, provider):
    """New tokens clear the mark, and are handed out."""
    account_id = await linked(running, provider, left=-SOON)
    provider.revoke("alice")
    await refusal(running, account_id)
    account = await account_of(running, account_id)
    fresh = UpstreamTokens(Secret("connected-again"), access_token_expires_at=running.clock.now() + HOUR)

    async with running.auth.services.database.transaction() as tx:
        running.auth.services.vault.keep(tx, account_id, account.identity_id, fresh, now=running.clock.now())
    live = await read(running, account_id)

    assert account.needs_reconnection
    assert live.access_token.reveal() == "connected-again"


async def test_vlt_04_connecting_again_meanwhile_is_newer_than_a_late_answer(running, provider):
    """What the owner just connected is not overwritten by a refresh that began before."""
    account_id = await linked(running, provider, left=-SOON)
    identity_id = (await account_of(running, account_id)).identity_id
    fresh = UpstreamTokens(Secret("connected-again"), access_token_expires_at=running.clock.now() + HOUR)
    provider.opened.clear()
    reading = asyncio.create_task(read(running, account_id))
    await provider.waiting.wait()
    async with running.auth.services.database.transaction() as tx:
        running.auth.services.vault.keep(tx, account_id, identity_id, fresh, now=running.clock.now())
    provider.opened.set()

    live = await reading

    assert live.access_token.reveal() == "connected-again"
    assert (await tokens_of(running, account_id)).access_token.reveal() == "connected-again"


async def test_vlt_04_an_account_that_was_given_to_somebody_else_keeps_its_answer(running, provider):
    """Two accounts that become one while a token is refreshed lose nothing: it is sealed to the new owner."""
    account_id = await linked(running, provider, left=-SOON)
    alice = (await account_of(running, account_id)).identity_id
    eve = parse_id("idn", (await running.signed_in("eve")).principal.identity_id)
    provider.opened.clear()
    reading = asyncio.create_task(read(running, account_id))
    await provider.waiting.wait()
    async with running.auth.services.database.transaction() as tx:
        await running.auth.services.vault.move(tx, alice, to_identity=eve, now=running.clock.now())
    provider.opened.set()

    live = await reading

    assert (await account_of(running, account_id)).identity_id == eve
    assert live.access_token == (await tokens_of(running, account_id)).access_token


async def test_vlt_04_tokens_that_were_cleared_meanwhile_stay_cleared(running, provider):
    """An answer that comes after the account was cleared brings no token back."""
    account_id = await linked(running, provider, left=-SOON)
    provider.opened.clear()
    reading = asyncio.create_task(refusal(running, account_id))
    await provider.waiting.wait()
    async with running.auth.services.database.transaction() as tx:
        running.auth.services.vault.clear(tx, account_id, now=running.clock.now())
    provider.opened.set()

    assert await reading is TokenReason.NO_TOKENS
    assert not (await account_of(running, account_id)).has_refresh_token


async def test_vlt_04_a_worker_that_slept_through_its_claim_keeps_its_answer(running, provider):
    """Only the answer to the refresh token that is kept counts, whoever holds the claim; the other's is of no use."""
    account_id = await linked(running, provider, left=-SOON)
    services, now = running.auth.services, running.clock.now()
    claims, later = services.live_tokens._claims, now + timedelta(seconds=31)
    asleep = await claims.claim(account_id, ends_by=now, now=now)
    other = await claims.claim(account_id, ends_by=later, now=later)

    async with services.database.transaction() as tx:
        settled = await claims.settle(tx, asleep, now=later)
    async with services.database.transaction() as tx:
        settled_again = await claims.settle(tx, other, now=later)
    async with services.database.transaction() as tx:
        ended = await claims.end_grant(tx, other, now=later)

    assert (asleep.was_interrupted, other.was_interrupted) == (False, True)
    assert settled == asleep.identity_id
    assert settled_again is None
    assert not ended


class Stuttering:
    """A database whose first transactions fail as they begin; everything else is the real one."""

    def __init__(self, inner, failures):
        self._inner = inner
        self._failures = failures

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def transaction(self):
        if self._failures:
            self._failures -= 1
            raise Unavailable("The database does not answer.")
        return self._inner.transaction()


async def test_vlt_04_an_answer_outlives_a_database_that_stutters(running, provider):
    """What the provider answered is kept as soon as the database is back."""
    account_id = await linked(running, provider, left=-SOON)
    refreshes = running.auth.services.live_tokens._refreshes
    refreshes._database = Stuttering(refreshes._database, 2)

    live = await read(running, account_id)

    assert provider.refreshes == 1
    assert live.access_token == (await tokens_of(running, account_id)).access_token


async def test_what_was_linked_by_signing_in_is_read_while_a_session_uses_it(running, provider):
    """No token of an account that no live session began with; expiry ends a session, too."""
    account_id = await linked(running, provider, left=None, linked_by=LinkedBy.SIGN_IN)
    unused = await refusal(running, account_id)
    ada = await running.signed_in("ada")
    await uses(running, account_id, parse_id("ses", ada.principal.session_id))
    live = await read(running, account_id)
    running.move(days=15)

    assert unused is TokenReason.NOT_IN_USE
    assert live.access_token == (await tokens_of(running, account_id)).access_token
    assert await refusal(running, account_id) is TokenReason.NOT_IN_USE


async def test_fed_08_nobody_reads_for_an_owner_who_may_not_sign_in(running, provider):
    """A suspended owner's accounts are not used, and not refreshed."""
    account_id = await linked(running, provider, left=-SOON)
    await running.auth.services.database.execute(Query("UPDATE ostiary.identities SET status = 'suspended'"))

    reason = await refusal(running, account_id)

    assert reason is TokenReason.NOT_IN_USE
    assert provider.asked == []


async def test_fed_08_a_provider_that_is_turned_off_is_not_used(migrated_url, tmp_path, provider):
    """Its tokens are neither refreshed nor handed out."""
    shared = {"database_url": migrated_url, "data": tmp_path}
    async with auth_for_tests(**shared, **provider.installation()) as before:
        account_id = await linked(before, provider)

    async with auth_for_tests(**shared, **provider.installation(enabled=False)) as after:
        assert await refusal(after, account_id) is TokenReason.PROVIDER_OFF


async def test_an_unknown_account_has_no_token(running):
    """Nobody's id is nobody's token."""
    assert await refusal(running, parse_id("acc", "acc_00000000000000000000000001")) is TokenReason.NO_ACCOUNT


async def test_without_a_refresh_token_a_token_is_good_until_it_ends(running):
    """What cannot be replaced is handed out to its last second, and then not at all."""
    account_id = await linked(running, left=SOON)
    live = await read(running, account_id)
    running.move(seconds=30)

    assert live.expires_at == running.clock.now()
    assert await refusal(running, account_id) is TokenReason.EXPIRED
    assert await refusal(running, await linked(running, access_token=None)) is TokenReason.NO_TOKENS


async def test_a_refresh_token_that_expired_is_not_tried(running, provider):
    """A refresh token has an end of its own."""
    account_id = await linked(
        running, provider, left=-SOON, refresh_token_expires_at=running.clock.now() - SOON
    )

    assert await refusal(running, account_id) is TokenReason.EXPIRED
    assert provider.asked == []


@pytest.mark.parametrize(
    ("granted", "asked", "is_enough"),
    [
        ("calendar mail", "mail", True),
        ("repo,gist", "gist", True),
        ("calendar", "calendar mail", False),
        (None, "mail", False),
        (None, "", True),
    ],
)
async def test_a_token_is_good_for_what_its_owner_granted(running, granted, asked, is_enough):
    """Whoever needs a scope gets no token without it."""
    account_id = await linked(running, scope=granted)
    reader = Reader(READER.who, READER.why, frozenset(asked.split()))

    reason = None if is_enough else await refusal(running, account_id, reader)

    assert reason is (None if is_enough else TokenReason.SCOPE_NOT_GRANTED)
    assert not is_enough or (await read(running, account_id, reader)).scope == granted
