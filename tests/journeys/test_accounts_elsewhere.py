"""Accounts elsewhere: linked on purpose, kept while they are used, unlinked, and two people who are one."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from tests.factories import count
from tests.hostile_provider import HostileProvider
from tests.journeys.providers import Browser, at_providers, told

from ostiary.features.challenges import Purpose
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.foundation.ids import parse_id
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

HAS_TOKENS = "access_token IS NOT NULL"
OURS = {"origin": "http://127.0.0.1:8000"}


@pytest.fixture
def acme():
    """A provider."""
    return HostileProvider()


@pytest.fixture
async def running(migrated_url, tmp_path, acme):
    """An installation that knows the provider."""
    async with at_providers(migrated_url, tmp_path, acme) as started:
        yield started


@pytest.fixture
def browser(running):
    return Browser(running.auth)


async def accounts(browser, headers=None):
    return (await browser.http.get("/v1/me/accounts", headers=headers)).json()


async def log_out(browser):
    return await browser.http.post("/v1/logout", json={}, headers=OURS)


async def test_an_account_is_linked_on_purpose(running, browser, acme):
    """Whoever is signed in links an account, is told so, and signs in with it from then on."""
    bob = await running.signed_in("bob")
    answer = await browser.link(acme, headers=bob.headers, return_to="/settings")
    listed = await accounts(browser, bob.headers)
    other = Browser(running.auth)
    await other.sign_in(acme)
    sent = await running.deliver()

    assert told(answer) == {"status": "linked", "account": listed[0]["id"]}
    assert (listed[0]["provider"], listed[0]["linked_by"], listed[0]["has_tokens"]) == (
        "acme",
        "intent",
        True,
    )
    assert (await other.me()).json()["identity"]["id"] == bob.principal.identity_id
    assert "account_linked" in [message.template for message in sent]
    assert "token" not in set(listed[0]) | {name.removesuffix("s") for name in listed[0]} - {"has_token"}


async def test_linking_needs_a_recent_proof(running, browser, acme):
    """SES-08: an aged session links and unlinks nothing."""
    bob = await running.signed_in("bob")
    running.move(minutes=11)
    answers = [
        await browser.http.post("/v1/me/accounts/acme/link", json={}, headers=bob.headers),
        await browser.http.delete("/v1/me/accounts/acc_01h455vb4pex5vsknk084sn02q", headers=bob.headers),
        await browser.http.post("/v1/me/merge-proof", headers=bob.headers),
        await browser.http.post("/v1/me/merge", json={"proof": "x"}, headers=bob.headers),
    ]

    assert [answer.json()["code"] for answer in answers] == ["reauthentication_required"] * 4


async def test_a_link_that_was_begun_dies_with_its_session(running, browser, acme):
    """Whoever signs out meanwhile, or is signed out, has linked nothing."""
    bob = await running.signed_in("bob")
    begun = await browser.http.post(
        "/v1/me/accounts/acme/link", json={"return_to": "/"}, headers=bob.headers | OURS
    )
    await browser.http.post("/v1/logout", json={}, headers=bob.headers)
    answer = await browser.come_back(acme.approve(begun.json()["url"]))

    assert told(answer) == {"status": "refused", "reason": "signed_out"}
    assert await count(running.auth, "linked_accounts") == 0


async def test_an_account_is_somebodys_alone(running, acme):
    """What is linked to one is not linked to another, and opens the first one's account still."""
    first, second = Browser(running.auth), Browser(running.auth)
    await first.sign_in(acme)
    bob = await running.signed_in("bob")
    answer = await second.link(acme, headers=bob.headers, return_to="/")

    assert told(answer) == {"status": "refused", "reason": "linked_elsewhere"}
    assert await accounts(second, bob.headers) == []


async def test_sixteen_links_of_one_account_are_one(running, acme):
    """Sixteen tabs come back at once: one row, and every tab says that it is linked."""
    bob = await running.signed_in("bob")
    browsers = [Browser(running.auth) for _ in range(16)]
    answers = await asyncio.gather(
        *(browser.link(acme, headers=bob.headers, return_to="/") for browser in browsers)
    )

    assert {told(answer)["status"] for answer in answers} == {"linked"}
    assert await count(running.auth, "linked_accounts") == 1


async def test_tokens_go_with_the_last_session_that_uses_them(running, acme):
    """One of two sessions ends and the tokens stay; the other ends and they are gone, and the link stays."""
    first, second = Browser(running.auth), Browser(running.auth)
    await first.sign_in(acme)
    await second.sign_in(acme)
    await log_out(first)
    after_one = await count(running.auth, "linked_accounts", HAS_TOKENS)
    await log_out(second)

    assert after_one == 1
    assert await count(running.auth, "linked_accounts", HAS_TOKENS) == 0
    assert await count(running.auth, "linked_accounts", "refresh_token IS NULL AND id_token IS NULL") == 1


async def test_two_last_sessions_that_end_at_once_leave_no_token(running, acme):
    """Neither sees the other end, and the tokens go all the same."""
    browsers = [Browser(running.auth) for _ in range(8)]
    for browser in browsers:
        await browser.sign_in(acme)
    answers = await asyncio.gather(*(log_out(browser) for browser in browsers))

    assert [answer.status_code for answer in answers] == [204] * 8
    assert await count(running.auth, "linked_accounts", HAS_TOKENS) == 0


async def test_tokens_of_an_account_linked_on_purpose_stay(running, browser, acme):
    """What somebody linked for its own sake is kept when no session uses it."""
    bob = await running.signed_in("bob")
    await browser.link(acme, headers=bob.headers)
    other = Browser(running.auth)
    await other.sign_in(acme)
    await log_out(other)

    assert await count(running.auth, "linked_accounts", HAS_TOKENS) == 1


async def test_expiry_counts_as_an_end(running, acme):
    """A session that was not used for too long is over, and its tokens go when the walk comes by."""
    await Browser(running.auth).sign_in(acme)
    running.move(days=15)
    vault, database = running.auth.services.vault, running.auth.services.database
    async with database.transaction() as tx:
        cleared, _ = await vault.clear_expired_use(tx, after=None, limit=10, now=running.clock.now())

    assert cleared == 1
    assert await count(running.auth, "linked_accounts", HAS_TOKENS) == 0


async def test_a_renewed_session_keeps_its_tokens(migrated_url, tmp_path, acme):
    """Proving oneself again and changing the password replace a session, and not what it began with."""
    async with at_providers(migrated_url, tmp_path, acme) as running:
        bob = await running.signed_in("bob")
        browser = Browser(running.auth)
        await browser.link(acme, headers=bob.headers)
        await unlink_intent(running)
        other = Browser(running.auth)
        await other.sign_in(acme)
        new = "a new phrase that only tests know"
        old = "a phrase that only tests know"
        again = await other.http.post("/v1/me/reauthenticate", json={"password": old}, headers=OURS)
        after_proof = await count(running.auth, "linked_accounts", HAS_TOKENS)
        changed = await other.http.post(
            "/v1/me/password",
            json={"current_password": old, "new_password": new},
            headers=OURS,
        )
        after_change = await count(running.auth, "linked_accounts", HAS_TOKENS)
        await log_out(other)

        assert (again.status_code, changed.status_code) == (200, 200), (again.text, changed.text)
        assert (after_proof, after_change) == (1, 1)
        assert await count(running.auth, "linked_accounts", HAS_TOKENS) == 0


async def unlink_intent(running):
    """Make every account one that was linked by signing in."""
    async with running.auth.services.database.transaction() as tx:
        await tx.execute(Query("UPDATE ostiary.linked_accounts SET linked_by = 'sign_in'"))


async def test_unlinking_ends_its_sessions_and_erases_its_tokens(running, acme):
    """The sessions that began with the account end at once, others go on, and the owner is told."""
    bob = await running.signed_in("bob")
    browser, through_acme = Browser(running.auth), Browser(running.auth)
    await browser.link(acme, headers=bob.headers)
    await through_acme.sign_in(acme)
    listed = await accounts(browser, bob.headers)
    answer = await browser.http.delete(f"/v1/me/accounts/{listed[0]['id']}", headers=bob.headers)
    sent = await running.deliver()

    assert answer.status_code == 204
    assert (await through_acme.me()).status_code == 401
    assert (await browser.http.get("/v1/me", headers=bob.headers)).status_code == 200
    assert await count(running.auth, "linked_accounts") == 0
    assert "account_unlinked" in [message.template for message in sent]


async def test_the_last_way_in_is_not_unlinked(running, browser, acme):
    """Whoever has nothing else to sign in with keeps it; with another way in it goes."""
    acme.people["alice"]["email_verified"] = False
    await browser.sign_in(acme)
    listed = await accounts(browser)
    path = f"/v1/me/accounts/{listed[0]['id']}"
    refused = await browser.http.delete(path, headers=OURS)
    acme.people["alice2"] = dict(acme.people["alice"])
    await browser.link(acme, "alice2")
    unlinked = await browser.http.delete(path, headers=OURS)

    assert (refused.status_code, refused.json()["code"]) == (409, "last_way_in")
    assert unlinked.status_code == 204


async def test_of_two_ways_in_sixteen_callers_leave_one(running, browser, acme):
    """Both accounts are unlinked at once, eight times each: one of them stays."""
    acme.people["alice"]["email_verified"] = False
    acme.people["alice2"] = dict(acme.people["alice"])
    bob = await running.signed_in("bob")
    await browser.link(acme, headers=bob.headers)
    await browser.link(acme, "alice2", headers=bob.headers)
    statement = Query("UPDATE ostiary.identities SET password_hash = NULL, password_scheme = NULL")
    async with running.auth.services.database.transaction() as tx:
        await tx.execute(statement)
    listed = await accounts(browser, bob.headers)
    await asyncio.gather(
        *(
            browser.http.delete(f"/v1/me/accounts/{account['id']}", headers=bob.headers)
            for account in listed * 8
        )
    )

    assert await count(running.auth, "linked_accounts") == 1


async def test_other_peoples_accounts_are_not_there(running, browser, acme):
    """Ids of others, of nobody and of another kind are all the same: not found, and nothing happens."""
    await browser.sign_in(acme)
    theirs = (await accounts(browser))[0]["id"]
    bob = await running.signed_in("bob")
    ids = [theirs, "acc_01h455vb4pex5vsknk084sn02q", bob.principal.identity_id, "acc_x", "x"]
    answers = [await browser.http.delete(f"/v1/me/accounts/{one}", headers=bob.headers | OURS) for one in ids]

    assert [answer.status_code for answer in answers] == [404] * 5
    assert await count(running.auth, "linked_accounts") == 1


async def test_a_user_and_a_vendor_may_share_an_account(migrated_url, tmp_path, acme):
    """One person at the provider is two here, of two kinds; each signs in as the one that is asked for."""
    sections = {"acme": {"entity_types": "user,service_desk"}}
    async with at_providers(migrated_url, tmp_path, acme, sections=sections) as running:
        auth = running.auth

        async def create(tx, identity, profile):
            return "desk-1"

        auth.entity_type("service_desk", prefix="dsk", create=create)
        user, desk = Browser(auth), Browser(auth)
        await user.sign_in(acme)
        await desk.sign_in(acme, entity_type="service_desk")
        kinds = [(await browser.me()).json()["identity"]["entity_type"] for browser in (user, desk)]

        assert kinds == ["user", "service_desk"]
        assert await count(auth, "linked_accounts") == 2


async def merged(running, survivor, absorbed, browser):
    """Make `absorbed` part of `survivor` by proofs of both."""
    offered = await browser.http.post("/v1/me/merge-proof", headers=absorbed.headers)
    proof = offered.json()["proof"]
    return proof, await browser.http.post("/v1/me/merge", json={"proof": proof}, headers=survivor.headers)


async def test_two_accounts_of_one_person_become_one(running, browser, acme):
    """The linked account and its tokens come along, the other account is gone, and both are told."""
    bob, carol = await running.signed_in("bob"), await running.signed_in("carol")
    await browser.link(acme, headers=carol.headers)
    _, answer = await merged(running, bob, carol, browser)
    signed_in = Browser(running.auth)
    await signed_in.sign_in(acme)
    vault, database = running.auth.services.vault, running.auth.services.database
    account_id = await database.fetch_one(Query("SELECT id FROM ostiary.linked_accounts", into=UUID))
    tokens = await vault.tokens(database, account_id)
    sent = await running.deliver()

    assert answer.json() == {"absorbed": carol.principal.identity_id, "accounts": 1}
    assert (await signed_in.me()).json()["identity"]["id"] == bob.principal.identity_id
    assert (await browser.http.get("/v1/me", headers=carol.headers)).status_code == 401
    assert tokens.access_token is not None
    assert [message.template for message in sent].count("accounts_merged") == 2


@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.MERGE])
async def test_rec_01_no_other_secret_merges(running, browser, purpose):
    """Whatever was made for another purpose merges nothing, and is as good as before."""
    bob, carol = await running.signed_in("bob"), await running.signed_in("carol")
    services, now = running.auth.services, running.clock.now()
    async with services.database.transaction() as tx:
        token = services.challenges.issue(
            tx,
            purpose,
            identity_id=parse_id(IDENTITY_PREFIX, carol.principal.identity_id),
            destination="carol@example.org",
            now=now,
        )
    body = {"proof": token.reveal()}
    answer = await browser.http.post("/v1/me/merge", json=body, headers=bob.headers)

    assert answer.status_code == 401
    assert await count(running.auth, "challenges", "consumed_at IS NOT NULL") == 0


async def test_a_proof_merges_once(running, browser):
    """Sixteen times at once and once more afterwards: one merge."""
    bob, carol = await running.signed_in("bob"), await running.signed_in("carol")
    offered = await browser.http.post("/v1/me/merge-proof", headers=carol.headers)
    body = {"proof": offered.json()["proof"]}
    answers = await asyncio.gather(
        *(browser.http.post("/v1/me/merge", json=body, headers=bob.headers) for _ in range(16))
    )
    late = await browser.http.post("/v1/me/merge", json=body, headers=bob.headers)

    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 15]
    assert late.status_code == 401
    assert await count(running.auth, "erasures") == 1


async def test_what_is_not_to_be_merged_is_not(running, browser):
    """Oneself, another kind of account, an operator, a proof that is none or too old: refused, and nothing changes."""
    bob, carol = await running.signed_in("bob"), await running.signed_in("carol")
    operator = await running.operator()
    _, oneself = await merged(running, bob, bob, browser)
    _, another_kind = await merged(running, bob, operator, browser)
    nonsense = await browser.http.post("/v1/me/merge", json={"proof": "nonsense"}, headers=bob.headers)
    offered = await browser.http.post("/v1/me/merge-proof", headers=carol.headers)
    running.move(minutes=10, seconds=1)
    bob = await running.signed_in("bob")
    late = await browser.http.post("/v1/me/merge", json=offered.json(), headers=bob.headers)

    assert (oneself.status_code, another_kind.status_code) == (409, 409)
    assert (nonsense.status_code, late.status_code) == (401, 401)
    assert await count(running.auth, "identities", "deleted_at IS NULL") == 3


async def test_a_hook_that_fails_merges_nothing(migrated_url, tmp_path):
    """The application moves what is its own in the same transaction, and what it raises leaves both as they were."""
    moved = []

    async def hook(tx, survivor, absorbed):
        moved.append((survivor.external_id, absorbed.external_id))
        raise RuntimeError("no room")

    async with auth_for_tests(database_url=migrated_url, data=tmp_path) as running:
        running.auth.on_merged(hook)
        bob, carol = await running.signed_in("bob"), await running.signed_in("carol")
        browser = Browser(running.auth)
        _, answer = await merged(running, bob, carol, browser)

        assert answer.status_code == 500
        assert moved == [(bob.principal.identity_id, carol.principal.identity_id)]
        assert (await browser.http.get("/v1/me", headers=carol.headers)).status_code == 200


async def test_a_deleted_account_keeps_no_token(running, browser, acme):
    """Whoever deletes their account has no provider's token here from then on, linked on purpose or not."""
    bob = await running.signed_in("bob")
    await browser.link(acme, headers=bob.headers)
    answer = await browser.http.delete("/v1/me", headers=bob.headers)

    assert answer.status_code == 202
    assert await count(running.auth, "linked_accounts", HAS_TOKENS) == 0
