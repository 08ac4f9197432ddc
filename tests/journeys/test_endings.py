"""The revocation matrix: every event, and what becomes of everything somebody holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx2
import pytest
from tests.factories import ORIGIN, rotate

from ostiary.features.audit import SYSTEM
from ostiary.features.challenges import Purpose
from ostiary.features.flows import Factor, FactorFacts, Proof
from ostiary.features.sessions import ENDINGS, Caller, EndReason, Refused, Rotated, parse_session_id
from ostiary.features.sessions.endings import Cookie, Linked, Reach
from ostiary.features.vault import LinkedBy, UpstreamTokens, external_account_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "another long phrase of hers"
# The events whose journeys come with later features are brought about by what those will call.
BY_SESSION = {
    EndReason.EXCHANGED,
    EndReason.FACTOR_ADDED,
    EndReason.FACTOR_MISSING,
    EndReason.FACTOR_REMOVED,
    EndReason.PROVIDER_LOGOUT,
    EndReason.STALE,
}
BY_IDENTITY = {
    EndReason.PASSWORD_RESET,
    EndReason.ENTITY_DEACTIVATED,
    EndReason.ADDRESS_CHANGE_UNDONE,
    EndReason.ADDRESS_LOST,
    EndReason.IDENTITY_MERGED,
}


@dataclass
class Held:
    """What Ada holds: the session an event is about, another one, a browser's cookies, and a one-time secret."""

    running: object
    named: object
    other: object
    browser: httpx2.AsyncClient
    challenge: Secret
    caller: Caller
    account_id: UUID

    async def bring_about(self, event: EndReason) -> httpx2.Response | None:
        """Let the event happen to the named session, which is also the browser's."""
        answer = None
        match event:
            case EndReason.LOGOUT:
                answer = await self.browser.post("/v1/logout")
            case EndReason.LOGOUT_EVERYWHERE:
                answer = await self.browser.post("/v1/logout-all")
            case EndReason.REAUTHENTICATED:
                answer = await self.browser.post("/v1/me/reauthenticate", json={"password": PASSWORD})
            case EndReason.PASSWORD_CHANGED:
                body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
                answer = await self.browser.post("/v1/me/password", json=body)
            case EndReason.IDENTITY_DELETED:
                answer = await self.browser.delete("/v1/me")
            case EndReason.PROVIDER_UNLINKED:
                answer = await self.browser.delete(f"/v1/me/accounts/{external_account_id(self.account_id)}")
            case _:
                await self._from_elsewhere(event)
        return answer

    async def _from_elsewhere(self, event: EndReason) -> None:
        auth, now = self.running.auth, self.running.clock.now()
        services, caller = auth.services, self.caller
        match event:
            case EndReason.LOGOUT_ELSEWHERE:
                other = Caller.of(self.other.principal, ORIGIN)
                await services.account.end_session(other, caller.session_id, now=now)
            case EndReason.FACTORS_RESET:
                await services.lost_factors.remove_now(caller.identity_id, by=SYSTEM, now=now)
            case EndReason.IDENTITY_SUSPENDED:
                await services.administration.suspend(caller.identity_id, by=SYSTEM, now=now)
            case EndReason.ROLE_REMOVED:
                await services.role_administration.remove(caller.identity_id, "editor", by=SYSTEM, now=now)
            case EndReason.REFRESH_TOKEN_REUSED:
                spent = self.browser.cookies["ostiary_refresh"]
                assert isinstance(await rotate(auth, spent), Rotated)
                self.running.move(seconds=11)
                assert isinstance(await rotate(auth, spent), Refused)
            case EndReason.TOKEN_REVOKED:
                token = Secret(self.browser.cookies["ostiary_refresh"])
                await services.account.revoke(caller, token, token_id=None, now=now)
            case EndReason.OPERATOR:
                await services.administration.end_sessions(caller.identity_id, by=SYSTEM, now=now)
            case EndReason.OPERATOR_NAMED:
                await services.administration.end_session(caller.session_id, by=SYSTEM, now=now)
            case EndReason.EVERYTHING:
                await services.administration.end_everything(reason="restored", by=SYSTEM, now=now)
            case _:
                await self._by_what_its_journey_will_call(event)

    async def _by_what_its_journey_will_call(self, event: EndReason) -> None:
        services, now, identity_id = (
            self.running.auth.services,
            self.running.clock.now(),
            self.caller.identity_id,
        )
        async with services.database.transaction() as tx:
            if event in BY_SESSION:
                await services.sessions.end(tx, identity_id, self.caller.session_id, reason=event, now=now)
            else:
                assert event in BY_IDENTITY
                await services.sessions.end_all(tx, identity_id, reason=event, now=now)


@pytest.fixture
async def held(running):
    """Ada, signed in twice, with a challenge under way; the first session is her browser's."""
    auth = running.auth
    other = await running.signed_in("ada", roles=["editor"])
    transport = httpx2.ASGITransport(app=auth)
    url = auth.settings.public_url
    async with httpx2.AsyncClient(transport=transport, base_url=url, headers={"Origin": url}) as browser:
        body = {"identifier": "ada@example.org", "password": PASSWORD, "delivery": "cookie"}
        assert (await browser.post("/v1/login", json=body)).status_code == 200
        named = auth.verify(browser.cookies["ostiary_access"])
        caller = Caller.of(named, ORIGIN)
        async with auth.services.database.transaction() as tx:
            challenge = auth.services.challenges.issue(
                tx,
                Purpose.BOOTSTRAP,
                identity_id=caller.identity_id,
                destination="ada@example.org",
                lifetime=timedelta(hours=1),
                now=running.clock.now(),
            )
        account_id = await linked(running, caller)
        yield Held(running, named, other, browser, challenge, caller, account_id)


async def linked(running, caller):
    """Link an account that the caller's session began with, as if they had signed in by it, and return its id."""
    services, now = running.auth.services, running.clock.now()
    async with services.database.transaction() as tx:
        account_id = services.vault.link(
            tx,
            identity_id=caller.identity_id,
            entity_type="user",
            provider="acme",
            provider_account_id="ada-there",
            profile={},
            linked_by=LinkedBy.SIGN_IN,
            tokens=UpstreamTokens(access_token=Secret("what the provider gave")),
            now=now,
        )
    began_with = Query("UPDATE ostiary.sessions SET linked_account_id = $1 WHERE id = $2")
    async with services.database.transaction() as tx:
        await tx.execute(began_with, account_id, caller.session_id)
    return account_id


async def access_opens(held, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(app=held.running.auth)
    async with httpx2.AsyncClient(
        transport=transport, base_url=held.running.auth.settings.public_url
    ) as client:
        return (await client.get("/v1/me", headers=headers)).status_code == 200


EVENTS = list(ENDINGS)


async def under_way(held):
    """Begin a sign-in that waits for its second factor, and remember a device that needs none."""
    services, now = held.running.auth.services, held.running.clock.now()
    async with services.database.transaction() as tx:
        owner = await services.identities.lock_for_change(tx, held.caller.identity_id)
        facts = FactorFacts([], frozenset({Factor.TOTP}))
        proof = Proof("password", ("pwd",))
        waiting = await services.flows.enter(tx, owner, proof, origin=ORIGIN, facts=facts, now=now)
        device = services.devices.remember(tx, owner.id, origin=ORIGIN, now=now)
    return waiting.flow, device.secret


@pytest.mark.parametrize("event", EVENTS)
async def test_an_event_ends_what_its_row_says(held, event):
    """Sessions, tokens of either kind, secrets and sign-ins under way, remembered devices: the others live on."""
    services, ending = held.running.auth.services, ENDINGS[event]
    named, other = dict(held.browser.cookies), held.other
    flow, device = await under_way(held)

    await held.bring_about(event)

    now, identity_id = held.running.clock.now(), held.caller.identity_id
    named_lives, other_lives = ending.sessions is Reach.NONE, ending.sessions in {Reach.NONE, Reach.NAMED}
    # The sessions an event names are gone from the list; of the others, exactly those its row says.
    listed = {session.id for session in await services.sessions.list(identity_id, now=now)}
    assert (held.caller.session_id in listed) == named_lives
    assert (parse_session_id(other.principal.session_id) in listed) == other_lives
    # An access token is dead at the next request exactly where the row says so.
    assert await access_opens(held, named["ostiary_access"]) is False
    assert await access_opens(held, other.access_token) == (ending.access_tokens is Reach.NAMED)
    # A sign-in that waits for its second factor, a device that needs none, and a one-time secret.
    begun = await services.flows.read(services.database, flow, now=now)
    known = await services.flows.facts(services.database, identity_id, device=device, now=now)
    async with services.database.transaction() as tx:
        used = await services.challenges.consume(tx, Purpose.BOOTSTRAP, held.challenge, now=now)
    assert (begun is None, known.device_id is None, used is None) == (ending.cancels_flows,) * 3
    # A provider's tokens go with the last session that uses them, or at once, or stay; with a session that another one
    # takes the place of, they go on in that one.
    linked_tokens = await services.vault.tokens(services.database, held.account_id)
    goes_on = ending.linked in {Linked.KEPT, Linked.MOVED} or ending.cookie is Cookie.REPLACED
    assert (linked_tokens is not None and linked_tokens.access_token is not None) == goes_on
    # A refresh token lives exactly as long as its session.
    of_named = await rotate(held.running.auth, named["ostiary_refresh"])
    of_other = await rotate(held.running.auth, other.refresh_token)
    assert (isinstance(of_named, Rotated), isinstance(of_other, Rotated)) == (named_lives, other_lives)


@pytest.mark.parametrize("event", EVENTS)
async def test_browser_cookies(held, event):
    """The browser's cookies are cleared, replaced or dead, and old copies of them never open anything."""
    copies = dict(held.browser.cookies)
    answer = await held.bring_about(event)
    later = await held.browser.get("/v1/me")
    refreshed = await held.browser.post("/v1/refresh")

    wanted = ENDINGS[event].cookie
    held.browser.cookies.clear()
    held.browser.cookies.update(copies)
    assert (await held.browser.get("/v1/me")).status_code == 401
    if wanted is Cookie.CLEARED:
        assert answer is not None
        assert all("Max-Age=0" in header for header in answer.headers.get_list("set-cookie"))
    assert later.status_code == (200 if wanted is Cookie.REPLACED else 401)
    assert (refreshed.status_code == 200) == (wanted in {Cookie.REPLACED, Cookie.REFRESHED})


@pytest.mark.parametrize("event", EVENTS)
async def test_everything_happens_in_the_transaction_of_the_event(held, event):
    """When the event is rolled back, nothing of it has happened: all that was held is as it was."""
    with pytest.raises(RuntimeError, match="rolled back"):
        await roll_back(held, event)

    services, now = held.running.auth.services, held.running.clock.now()
    assert (await held.browser.get("/v1/me")).status_code == 200
    assert isinstance(await rotate(held.running.auth, held.other.refresh_token), Rotated)
    async with services.database.transaction() as tx:
        assert await services.challenges.consume(tx, Purpose.BOOTSTRAP, held.challenge, now=now) is not None


async def roll_back(held, event):
    services, now = held.running.auth.services, held.running.clock.now()
    identity_id, reach = held.caller.identity_id, ENDINGS[event].sessions
    async with services.database.transaction() as tx:
        if reach is Reach.NAMED:
            await services.sessions.end(tx, identity_id, held.caller.session_id, reason=event, now=now)
        elif reach is Reach.ALL:
            await services.sessions.end_all(tx, identity_id, reason=event, now=now)
        elif reach is Reach.NONE:
            await services.sessions.end_access_tokens(tx, identity_id, reason=event, now=now)
        else:
            await services.sessions.revocations.end_everything(
                tx, sessions=True, reason=event, by=None, now=now
            )
        raise RuntimeError("rolled back")


@pytest.mark.parametrize("event", EVENTS)
async def test_an_event_ends_nothing_under_anothers_name(running, event):
    """What its row does not say cannot be done in its name."""
    ada = await running.signed_in("ada")
    caller, services, now = Caller.of(ada.principal, ORIGIN), running.auth.services, running.clock.now()
    reach = ENDINGS[event].sessions
    ways = {
        Reach.NAMED: lambda tx: services.sessions.end(
            tx, caller.identity_id, caller.session_id, reason=event, now=now
        ),
        Reach.ALL: lambda tx: services.sessions.end_all(tx, caller.identity_id, reason=event, now=now),
        Reach.NONE: lambda tx: services.sessions.end_access_tokens(
            tx, caller.identity_id, reason=event, now=now
        ),
    }
    for way, act in ways.items():
        if way is not reach:
            with pytest.raises(ValueError, match="ENDINGS"):
                async with services.database.transaction() as tx:
                    await act(tx)

    assert running.auth.verify(ada.access_token) == ada.principal


def test_there_is_a_row_for_every_event():
    """The table is complete, and everything it can say of linked accounts is said of some event."""
    assert set(ENDINGS) == set(EndReason)
    assert {ending.linked for ending in ENDINGS.values()} == set(Linked)
