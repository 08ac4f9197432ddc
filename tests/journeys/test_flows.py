"""Sign-in as a state machine: what is demanded, what is accepted, and that nothing else leads to a session."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx2
import pytest
from tests.authenticator import Authenticator
from tests.factories import WRONG, count
from tests.journeys.factor_walks import (
    SAME_SITE,
    amr_of,
    code_of,
    delivered,
    flow_of,
    login,
    show,
    verified,
    with_app,
)

from ostiary.features.audit import SYSTEM
from ostiary.features.flows import Factor, FactorFacts, FactorPolicy, Proof
from ostiary.features.identities import parse_email
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

PHONE = "+41446681800"
MESSAGES = {"email": True, "sms": True}
BY_PASSWORD = Proof("password", ("pwd",))


@pytest.fixture
async def running(migrated_url, tmp_path):
    """An installation where e-mail and SMS may be second factors."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, factors=MESSAGES) as started:
        yield started


async def sessions_of(auth) -> int:
    return await count(auth, "sessions", "ended_at IS NULL")


def bearer(answer) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['tokens']['access_token']}"}


# What the policy says, as a table of facts.


@pytest.mark.parametrize(
    ("entity_type", "roles", "factors", "proof", "expected"),
    [
        ("user", (), (), BY_PASSWORD, None),
        ("user", (), ("passkey",), BY_PASSWORD, None),
        ("user", (), ("recovery_code",), BY_PASSWORD, None),
        ("user", (), ("totp", "recovery_code"), BY_PASSWORD, ("totp", "recovery_code")),
        ("user", (), ("totp", "passkey"), BY_PASSWORD, ("passkey", "totp")),
        ("user", (), ("totp",), Proof("passkey", ("hwk",), is_multi_factor=True), None),
        ("user", (), ("totp", "passkey"), Proof("passkey", ("hwk",)), ("totp",)),
        ("user", (), ("email",), BY_PASSWORD, ("email",)),
        ("user", (), ("email",), Proof("link", ("email",)), ()),
        ("user", (), ("email", "recovery_code"), Proof("link", ("email",)), ("recovery_code",)),
        ("user", (), ("email", "sms"), Proof("code", ("otp", "sms")), ("email",)),
        ("user", ("billing",), (), BY_PASSWORD, "enrol"),
        ("user", ("billing",), ("recovery_code",), BY_PASSWORD, "enrol"),
        ("user", ("billing",), ("passkey",), BY_PASSWORD, ("passkey",)),
        ("user", ("billing",), ("passkey",), Proof("passkey", ("hwk",)), "enrol"),
        ("admin", (), (), BY_PASSWORD, "enrol"),
        ("admin", (), ("totp",), Proof("link", ("email",)), ("totp",)),
        ("admin", (), (), Proof("passkey", ("hwk",), is_multi_factor=True), None),
    ],
)
def test_mfa_05_the_policy_is_a_table(entity_type, roles, factors, proof, expected):
    """For each kind of account, role, enrolled factor and proof: nothing is missing, one of these, or one to be made."""
    policy = FactorPolicy.parse(["admin", "role:billing"])
    grants = [_grant(role) for role in roles]
    facts = FactorFacts(grants, frozenset(map(Factor, factors)))

    missing = policy.missing(entity_type, proof, facts)

    if expected is None:
        assert missing is None
    elif expected == "enrol":
        assert (missing.factors, missing.enrol) == ((), (Factor.TOTP,))
    else:
        assert (missing.factors, missing.enrol) == (expected, ())


def _grant(role):
    from ostiary.features.roles import Grant

    return Grant(role, None, None, None, [])


# OP-03: each path, and what the token says of it.


async def by_password(running, client):
    return await login(client)


async def by_totp(running, client):
    app = await with_app(running, client)
    return await show(client, await flow_of(client), "totp", app.code(running))


async def by_recovery_code(running, client):
    app = await with_app(running, client)
    return await show(client, await flow_of(client), "recovery_code", app.recovery_codes[0])


async def _message_factor(running, client, kind):
    await verified(running, phone=PHONE)
    who = await running.signed_in("ada")
    assert (await client.put(f"/v1/me/factors/{kind}", headers=who.headers)).status_code in {200, 204}
    flow = await flow_of(client)
    sent = await client.post("/v1/login/factor/send", json={"flow": flow, "method": kind})
    assert sent.status_code == 202
    code = await delivered(running, "code")
    return await show(client, flow, kind, code)


async def by_emailed_factor(running, client):
    return await _message_factor(running, client, "email")


async def by_texted_factor(running, client):
    return await _message_factor(running, client, "sms")


async def _link(running, client):
    await client.post("/v1/login/link", json={"identifier": "ada@example.org"})
    token = await delivered(running, "token")
    return await client.post("/v1/login/link/confirm", json={"token": token})


async def by_link(running, client):
    await verified(running)
    return await _link(running, client)


async def by_link_and_totp(running, client):
    await verified(running)
    app = await with_app(running, client)
    waiting = (await _link(running, client)).json()
    return await show(client, waiting["flow"], "totp", app.code(running))


async def _code(running, client, identifier):
    await client.post("/v1/login/code", json={"identifier": identifier})
    code = await delivered(running, "code")
    return await client.post("/v1/login/code/confirm", json={"identifier": identifier, "code": code})


async def by_emailed_code(running, client):
    await verified(running)
    return await _code(running, client, "ada@example.org")


async def by_texted_code(running, client):
    await verified(running, phone=PHONE)
    return await _code(running, client, PHONE)


async def by_device(running, client):
    app = await with_app(running, client)
    first = await show(client, await flow_of(client), "totp", app.code(running), remember_device=True)
    return await login(client, device=first.json()["device"])


async def _with_passkey(running, client):
    who = await running.signed_in("ada")
    begun = (await client.post("/v1/me/passkeys/options", headers=who.headers, json={})).json()
    key = Authenticator()
    made = {"ceremony": begun["ceremony"], "credential": key.make(begun["options"])}
    assert (await client.post("/v1/me/passkeys", headers=who.headers, json=made)).status_code == 201
    return key


async def by_passkey_as_second(running, client):
    key = await _with_passkey(running, client)
    who = await running.signed_in("ada", amr=("pwd", "otp", "mfa"))
    begun = (await client.post("/v1/me/factors/totp", headers=who.headers, json={})).json()
    code = {"code": code_of(begun["secret"], running)}
    await client.post(f"/v1/me/factors/totp/{begun['id']}/confirm", headers=who.headers, json=code)
    flow = await flow_of(client)
    ceremony = (await client.post("/v1/login/factor/passkey", json={"flow": flow})).json()
    answered = {"ceremony": ceremony["ceremony"], "credential": key.use(ceremony["options"])}
    return await client.post("/v1/login/factor", json={"flow": flow, "method": "passkey"} | answered)


async def again_by_password(running, client):
    headers = bearer(await login(client))
    return await client.post("/v1/me/reauthenticate", headers=headers, json={"password": PASSWORD})


async def again_by_totp(running, client):
    app = await with_app(running, client)
    headers = bearer(await show(client, await flow_of(client), "totp", app.code(running)))
    body = {"method": "totp", "code": app.code(running)}
    return await client.post("/v1/me/reauthenticate", headers=headers, json=body)


async def again_by_both(running, client):
    app = await with_app(running, client)
    headers = bearer(await show(client, await flow_of(client), "recovery_code", app.recovery_codes[1]))
    body = {"password": PASSWORD, "method": "totp", "code": app.code(running)}
    return await client.post("/v1/me/reauthenticate", headers=headers, json=body)


async def after_a_new_password(running, client):
    app = await with_app(running, client)
    headers = bearer(await show(client, await flow_of(client), "totp", app.code(running)))
    body = {"current_password": PASSWORD, "new_password": "another long phrase of hers"}
    return await client.post("/v1/me/password", headers=headers, json=body)


PATHS = {
    by_password: ("pwd",),
    by_totp: ("pwd", "otp", "mfa"),
    by_recovery_code: ("pwd", "rc", "mfa"),
    by_emailed_factor: ("pwd", "otp", "email", "mfa"),
    by_texted_factor: ("pwd", "otp", "sms", "mfa"),
    by_link: ("email",),
    by_link_and_totp: ("email", "otp", "mfa"),
    by_emailed_code: ("otp", "email"),
    by_texted_code: ("otp", "sms"),
    by_device: ("pwd", "device"),
    by_passkey_as_second: ("pwd", "hwk", "user", "mfa"),
    again_by_password: ("pwd",),
    again_by_totp: ("pwd", "otp", "mfa"),
    again_by_both: ("pwd", "otp", "mfa"),
    after_a_new_password: ("pwd", "otp", "mfa"),
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
async def test_op_03_the_token_says_what_was_proven_and_when(running, client, path):
    """Each way to a session has its own `amr`, `auth_time` is that moment, and a refresh changes neither."""
    await running.signed_in("ada")
    answer = await path(running, client)
    body = answer.json()
    tokens = body.get("tokens", body)
    proven = running.auth.verify(tokens["access_token"])
    running.move(minutes=5)
    refreshed = await client.post("/v1/refresh", json={"refresh_token": tokens["refresh_token"]})
    later = running.auth.verify(refreshed.json()["access_token"])

    assert answer.status_code == 200
    assert set(proven.amr) == set(PATHS[path])
    assert proven.authenticated_at == running.clock.now() - timedelta(minutes=5)
    assert (later.amr, later.authenticated_at) == (proven.amr, proven.authenticated_at)


# What a flow accepts.


async def test_a_second_factor_is_asked_for_and_signs_in(running, client):
    """Before it there is a flow and no session; after it a session, and the flow is gone."""
    app = await with_app(running, client)
    before = await sessions_of(running.auth)
    waiting = await login(client)
    between = await sessions_of(running.auth)
    flow = waiting.json()["flow"]
    done = await show(client, flow, "totp", app.code(running))
    again = await show(client, flow, "totp", app.code(running))

    assert set(waiting.json()) == {"status", "flow", "factors", "enrol"}
    assert waiting.json()["factors"] == ["totp", "recovery_code"]
    assert between == before
    assert (done.status_code, done.json()["status"]) == (200, "signed_in")
    assert again.status_code == 401


async def _empty(running, client, app, flow):
    return await show(client, "", "totp", app.code(running))


async def _random(running, client, app, flow):
    made_up = flow[:-43] + "A" * 43
    return await show(client, made_up, "totp", app.code(running))


async def _empty_code(running, client, app, flow):
    return await show(client, flow, "totp", "")


async def _wrong_code(running, client, app, flow):
    return await show(client, flow, "totp", "000000")


async def _other_step(running, client, app, flow):
    return await show(client, flow, "email", app.code(running))


async def _nothing_to_enrol(running, client, app, flow):
    return await client.post("/v1/login/enrol", json={"flow": flow, "method": "totp"})


async def _nothing_to_send(running, client, app, flow):
    return await client.post("/v1/login/factor/send", json={"flow": flow, "method": "sms"})


async def _no_passkey(running, client, app, flow):
    return await client.post("/v1/login/factor/passkey", json={"flow": flow})


async def _expired(running, client, app, flow):
    running.move(minutes=10)
    return await show(client, flow, "totp", app.code(running))


async def _consumed(running, client, app, flow):
    assert (await show(client, flow, "totp", app.code(running))).status_code == 200
    return await show(client, flow, "totp", app.code(running))


async def _others(running, client, app, flow):
    """The code of one person in the flow of another."""
    other = await with_app(running, client, "grace")
    return await show(client, flow, "totp", other.code(running))


async def _suspended(running, client, app, flow):
    now = running.clock.now()
    ada = await running.auth.services.identities.find("user", parse_email("ada@example.org"))
    await running.auth.services.administration.suspend(ada.id, by=SYSTEM, now=now)
    return await show(client, flow, "totp", app.code(running))


async def _signed_out_everywhere(running, client, app, flow):
    who = await running.signed_in("ada", amr=("pwd", "otp", "mfa"))
    assert (await client.post("/v1/logout-all", headers=who.headers, json={})).status_code == 204
    return await show(client, flow, "totp", app.code(running))


async def _role_lost(running, client, app, flow):
    """The epoch moves, and no flow is cancelled: the sign-in is overtaken."""
    services, now = running.auth.services, running.clock.now()
    ada = await services.identities.find("user", parse_email("ada@example.org"))
    await services.role_administration.remove(ada.id, "editor", by=SYSTEM, now=now)
    return await show(client, flow, "totp", app.code(running))


WRONG_STEPS = [
    _empty, _random, _empty_code, _wrong_code, _other_step, _nothing_to_enrol, _nothing_to_send, _no_passkey,
    _expired, _consumed, _others, _suspended, _signed_out_everywhere, _role_lost,
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_STEPS, ids=lambda wrong: wrong.__name__.strip("_"))
async def test_rec_06_a_flow_accepts_nothing_but_its_next_step(running, client, wrong):
    """Empty, made up, early, late, spent, other people's, overtaken: one and the same refusal, and no session."""
    app = await with_app(running, client, roles=["editor"])
    flow = await flow_of(client)
    refused = await wrong(running, client, app, flow)
    plain = await client.post("/v1/login", json={"identifier": "nobody@example.org", "password": WRONG})

    assert (refused.status_code, refused.text) == (401, plain.text)
    assert await count(running.auth, "login_history", "success AND method = 'password+email'") == 0


async def test_rec_06_a_wrong_code_leaves_the_flow_open(running, client):
    """Whoever mistypes tries again in the same flow, until the budget is spent."""
    app = await with_app(running, client)
    flow = await flow_of(client)

    statuses = [(await show(client, flow, "totp", code)).status_code for code in ("000000", "", "12345")]
    statuses.append((await show(client, flow, "totp", app.code(running))).status_code)

    assert statuses == [401, 401, 401, 200]


@pytest.mark.parametrize("method", ["totp", "recovery_code"])
async def test_sixteen_who_finish_one_flow_get_one_session(running, client, method):
    """The flow is won in SQL, and whoever lost it gives back what they showed."""
    app = await with_app(running, client)
    flow = await flow_of(client)
    before = await sessions_of(running.auth)
    code = app.code(running) if method == "totp" else app.recovery_codes[0]
    answers = await asyncio.gather(*(show(client, flow, method, code) for _ in range(16)))

    assert sorted({answer.status_code for answer in answers}) in ([200, 401], [200, 401, 429])
    assert [answer.status_code for answer in answers].count(200) == 1
    assert await sessions_of(running.auth) == before + 1
    assert await count(running.auth, "recovery_codes", "used_at IS NOT NULL") == (method == "recovery_code")


async def test_two_flows_take_a_recovery_code_once(running, client):
    """The same recovery code in two flows at once signs in once."""
    app = await with_app(running, client)
    flows = [await flow_of(client) for _ in range(2)]

    answers = await asyncio.gather(
        *(show(client, flow, "recovery_code", app.recovery_codes[0]) for flow in flows)
    )

    assert sorted(answer.status_code for answer in answers) == [200, 401]


async def test_a_code_is_good_for_the_flow_it_was_sent_in(running, client):
    """A code of one flow is nothing in another flow of the same person; the newest code counts (REC-04)."""
    await verified(running)
    who = await running.signed_in("ada")
    await client.put("/v1/me/factors/email", headers=who.headers)
    mine, theirs = await flow_of(client), await flow_of(client)
    await client.post("/v1/login/factor/send", json={"flow": theirs, "method": "email"})
    code = await delivered(running, "code")

    in_another = await show(client, mine, "email", code)
    in_its_own = await show(client, theirs, "email", code)

    assert (in_another.status_code, in_its_own.status_code) == (401, 200)


async def test_ses_06_a_flow_opens_no_route(running, client, auth):
    """On every route the flow's secret is no access token: as bearer, as cookie, as refresh token, nothing opens."""
    await with_app(running, client)
    flow = await flow_of(client)
    guarded = [route for route in auth.routes() if route.guard.identified or route.guard.scope]
    statuses = set()
    for route in guarded:
        path = route.path.replace("{id}", "x").replace("{n}", "1")
        for headers in (
            {"Authorization": f"Bearer {flow}"},
            SAME_SITE | {"Cookie": f"ostiary_access={flow}; ostiary_refresh={flow}; ostiary_device={flow}"},
        ):
            body = None if route.method == "GET" else {}
            answer = await client.request(route.method, path, headers=headers, json=body)
            # A route that is open to anybody answers without knowing who asks.
            if not (headers.get("Cookie") and answer.status_code == 400):
                statuses.add((answer.status_code, route.path if answer.status_code != 401 else ""))
    refreshed = await client.post("/v1/refresh", json={"refresh_token": flow})

    assert statuses == {(401, "")}
    assert refreshed.status_code == 401
    assert len(guarded) > 20


# Whoever must have a factor.


async def test_mfa_05_whoever_must_have_a_factor_makes_one_on_the_way(running, client):
    """An administrator without a factor enrols one in the flow, signs in, and is shown recovery codes once."""
    await running.signed_in("root", entity_type="admin")
    waiting = await login(client, "root", entity_type="admin")
    flow = waiting.json()["flow"]
    early = await show(client, flow, "totp", "123456")
    begun = (await client.post("/v1/login/enrol", json={"flow": flow, "method": "totp"})).json()
    wrong = await show(client, flow, "totp", "000000")
    done = await show(client, flow, "totp", code_of(begun["secret"], running))
    running.move(seconds=30)
    next_time = await login(client, "root", entity_type="admin")

    assert (waiting.json()["factors"], waiting.json()["enrol"]) == ([], ["totp"])
    assert [early.status_code, wrong.status_code] == [401, 401]
    assert set(begun) == {"id", "secret", "otpauth_uri", "qr_svg"}
    assert len(done.json()["recovery_codes"]) == 10
    assert set(amr_of(running, done)) == {"pwd", "otp", "mfa"}
    assert next_time.json()["factors"] == ["totp", "recovery_code"]
    assert await count(running.auth, "outbox", "subject = 'factor_added'") == 1


async def test_mfa_05_enrolling_ends_what_was_signed_in_without(running, client):
    """A session from before the factor dies when the factor is made in a flow (MFA-06)."""
    early = await running.signed_in("root", entity_type="admin", amr=("pwd",))
    flow = await flow_of(client, "root", entity_type="admin")
    begun = (await client.post("/v1/login/enrol", json={"flow": flow, "method": "totp"})).json()
    await show(client, flow, "totp", code_of(begun["secret"], running))

    assert (await client.get("/v1/me", headers=early.headers)).status_code == 401


async def test_adm_04_the_first_administrator_enrols_on_the_way(running, client):
    """Bootstrapping ends in a session with a second factor, in three requests."""
    token = await running.auth.services.registration.issue_bootstrap(now=running.clock.now())
    body = {"token": token.reveal(), "email": "root@example.org", "password": PASSWORD}
    made = await client.post("/v1/bootstrap", json=body)
    flow = made.json()["flow"]
    begun = (await client.post("/v1/login/enrol", json={"flow": flow, "method": "totp"})).json()
    done = await show(client, flow, "totp", code_of(begun["secret"], running))
    stats = await client.get("/v1/admin/stats", headers=bearer(done))

    assert (made.status_code, made.json()["status"]) == (201, "factor_required")
    assert stats.status_code == 200


@pytest.fixture
async def strict(migrated_url, tmp_path):
    """An installation where every user must have a second factor."""
    wanted = {"required_for": ["user", "admin"]}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, factors=wanted) as started:
        yield started


async def test_mfa_05_the_policy_holds_on_every_path(strict):
    """Registering, password, link, code, confirmed address: each stops at the factor where one is demanded."""
    transport = httpx2.ASGITransport(app=strict.auth)
    async with httpx2.AsyncClient(transport=transport, base_url=strict.auth.settings.public_url) as client:
        registered = await client.post(
            "/v1/register", json={"email": "new@example.org", "password": PASSWORD}
        )
        await strict.deliver()
        await verified(strict, phone=PHONE)
        alive = await sessions_of(strict.auth)
        answers = [
            registered,
            await login(client),
            await _link(strict, client),
            await _code(strict, client, "ada@example.org"),
            await _code(strict, client, PHONE),
        ]
        reset = await _reset(strict, client)
        after = [await login(client, password=NEW_PASSWORD), await _link(strict, client)]

    assert {answer.json()["status"] for answer in (*answers, *after)} == {"factor_required"}
    assert reset.status_code == 204
    assert alive == 1  # of the helper that made her
    assert await sessions_of(strict.auth) == 0


NEW_PASSWORD = "another long phrase of hers"


async def _reset(running, client):
    await client.post("/v1/password/forgot", json={"identifier": "ada@example.org"})
    token = await delivered(running, "token")
    return await client.post("/v1/password/reset", json={"token": token, "new_password": NEW_PASSWORD})


async def test_mfa_05_a_refresh_meets_the_policy_of_its_moment(running, client):
    """Whoever gets a role that demands a second factor is not refreshed without one, and their session is over."""
    policy = {"required_for": ["role:billing"]}
    async with auth_for_tests(
        database_url=running.auth.settings.database, data=running.auth.settings.data, factors=policy
    ) as tightened:
        ada = await tightened.signed_in("ada", amr=("pwd",))
        grace = await tightened.signed_in("grace", amr=("pwd", "otp", "mfa"))
        kept = await tightened.signed_in("hedy", amr=("pwd", "device"))
        transport = httpx2.ASGITransport(app=tightened.auth)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as door:
            before = await door.post("/v1/refresh", json={"refresh_token": ada.refresh_token})
            for who in ("ada", "grace", "hedy"):
                await tightened.signed_in(who, roles=["billing"], amr=("pwd",))
            refused = await door.post("/v1/refresh", json={"refresh_token": before.json()["refresh_token"]})
            dead = await door.get(
                "/v1/me", headers={"Authorization": f"Bearer {before.json()['access_token']}"}
            )
            others = [
                await door.post("/v1/refresh", json={"refresh_token": who.refresh_token})
                for who in (grace, kept)
            ]

    assert (before.status_code, refused.status_code, dead.status_code) == (200, 401, 401)
    assert refused.json()["code"] == "invalid_refresh_token"
    assert "second factor" in refused.json()["detail"]
    assert [answer.status_code for answer in others] == [200, 200]


@pytest.mark.parametrize(("names", "is_told"), [("admin,role:billing", False), ("", False), ("amdin", True)])
async def test_a_kind_of_account_that_is_not_there_is_told_at_the_start(tmp_path, caplog, names, is_told):
    """A misspelt name demands a factor of nobody, so the log says it."""
    caplog.set_level("WARNING", logger="ostiary")
    async with auth_for_tests(data=tmp_path, factors={"required_for": names}):
        pass

    assert ("OSTIARY_FACTORS__REQUIRED_FOR" in caplog.text) == is_told
