"""Signing in at a provider: the right one gets in, by the rules, and nobody else ever does."""

from __future__ import annotations

import asyncio

import pytest
from tests.doubles import CountingDatabase
from tests.factories import count
from tests.hostile_provider import MISSING, TOKEN, Answer, HostileProvider, key_number
from tests.journeys.providers import HOME, Browser, at_providers, told

from ostiary import app
from ostiary.foundation.storage import Query, database_at
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

AUTHORITY = {"acme": {"authoritative_domains": "example.org", "on_known_address": "link"}}


@pytest.fixture
def acme():
    """A provider."""
    return HostileProvider()


@pytest.fixture
async def running(migrated_url, tmp_path, acme):
    """An installation that knows the provider, and believes it about nobody's address."""
    async with at_providers(migrated_url, tmp_path, acme) as started:
        yield started


@pytest.fixture
def browser(running):
    return Browser(running.auth)


async def verify(running, email="alice@example.org"):
    statement = Query("UPDATE ostiary.identities SET email_verified_at = created_at WHERE email = $1")
    async with running.auth.services.database.transaction() as tx:
        await tx.execute(statement, email)


async def reasons(running):
    """Why sign-ins were refused, as the records have it."""
    query = Query(
        "SELECT reason FROM ostiary.audit_events WHERE action = 'identity:session:refused' ORDER BY seq",
        into=str,
    )
    return list(await running.auth.services.database.fetch_all(query))


async def test_a_newcomer_gets_an_account_and_a_session(running, browser, acme):
    """Whoever is new here has an account with what the provider says of them, and cookies."""
    answer = await browser.sign_in(acme, return_to="/welcome?from=acme")
    me = (await browser.me()).json()

    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "http://127.0.0.1:8000/welcome?from=acme",
    )
    assert (me["identity"]["email"], me["identity"]["email_verified"]) == ("alice@example.org", True)
    assert me["profile"]["display_name"] == "Alice Example"
    assert await count(running.auth, "linked_accounts") == 1


async def test_a_returning_person_is_the_same_one(running, acme):
    """The second browser is signed in to the same account, both share one row of the vault, and no address is asked."""
    first, second = Browser(running.auth), Browser(running.auth)
    await first.sign_in(acme)
    acme.people["alice"] |= {"email": "somebody.else@example.net", "email_verified": False}
    await second.sign_in(acme)
    one, other = (await first.me()).json(), (await second.me()).json()

    assert one["identity"]["id"] == other["identity"]["id"]
    assert await count(running.auth, "linked_accounts") == 1
    assert await count(running.auth, "sessions", "linked_account_id IS NOT NULL") == 2


async def test_a_form_posted_by_the_provider_is_as_good_as_a_query(migrated_url, tmp_path, acme):
    """A provider that answers by a form is taken up, though its page is another site's."""
    sections, url = {"acme": {"response_mode": "form_post"}}, "https://auth.example.org"
    async with at_providers(migrated_url, tmp_path, acme, sections=sections, public_url=url) as running:
        browser = Browser(running.auth)
        url = await browser.leave()
        cookie = next(iter(browser.http.cookies.jar))
        foreign = {"origin": acme.url, "sec-fetch-site": "cross-site"}
        answer = await browser.come_back(acme.approve(url), form=True, **foreign)

        assert answer.status_code == 200
        assert (await browser.me()).status_code == 200
        assert cookie.get_nonstandard_attr("SameSite") == "None"
        assert cookie.secure


async def test_sign_in_costs_three_round_trips_beyond_the_flow(migrated_url, tmp_path, acme, monkeypatch):
    """Whoever is known already: using the flow up, looking, the facts, and one for everything that is written."""
    monkeypatch.setattr(
        app, "database_at", lambda *args, **rest: CountingDatabase(database_at(*args, **rest))
    )
    async with at_providers(migrated_url, tmp_path, acme) as running:
        await Browser(running.auth).sign_in(acme)
        browser = Browser(running.auth)
        back = acme.approve(await browser.leave())
        database = running.auth.services.database
        database.reset()
        answer = await browser.come_back(back)

        assert answer.status_code == 200
        # One more beside: the address limit.
        assert database.round_trips == 5


async def test_fed_01_the_same_address_from_another_subject_is_somebody_else(running, acme):
    """Another account at the provider with the same address does not open the first one's account."""
    mine, theirs = Browser(running.auth), Browser(running.auth)
    await mine.sign_in(acme)
    acme.people["mallory"] = dict(acme.people["alice"])
    answer = await theirs.sign_in(acme, "mallory", return_to="/")

    assert told(answer) == {"status": "refused", "reason": "sign_in_first"}
    assert (await theirs.me()).status_code == 401
    assert await reasons(running) == ["sign_in_first"]


async def test_fed_02_nobody_is_joined_by_an_address_alone(running, browser, acme):
    """A proven address here, a proven one there, but no authority: they sign in first."""
    await running.signed_in("alice")
    await verify(running)
    answer = await browser.sign_in(acme, return_to="/")

    assert told(answer)["reason"] == "sign_in_first"
    assert await count(running.auth, "linked_accounts") == 0


async def test_fed_02_an_authority_links_a_proven_address(migrated_url, tmp_path, acme):
    """Three conditions together link: proven there, by the authority, and proven here; and the owner is told."""
    async with at_providers(migrated_url, tmp_path, acme, sections=AUTHORITY) as running:
        await running.signed_in("alice")
        await verify(running)
        browser = Browser(running.auth)
        await browser.sign_in(acme)
        sent = await running.deliver()

        assert (await browser.me()).json()["identity"]["email"] == "alice@example.org"
        assert await count(running.auth, "identities") == 1
        assert "account_linked" in [message.template for message in sent]


@pytest.mark.parametrize("verified", [False, "true", "yes", 1, None])
async def test_fed_02_only_the_boolean_true_is_a_proof(migrated_url, tmp_path, acme, verified):
    """Whatever else a provider says of an address is nothing, and the account is made without it."""
    acme.people["alice"]["email_verified"] = verified
    async with at_providers(migrated_url, tmp_path, acme, sections=AUTHORITY) as running:
        await running.signed_in("alice")
        await verify(running)
        browser = Browser(running.auth)
        await browser.sign_in(acme)
        me = (await browser.me()).json()

        assert me["identity"]["email"] is None
        assert await count(running.auth, "identities") == 2


async def test_fed_02_a_pre_registered_account_is_never_joined(migrated_url, tmp_path, acme):
    """Whoever registered the victim's address before them, and never proved it, loses it and is joined by nobody."""
    async with at_providers(migrated_url, tmp_path, acme, sections=AUTHORITY) as running:
        attacker = await running.signed_in("alice")
        victim = Browser(running.auth)
        await victim.sign_in(acme)
        me = (await victim.me()).json()

        assert me["identity"]["id"] != attacker.principal.identity_id
        assert (me["identity"]["email"], me["identity"]["email_verified"]) == ("alice@example.org", True)
        assert (await victim.http.get("/v1/me", headers=attacker.headers)).status_code == 401
        attempt = {"identifier": "alice@example.org", "password": PASSWORD}
        refused = await Browser(running.auth).http.post("/v1/login", json=attempt)
        assert refused.status_code == 401


async def test_fed_03_another_browser_gets_nothing(running, acme):
    """A code and state that were begun elsewhere sign nobody in here, and are used up by trying."""
    mine, theirs = Browser(running.auth), Browser(running.auth)
    back = acme.approve(await mine.leave())
    await theirs.leave()
    forged = await theirs.come_back(back)
    honest = await mine.come_back(back)

    assert (forged.status_code, honest.status_code) == (400, 400)
    assert (await theirs.me()).status_code == 401
    assert await reasons(running) == ["unknown_flow", "unknown_flow"]


async def test_fed_03_sixteen_callbacks_are_one_sign_in(running, browser, acme):
    """A callback that comes sixteen times at once signs in once."""
    back = acme.approve(await browser.leave())
    answers = await asyncio.gather(*(browser.come_back(back) for _ in range(16)))

    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 15]
    assert await count(running.auth, "sessions") == 1
    assert acme.count(TOKEN) == 1


async def test_fed_03_a_flow_lives_for_ten_minutes(running, browser, acme):
    """A second after ten minutes it is over, a second before it is not."""
    early, late = acme.approve(await browser.leave()), acme.approve(await browser.leave())
    running.move(minutes=9, seconds=59)
    in_time = await browser.come_back(early)
    running.move(seconds=2)
    too_late = await browser.come_back(late)

    assert (in_time.status_code, too_late.status_code) == (200, 400)


async def test_several_tabs_come_back_in_any_order(running, browser, acme):
    """What was begun in one tab does not undo what was begun in another."""
    tabs = [acme.approve(await browser.leave()) for _ in range(3)]
    answers = [await browser.come_back(back) for back in reversed(tabs)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_fed_05_an_answer_of_one_provider_is_none_of_another(migrated_url, tmp_path):
    """Two providers swap their answers: neither is believed."""
    honest, evil = HostileProvider(name="honest"), HostileProvider(name="evil")
    async with at_providers(migrated_url, tmp_path, honest, evil) as running:
        browser = Browser(running.auth)
        back = honest.approve(await browser.leave("honest"))
        swapped = await browser.come_back(back, "evil")
        mixed = honest.approve(await browser.leave("honest")) | {"iss": evil.issuer}
        confused = await browser.come_back(mixed, "honest")

        assert (swapped.status_code, confused.status_code) == (400, 400)
        assert await reasons(running) == ["unknown_flow", "wrong_issuer"]
        assert evil.count(TOKEN) == 0


async def test_fed_08_a_link_only_provider_signs_nobody_in(migrated_url, tmp_path, acme):
    """Not by the browser, not by a token, not even whoever is linked."""
    sections = {"acme": {"link_only": True, "native_tokens": True}}
    async with at_providers(migrated_url, tmp_path, acme, sections=sections) as running:
        somebody = await running.signed_in("bob")
        browser = Browser(running.auth)
        linked = await browser.link(acme, headers=somebody.headers, return_to="/")
        again = await Browser(running.auth).sign_in(acme, return_to="/")
        token = await native(Browser(running.auth), acme)

        assert told(linked)["status"] == "linked"
        assert told(again) == {"status": "refused", "reason": "not_admitted"}
        assert (token.status_code, token.json()["code"]) == (403, "not_admitted")


async def test_fed_08_a_provider_that_is_turned_off_does_not_exist(migrated_url, tmp_path, acme):
    """Every door answers as for one that never was."""
    async with at_providers(migrated_url, tmp_path, acme, sections={"acme": {"enabled": False}}) as running:
        http = Browser(running.auth).http
        answers = [
            await http.get("/v1/providers/acme/start"),
            await http.get("/v1/providers/acme/callback"),
            await http.post("/v1/providers/acme/nonce"),
            await http.post("/v1/providers/acme/token", json={"id_token": "x"}),
            await http.post("/v1/providers/acme/backchannel-logout", data={"logout_token": "x"}),
        ]

        assert [answer.status_code for answer in answers] == [404] * 5
        assert (await http.get("/v1/providers")).json() == []


async def test_fed_08_a_suspended_person_stays_out(running, browser, acme):
    """The provider vouches for them, and they are not let in; nor once they are deleted."""
    await browser.sign_in(acme)
    identity = (await browser.me()).json()["identity"]["id"]
    operator = await running.operator()
    http = Browser(running.auth).http
    suspended = await http.post(f"/v1/admin/identities/{identity}/suspend", headers=operator.headers, json={})
    answer = await Browser(running.auth).sign_in(acme, return_to="/")

    assert suspended.status_code == 204, suspended.text
    assert told(answer) == {"status": "refused", "reason": "not_admitted"}
    assert await reasons(running) == ["not_active"]


async def test_fed_09_a_hostile_set_of_claims_makes_no_operator(migrated_url, tmp_path, acme):
    """Only what the allow-list names becomes a role here; claims that look like ours are nothing."""
    acme.people["alice"] |= {
        "roles": ["staff", "ostiary:operator", "admin", "*"],
        "entity_type": "admin",
        "permissions": ["everything:do"],
        "status": "active",
        "token_epoch": -5,
    }
    sections = {"acme": {"role_claim": "roles", "roles": "staff:employee"}}
    async with at_providers(migrated_url, tmp_path, acme, sections=sections) as running:
        browser = Browser(running.auth)
        await browser.sign_in(acme)
        me = (await browser.me()).json()
        as_admin = await Browser(running.auth).sign_in(acme, entity_type="admin", return_to="/")

        assert me["roles"] == ["employee"]
        assert me["identity"]["entity_type"] == "user"
        assert told(as_admin)["reason"] == "not_admitted"


async def test_fed_09_roles_follow_the_provider_and_nobody_elses_do(migrated_url, tmp_path, acme):
    """A role the provider no longer names goes, with the tokens that name it; one an operator gave stays."""
    acme.people["alice"]["roles"] = ["staff", "boss"]
    sections = {"acme": {"role_claim": "roles", "roles": "staff:employee,boss:manager"}}
    async with at_providers(migrated_url, tmp_path, acme, sections=sections) as running:
        first, second = Browser(running.auth), Browser(running.auth)
        await first.sign_in(acme)
        await running.signed_in("alice2", roles=["extra"])
        acme.people["alice"]["roles"] = ["staff"]
        await second.sign_in(acme)

        assert (await second.me()).json()["roles"] == ["employee"]
        assert (await first.me()).status_code == 401


async def test_fed_09_a_verified_address_is_never_overwritten(migrated_url, tmp_path, acme):
    """What the provider says later changes the profile where that is wished, and the address never."""
    sections = {"acme": {"profile_refresh": "always"}}
    async with at_providers(migrated_url, tmp_path, acme, sections=sections) as running:
        browser = Browser(running.auth)
        await browser.sign_in(acme)
        acme.people["alice"] |= {"email": "new@example.org", "name": "Alice Renamed"}
        await browser.sign_in(acme)
        me = (await browser.me()).json()

        assert me["identity"]["email"] == "alice@example.org"
        assert me["profile"]["display_name"] == "Alice Renamed"


async def test_only_people_of_the_domain_come_in(migrated_url, tmp_path, acme):
    """Whoever's proven address is elsewhere, or who has none, is refused."""
    acme.people["bob"] = {"email": "bob@elsewhere.example", "email_verified": True}
    acme.people["eve"] = {"email": "eve@example.org", "email_verified": False}
    sections = {"acme": {"allowed_domains": "example.org"}}
    async with at_providers(migrated_url, tmp_path, acme, sections=sections) as running:
        answers = [
            told(await Browser(running.auth).sign_in(acme, person, return_to="/"))
            for person in ("alice", "bob", "eve")
        ]

        assert [answer.get("reason") for answer in answers] == [None, "not_admitted", "not_admitted"]
        assert set(await reasons(running)) == {"domain_not_allowed"}


async def test_nobody_new_comes_in_where_registration_is_closed(migrated_url, tmp_path, acme):
    """A closed installation stays closed to whoever has an account at a provider."""
    async with at_providers(migrated_url, tmp_path, acme, registration={"open": False}) as running:
        answer = await Browser(running.auth).sign_in(acme, return_to="/")

        assert told(answer) == {"status": "refused", "reason": "not_admitted"}
        assert await count(running.auth, "identities") == 0


async def test_sixteen_first_sign_ins_of_one_person_make_one_account(running, acme):
    """Sixteen browsers of somebody new come back at once: one account, one link, sixteen sessions."""
    browsers = [Browser(running.auth) for _ in range(16)]
    backs = [acme.approve(await browser.leave()) for browser in browsers]
    answers = await asyncio.gather(
        *(browser.come_back(back) for browser, back in zip(browsers, backs, strict=True))
    )

    assert [answer.status_code for answer in answers] == [200] * 16
    assert await count(running.auth, "identities") == 1
    assert await count(running.auth, "linked_accounts") == 1


async def test_a_newcomer_who_needs_approval_waits_for_it(migrated_url, tmp_path, acme):
    """Neither the first time nor the second are they in, and both times they are told why."""
    sections = {"acme": {"entity_types": "partner"}}
    async with at_providers(migrated_url, tmp_path, acme, sections=sections) as running:

        async def create(tx, identity, profile):
            return identity.id

        running.auth.entity_type("partner", prefix="prt", create=create, needs_approval=True)
        browser = Browser(running.auth)
        answers = [told(await browser.sign_in(acme, entity_type="partner", return_to="/")) for _ in range(2)]

        assert answers == [{"status": "awaits_approval"}] * 2
        assert (await browser.me()).status_code == 401
        assert await count(running.auth, "identities") == 1


async def test_the_second_factor_is_asked_for_here(migrated_url, tmp_path, acme):
    """A provider's word is a first proof: whoever must have a second factor is asked for it, or to make one."""
    async with at_providers(migrated_url, tmp_path, acme, factors={"required_for": "user"}) as running:
        browser = Browser(running.auth)
        answer = await browser.sign_in(acme, return_to=f"{HOME}/signed-in")

        assert answer.headers["location"].startswith(
            f"{HOME}/signed-in#status=factor_required&flow=ost_flow_"
        )
        assert told(answer)["enrol"] == "totp"
        assert (await browser.me()).status_code == 401


async def test_a_person_who_says_no_reads_a_calm_page(running, browser, acme):
    """Nothing of what the provider sent is on the page, which loads nothing and runs nothing."""
    url = await browser.leave()
    back = acme.approve(url, denied="access_denied") | {"error_description": "<script>alert(1)</script>"}
    answer = await browser.come_back(back)

    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert "script" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert await reasons(running) == ["denied"]


def bent(**bends):
    """Bend a provider in one way."""

    def bend(provider):
        for name, value in bends.items():
            setattr(provider.bends, name, value)

    return bend


HOSTILE = {
    "another issuer": (bent(claims={"iss": "https://evil.example"}), "wrong_issuer"),
    "another audience": (bent(claims={"aud": "somebody-else"}), "wrong_audience"),
    "unsigned": (bent(unsigned=True), "wrong_algorithm"),
    "signed with a public key": (bent(hmac_key=b"-----BEGIN PUBLIC KEY-----"), "wrong_algorithm"),
    "another key": (bent(signing_key=key_number(9)), "bad_signature"),
    "no nonce": (bent(claims={"nonce": MISSING}), "wrong_nonce"),
    "no subject": (bent(claims={"sub": MISSING}), "no_subject"),
    "too old": (bent(claims={"exp": 1}), "expired"),
    "no ID token": (bent(token_answer={"id_token": MISSING}), "no_id_token"),
}


@pytest.mark.parametrize(("bend", "reason"), HOSTILE.values(), ids=HOSTILE)
async def test_fed_04_a_hostile_answer_is_refused_calmly(running, browser, acme, bend, reason):
    """Nobody is signed in or made; the page says nothing of it, and the records say why."""
    url = await browser.leave()
    bend(acme)
    answer = await browser.come_back(acme.approve(url))

    assert answer.status_code == 400
    assert "The provider&#x27;s answer was not accepted" in answer.text
    assert await reasons(running) == [reason]
    assert await count(running.auth, "identities") == 0


@pytest.mark.parametrize(
    "answer",
    [
        Answer(302, b"", {"location": "http://127.0.0.1:1/"}),
        Answer(200, b"{" + b" " * 2**20 + b"}"),
        Answer(500, b"{}"),
        Answer(200, b"<html>"),
    ],
    ids=["a redirect inward", "a huge answer", "an error", "a page"],
)
async def test_fed_07_an_answer_that_is_none_signs_nobody_in(running, browser, acme, answer):
    """Redirects are not followed, and nothing endless is read: the provider counts as not answering."""
    url = await browser.leave()
    acme.bends.answers[TOKEN] = answer
    came_back = await browser.come_back(acme.approve(url))

    assert came_back.status_code in {400, 503}
    assert await count(running.auth, "identities") == 0


async def test_a_provider_that_is_down_stops_nobody_else(running, browser, acme):
    """Whoever signs in with a password does; whoever went to the provider is told calmly."""
    await running.signed_in("bob")
    back = acme.approve(await browser.leave())
    acme.bends.answers[TOKEN] = Answer(503, b"down")
    answer = await browser.come_back(back)
    attempt = {"identifier": "bob@example.org", "password": PASSWORD}
    password = await browser.http.post("/v1/login", json=attempt)

    assert (answer.status_code, password.status_code) == (503, 200)
    assert "does not answer" in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "https://app.example.org@evil.example/",
        "https://app.example.org.evil.example/",
        "https://app.example.org:8443/",
        "http://app.example.org/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:app.example.org",
        "/ok#fragment",
        "/line\nbreak",
        "/tab\tbed",
        "/nul\0",
        "relative",
        "",
        "/" + "x" * 3000,
        "https://APP.example.org/",
        "/ünïcode",
    ],
)
async def test_web_03_a_browser_is_sent_nowhere_else(running, browser, target):
    """Whatever is no path of ours and no address at an allowed origin is refused before anything is begun."""
    answer = await browser.http.get("/v1/providers/acme/start", params={"return_to": target})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert await count(running.auth, "upstream_flows") == 0


@pytest.mark.parametrize(
    "target", ["/", "/a?b=c&d=%2F%2Fe", f"{HOME}", f"{HOME}/x?y", "http://127.0.0.1:8000/z"]
)
async def test_web_03_a_browser_is_sent_where_it_may_go(running, browser, acme, target):
    """Paths of ours and addresses at allowed origins are gone to."""
    answer = await browser.sign_in(acme, return_to=target)

    assert answer.headers["location"].endswith(target)


async def native(browser, acme, person="alice", *, nonce=None, **body):
    """Sign in with an ID token an application got by itself."""
    if nonce is None:
        issued = await browser.http.post(f"/v1/providers/{acme.name}/nonce")
        nonce = issued.json()["nonce"]
    token = acme.id_token(person, nonce=nonce)
    body = {"id_token": token, "nonce": nonce} | body
    return await browser.http.post(f"/v1/providers/{acme.name}/token", json=body)


async def test_fed_03_an_id_token_with_our_nonce_signs_in_once(migrated_url, tmp_path, acme):
    """A native application brings an ID token that holds the nonce it got here; the second time it is nothing."""
    sections = {"acme": {"native_tokens": True}}
    async with at_providers(migrated_url, tmp_path, acme, sections=sections) as running:
        browser = Browser(running.auth)
        nonce = (await browser.http.post("/v1/providers/acme/nonce")).json()["nonce"]
        first = await native(browser, acme, nonce=nonce)
        again = await native(browser, acme, nonce=nonce)
        made_up = await native(browser, acme, nonce="ost_upstream_nonce")

        assert (first.status_code, first.json()["status"]) == (200, "signed_in")
        assert (again.status_code, made_up.status_code) == (401, 401)
        assert again.json() == made_up.json()


async def test_log_02_a_logout_at_the_provider_ends_its_session_here(running, acme):
    """The session the token names ends at once, the other goes on; the same token again does nothing."""
    first, second = Browser(running.auth), Browser(running.auth)
    await first.sign_in(acme)
    running.move(seconds=1)
    await second.sign_in(acme)
    query = Query("SELECT provider_session_id FROM ostiary.sessions ORDER BY id LIMIT 1", into=str)
    sid = await running.auth.services.database.fetch_one(query)
    token = acme.logout_token(sub=None, sid=sid)
    http = Browser(running.auth).http
    answers = [
        await http.post("/v1/providers/acme/backchannel-logout", data={"logout_token": token})
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert ((await first.me()).status_code, (await second.me()).status_code) == (401, 200)
    assert await count(running.auth, "sessions", "end_reason = 'provider_logout'") == 1


async def test_f10_a_late_logout_ends_no_newer_session(running, acme):
    """A logout token that was issued before somebody signed in again leaves the new session alone."""
    first, second = Browser(running.auth), Browser(running.auth)
    await first.sign_in(acme)
    running.move(seconds=30)
    token = acme.logout_token()
    running.move(seconds=30)
    await second.sign_in(acme)
    late = await Browser(running.auth).http.post(
        "/v1/providers/acme/backchannel-logout", data={"logout_token": token}
    )

    assert late.status_code == 200
    assert ((await first.me()).status_code, (await second.me()).status_code) == (401, 200)


async def test_log_02_a_logout_within_the_second_of_the_sign_in_ends_it(running, acme):
    """A logout token says when it was made in whole seconds, and a session of the same second is not newer for that."""
    browser = Browser(running.auth)
    running.move(milliseconds=1600 - running.clock.now().microsecond // 1000)
    await browser.sign_in(acme)
    running.move(milliseconds=300)
    told = await Browser(running.auth).http.post(
        "/v1/providers/acme/backchannel-logout", data={"logout_token": acme.logout_token()}
    )

    assert told.status_code == 200
    assert (await browser.me()).status_code == 401


async def test_log_02_an_id_token_is_no_logout_token(running, browser, acme):
    """An ID token, a token of another audience and garbage end nothing."""
    await browser.sign_in(acme)
    http = Browser(running.auth).http
    tokens = [acme.id_token(), acme.logout_token(aud="another"), "garbage", ""]
    answers = [
        await http.post("/v1/providers/acme/backchannel-logout", data={"logout_token": token})
        for token in tokens
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert (await browser.me()).status_code == 200
