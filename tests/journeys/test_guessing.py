"""Guessing: one budget for everything that can be guessed, counted with every try, refilled by a whole sign-in alone."""

from __future__ import annotations

import asyncio

import pytest
from tests.factories import WRONG, count
from tests.journeys.factor_walks import delivered, flow_of, login, show, verified, with_app

from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
NEW = "another long phrase of hers"
PHONE = "+41446681800"


async def refilled(running, client):
    """Give Ada an app and a whole budget: enrolling it took an attempt, which a whole sign-in gives back."""
    app = await with_app(running, client)
    await running.signed_in("ada", amr=("pwd", "otp", "mfa"))
    return app


async def test_abu_01_guesses_at_every_endpoint_spend_one_budget(running, client):
    """Spread over everything that takes a guess, ten are looked at in all; the eleventh is told to wait."""
    await with_app(running, client)
    await verified(running, phone=PHONE)
    who = await running.signed_in("ada", amr=("pwd", "otp", "mfa"))
    flow = await flow_of(client)
    await client.post("/v1/login/code", json={"identifier": EMAIL})
    await client.post("/v1/password/forgot", json={"identifier": PHONE})
    guesses = [
        ("/v1/login", {"identifier": EMAIL, "password": WRONG}),
        ("/v1/login", {"identifier": PHONE, "password": WRONG}),
        ("/v1/login/factor", {"flow": flow, "method": "totp", "code": "000000"}),
        ("/v1/login/factor", {"flow": flow, "method": "recovery_code", "code": "0000-0000-0000-0000"}),
        ("/v1/login/code/confirm", {"identifier": EMAIL, "code": "x"}),
        ("/v1/password/reset", {"identifier": PHONE, "code": "x", "new_password": NEW}),
        ("/v1/me/reauthenticate", {"password": WRONG}),
        ("/v1/me/reauthenticate", {"method": "totp", "code": "000000"}),
        ("/v1/me/password", {"current_password": WRONG, "new_password": NEW}),
    ]

    # The right password that began the flow was the first; it is not given back before the sign-in is whole.
    first = [
        (await client.post(path, json=body, headers=who.headers if "/me/" in path else {})).status_code
        for path, body in guesses
    ]
    second = [
        (await client.post(path, json=body, headers=who.headers if "/me/" in path else {})).status_code
        for path, body in guesses
    ]

    assert set(first) == {401}
    # A recovery code cannot be guessed, so no flood of guesses may stop it (ABU-03).
    expected = [401 if body.get("method") == "recovery_code" else 429 for _, body in guesses]
    assert second == expected
    assert await count(running.auth, "identities", "failed_login_attempts = 10") == 1


async def test_abu_02_parallel_guesses_at_a_factor_are_counted_one_by_one(running, client):
    """Of forty at once no more than the budget are looked at."""
    await refilled(running, client)
    flow = await flow_of(client)

    answers = await asyncio.gather(*(show(client, flow, "totp", f"{n:06}") for n in range(40)))

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (9, 31)


async def test_abu_06_a_right_password_refills_nothing(running, client):
    """Somebody who knows the password and guesses at the factor is locked out as any other (MFA-03)."""
    await refilled(running, client)
    statuses = []
    for _ in range(8):
        answer = await login(client)
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            flow = answer.json()["flow"]
            statuses.append((await show(client, flow, "totp", "000000")).status_code)

    assert statuses == [200, 401] * 5 + [429] * 3


async def test_mfa_03_a_new_flow_or_session_brings_no_new_budget(running, client):
    """Attempts count for the account, over flows, factors and sessions."""
    app = await refilled(running, client)
    flows = [await flow_of(client) for _ in range(3)]
    statuses = [(await show(client, flow, "totp", "000000")).status_code for flow in flows * 3]
    right = await show(client, flows[0], "totp", app.code(running))

    assert statuses == [401] * 7 + [429] * 2
    assert right.status_code == 429


async def test_abu_03_a_recovery_code_signs_in_through_a_lock(running, client):
    """While everything that can be guessed is locked, what cannot be still opens, and refills the budget."""
    app = await with_app(running, client)
    flow = await flow_of(client)
    for _ in range(10):
        locked = await show(client, flow, "totp", "000000")

    done = await show(client, flow, "recovery_code", app.recovery_codes[0].lower())

    assert locked.status_code == 429
    assert done.status_code == 200
    assert await count(running.auth, "identities", "failed_login_attempts = 0") == 1


async def test_abu_06_a_whole_sign_in_refills_the_budget(running, client):
    """Password and factor together begin anew."""
    app = await with_app(running, client)
    flow = await flow_of(client)
    for _ in range(5):
        await show(client, flow, "totp", "000000")

    await show(client, flow, "totp", app.code(running))

    assert await count(running.auth, "identities", "failed_login_attempts = 0") == 1


async def test_abu_04_a_lock_looks_the_same_for_codes_of_nobody(running, client):
    """A spent budget answers alike whoever is guessed at by code."""
    await verified(running)
    replies = []
    for identifier in (EMAIL, "nobody@example.org"):
        for _ in range(11):
            reply = await client.post("/v1/login/code/confirm", json={"identifier": identifier, "code": "x"})
        replies.append((reply.status_code, reply.text, reply.headers["retry-after"]))

    assert replies[0] == replies[1]
    assert replies[0][0] == 429


# Proving oneself again.


async def test_ses_02_proving_oneself_again_makes_a_new_session(running, client):
    """The id differs, and the old session is dead."""
    ada = await running.signed_in("ada")
    renewed = await client.post("/v1/me/reauthenticate", headers=ada.headers, json={"password": PASSWORD})

    assert renewed.json()["session_id"] != ada.principal.session_id
    assert (await client.get("/v1/me", headers=ada.headers)).status_code == 401


async def test_ses_02_no_id_of_the_callers_choice_is_taken_over(running, client):
    """Cookies set beforehand are replaced by a sign-in, and what they held opens nothing."""
    await running.signed_in("ada")
    planted = {"ostiary_access": "planted", "ostiary_refresh": "planted", "ostiary_device": "planted"}
    client.headers["Origin"] = "http://127.0.0.1:8000"
    for name, value in planted.items():
        client.cookies.set(name, value)
    answer = await login(client, delivery="cookie")

    assert answer.status_code == 200
    set_now = {cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie")}
    assert set_now == {"ostiary_access", "ostiary_refresh"}
    assert "planted" not in answer.text


async def test_mfa_05_a_password_alone_proves_too_little_again(running, client):
    """With a second factor enrolled, the password alone renews no session and changes nothing; with it, both do."""
    app = await with_app(running, client)
    device = await show(client, await flow_of(client), "totp", app.code(running), remember_device=True)
    on_device = (await login(client, device=device.json()["device"])).json()["tokens"]
    headers = {"Authorization": f"Bearer {on_device['access_token']}"}
    change = {"current_password": PASSWORD, "new_password": NEW}

    answers = [
        await client.post("/v1/me/reauthenticate", headers=headers, json={"password": PASSWORD}),
        await client.post("/v1/me/password", headers=headers, json=change),
    ]
    body = {"password": PASSWORD, "method": "totp", "code": app.code(running)}
    renewed = await client.post("/v1/me/reauthenticate", headers=headers, json=body)
    fresh = {"Authorization": f"Bearer {renewed.json()['access_token']}"}
    changed = await client.post("/v1/me/password", headers=fresh, json=change)

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "second_factor_required")
    ] * 2
    assert (renewed.status_code, changed.status_code) == (200, 200)


async def test_a_factor_of_the_same_channel_adds_nothing(running, client):
    """Whoever came by a link in their mailbox proves nothing more by a code that is sent there."""
    await verified(running)
    await client.post("/v1/login/link", json={"identifier": EMAIL})
    token = await delivered(running, "token")
    session = (await client.post("/v1/login/link/confirm", json={"token": token})).json()["tokens"]
    headers = {"Authorization": f"Bearer {session['access_token']}"}

    answer = await client.post(
        "/v1/me/reauthenticate", headers=headers, json={"method": "email", "code": "000000"}
    )

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"method": "totp"},
        {"code": "123456"},
        {"method": "passkey", "code": "123456"},
        {"method": "totp", "ceremony": "x", "credential": {}},
        {"password": PASSWORD, "code": "123456"},
        {"method": "password", "code": "x"},
    ],
)
async def test_half_a_proof_is_a_bad_request(running, client, body):
    """Nothing, half a factor, or the halves of two: 400, and the session is as it was."""
    ada = await running.signed_in("ada")
    answer = await client.post("/v1/me/reauthenticate", headers=ada.headers, json=body)

    assert answer.status_code == 400
    assert (await client.get("/v1/me", headers=ada.headers)).status_code == 200


async def test_ses_08_an_aged_session_proves_itself_again_on_each_sensitive_route(running, client, auth):
    """Every route that asks for a recent proof refuses a session of eleven minutes, whatever it was proven by."""
    await with_app(running, client)
    ada = await running.signed_in(
        "ada", amr=("pwd", "otp", "mfa"), entity_type="user", roles=["ostiary:operator"]
    )
    root = await running.operator()
    running.move(minutes=11)
    refused = {}
    for route in auth.routes():
        if route.guard.recent:
            path = route.path.replace("{id}", "x")
            who = root if "admin" in route.guard.entity_types else ada
            answer = await client.request(
                route.method, path, headers=who.headers, json=None if route.method == "GET" else {}
            )
            refused[f"{route.method} {route.path}"] = (answer.status_code, answer.json().get("code"))

    assert set(refused.values()) == {(403, "reauthentication_required")}
    assert len(refused) > 10
