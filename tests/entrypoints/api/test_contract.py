"""The published contract: what every route answers, in the shapes other programs build against."""

from __future__ import annotations

import json

import pytest

from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

TOKENS = {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "session_id"}
IDENTITY = {
    "id",
    "entity_type",
    "entity_id",
    "email",
    "email_verified",
    "phone",
    "phone_verified",
    "status",
    "created_at",
    "last_login_at",
}
ALICE = {"email": "alice@example.org", "password": PASSWORD}
LOGIN = {"identifier": "alice@example.org", "password": PASSWORD}


@pytest.fixture
async def alice(client):
    return (await client.post("/v1/register", json=ALICE)).json()


@pytest.fixture
def bearer(alice):
    return {"Authorization": f"Bearer {alice['tokens']['access_token']}"}


async def test_register_login_me_refresh_logout(client):
    """The first walk of every newcomer, shapes included."""
    registered = await client.post("/v1/register", json=ALICE)
    login = await client.post("/v1/login", json=LOGIN)
    tokens = login.json()["tokens"]
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    me = await client.get("/v1/me", headers=headers)
    refreshed = await client.post("/v1/refresh", json={"refresh_token": tokens["refresh_token"]})
    again = await client.post("/v1/refresh", json={"refresh_token": tokens["refresh_token"]})
    logout = await client.post("/v1/logout", headers=headers)
    after = await client.get("/v1/me", headers=headers)

    statuses = [r.status_code for r in (registered, login, me, refreshed, again, logout, after)]
    assert statuses == [201, 200, 200, 200, 200, 204, 401]
    assert set(registered.json()) == set(login.json()) == {"status", "identity", "tokens"}
    assert set(tokens) == set(refreshed.json()) == TOKENS
    assert set(registered.json()["identity"]) == IDENTITY
    assert set(me.json()) == {"identity", "profile", "roles", "permissions", "session"}
    assert refreshed.json()["refresh_token"] == again.json()["refresh_token"]
    assert tokens["expires_in"] == 900
    assert tokens["refresh_expires_in"] == 30 * 86400


async def test_adm_03_no_answer_has_a_field_that_is_not_declared(client, alice, bearer):
    """The keys of every answer about oneself are exactly these, and none is about credentials."""
    me = (await client.get("/v1/me", headers=bearer)).json()
    session = (await client.get("/v1/me/sessions", headers=bearer)).json()["sessions"][0]
    login = (await client.get("/v1/me/login-history", headers=bearer)).json()["logins"][0]

    assert set(me["profile"]) == {
        "id", "email", "phone", "display_name", "given_name", "family_name", "locale", "time_zone", "avatar_url",
        "metadata", "created_at", "updated_at",
    }  # fmt: skip
    assert set(session) == {
        "id", "current", "device_label", "ip_address", "user_agent", "amr", "authenticated_at", "created_at",
        "last_used_at", "expires_at",
    }  # fmt: skip
    assert session["current"] is True
    assert set(login) == {
        "id", "session_id", "occurred_at", "provider", "method", "success", "failure_reason", "ip_address",
        "user_agent", "session_ended_at", "session_seconds",
    }  # fmt: skip


async def test_a_refusal_is_a_problem_document(client, alice):
    """RFC 9457, with our code and the field that is wrong."""
    taken = await client.post("/v1/register", json=ALICE)

    assert taken.status_code == 409
    assert taken.headers["content-type"] == "application/problem+json"
    assert set(taken.json()) == {"type", "title", "status", "code", "detail", "errors"}
    assert taken.json()["code"] == "identifier_taken"
    assert taken.json()["errors"][0]["field"] == "email"


async def test_the_metadata_names_what_exists(client):
    """RFC 8414 metadata and the key set, with public members only (JWT-11)."""
    metadata = (await client.get("/.well-known/oauth-authorization-server")).json()
    keys = (await client.get("/.well-known/jwks.json")).json()["keys"]

    assert metadata["issuer"] == "http://127.0.0.1:8000"
    assert metadata["jwks_uri"] == "http://127.0.0.1:8000/.well-known/jwks.json"
    assert [set(key) for key in keys] == [{"kid", "use", "alg", "kty", "crv", "x", "y"}]


async def test_meta_01_no_header_changes_who_we_are(client):
    """Host and forwarded headers leave the metadata as configured."""
    plain = await client.get("/.well-known/oauth-authorization-server")
    fuzzed = await client.get(
        "/.well-known/oauth-authorization-server",
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"},
    )

    assert fuzzed.json() == plain.json()


async def test_sessions_are_ended_one_by_one(client, alice, bearer):
    """A second session is listed, ended, and gone; ending it twice is 404."""
    other = (await client.post("/v1/login", json=LOGIN)).json()["tokens"]["session_id"]
    ended = await client.delete(f"/v1/me/sessions/{other}", headers=bearer)
    twice = await client.delete(f"/v1/me/sessions/{other}", headers=bearer)
    listed = (await client.get("/v1/me/sessions", headers=bearer)).json()["sessions"]

    assert (ended.status_code, twice.status_code) == (204, 404)
    assert [session["id"] for session in listed] == [alice["tokens"]["session_id"]]


async def test_ses_07_sensitive_routes_ask_for_recent_proof(client, running, alice, bearer):
    """Ten minutes after signing in they answer 403, and after proving oneself again they work."""
    running.move(minutes=11)
    routes = [("DELETE", "/v1/me"), ("POST", "/v1/logout-all"), ("DELETE", "/v1/me/sessions/ses_x")]
    refused = [await client.request(method, path, headers=bearer) for method, path in routes]
    renewed = await client.post("/v1/me/reauthenticate", headers=bearer, json={"password": PASSWORD})
    fresh = {"Authorization": f"Bearer {renewed.json()['access_token']}"}
    deleted = await client.delete("/v1/me", headers=fresh)

    assert {(r.status_code, r.json()["code"]) for r in refused} == {(403, "reauthentication_required")}
    assert (renewed.status_code, deleted.status_code) == (200, 202)
    assert (await client.post("/v1/login", json=LOGIN)).status_code == 401


@pytest.mark.parametrize("form", [True, False])
async def test_int_01_introspection_tells_people_about_their_own_tokens_only(client, alice, bearer, form):
    """One's own live token is active; a foreign, revoked or random one is not, in the same bytes."""
    mallory = (await client.post("/v1/register", json=ALICE | {"email": "mallory@example.org"})).json()
    theirs = {"Authorization": f"Bearer {mallory['tokens']['access_token']}"}

    async def ask(token, headers):
        body = {"data": {"token": token}} if form else {"json": {"token": token}}
        return await client.post("/v1/token/introspect", headers=headers, **body)

    mine = await ask(alice["tokens"]["access_token"], bearer)
    foreign = await ask(alice["tokens"]["access_token"], theirs)
    await client.post("/v1/logout", headers=bearer)
    revoked = await ask(alice["tokens"]["access_token"], theirs)
    random = await ask("x" * 40, theirs)

    assert mine.json()["active"] is True
    assert mine.json()["sub"] == alice["identity"]["id"]
    assert foreign.text == revoked.text == random.text == '{"active":false}'


async def test_rt_06_revocation_touches_only_own_tokens(client, alice, bearer):
    """Somebody else's token is answered 200 and lives; one's own refresh token takes its session with it."""
    mallory = (await client.post("/v1/register", json=ALICE | {"email": "mallory@example.org"})).json()
    theirs = {"Authorization": f"Bearer {mallory['tokens']['access_token']}"}
    tokens = alice["tokens"]
    answers = [
        await client.post("/v1/token/revoke", headers=theirs, data={"token": token})
        for token in (tokens["access_token"], tokens["refresh_token"], "nonsense")
    ]
    alive = await client.get("/v1/me", headers=bearer)
    await client.post("/v1/token/revoke", headers=bearer, data={"token": tokens["refresh_token"]})

    assert {(r.status_code, r.text) for r in answers} == {(200, "")}
    assert alive.status_code == 200
    assert (await client.get("/v1/me", headers=bearer)).status_code == 401


async def test_rt_06_one_access_token_can_be_revoked_alone(client, alice, bearer):
    """The session goes on; only that token is dead."""
    await client.post("/v1/token/revoke", headers=bearer, data={"token": alice["tokens"]["access_token"]})
    refreshed = await client.post("/v1/refresh", json={"refresh_token": alice["tokens"]["refresh_token"]})
    renewed = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}

    assert (await client.get("/v1/me", headers=bearer)).status_code == 401
    assert (await client.get("/v1/me", headers=renewed)).status_code == 200


async def test_cookie_mode_keeps_tokens_from_scripts(client):
    """Tokens travel in HttpOnly cookies, the body has none, and the cookies sign in, refresh and sign out."""
    same_site = {"Origin": "http://127.0.0.1:8000"}
    await client.post("/v1/register", json=ALICE)
    login = await client.post("/v1/login", json=LOGIN | {"delivery": "cookie"}, headers=same_site)
    assert set(login.json()["tokens"]) == TOKENS - {"access_token", "refresh_token"}
    assert all("HttpOnly; SameSite=Lax" in header for header in login.headers.get_list("set-cookie"))

    me = await client.get("/v1/me")
    forged = await client.post("/v1/logout", headers={"Origin": "https://evil.example"})
    silent = await client.post("/v1/refresh")
    refreshed = await client.post("/v1/refresh", headers=same_site)
    logout = await client.post("/v1/logout", headers=same_site)
    after = await client.get("/v1/me")

    statuses = [r.status_code for r in (me, forged, silent, refreshed, logout, after)]
    assert statuses == [200, 403, 403, 200, 204, 401]
    assert len(client.cookies) == 0


async def test_ses_09_no_site_signs_its_visitor_in(client):
    """A cross-site or originless sign-in for cookies sets none (login CSRF)."""
    await client.post("/v1/register", json=ALICE)
    replies = [
        await client.post("/v1/login", json=LOGIN | {"delivery": "cookie"}, headers=headers)
        for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"})
    ]
    as_text = await client.post(
        "/v1/login", content=json.dumps(LOGIN), headers={"Content-Type": "text/plain"}
    )

    assert [r.status_code for r in replies] == [403, 403, 403]
    assert as_text.status_code == 415
    assert len(client.cookies) == 0


async def test_a_taken_form_of_an_address_is_taken_over_http(client, alice):
    """Case and Unicode variants of one address answer 409."""
    for variant in ("ALICE@EXAMPLE.ORG", "\uff21lice@example.org", "alice@\uff45xample.org"):
        reply = await client.post("/v1/register", json=ALICE | {"email": variant})
        assert reply.status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "active"}, None),
        ({"roles": ["ostiary:operator"]}, None),
        ({"identity_id": "idn_x"}, None),
        ({"profile": {"token_epoch": 5}}, "profile"),
        ({"profile": {"identity_id": "x"}}, "profile"),
    ],
)
async def test_adm_03_no_privileged_field_gets_in(client, body, field):
    """A registration with a field that is not its own is refused whole."""
    reply = await client.post("/v1/register", json=ALICE | body)

    assert reply.status_code == 400
    assert (await client.post("/v1/login", json=LOGIN)).status_code == 401
    assert field is None or reply.json()["errors"][0]["field"] == field


async def test_adm_04_nobody_registers_as_an_administrator(client):
    """The built-in kinds of operators are closed to the door."""
    for entity_type in ("admin", "service"):
        reply = await client.post("/v1/register", json=ALICE | {"entity_type": entity_type})
        assert (reply.status_code, reply.json()["code"]) == (403, "registration_closed")


async def test_jwt_07_no_kind_of_token_passes_for_another(client, running, alice, bearer):
    """Every kind of token at every place that takes one: only its own place accepts it."""
    bootstrap = await running.auth.services.registration.issue_bootstrap(now=running.clock.now())
    kinds = {
        "access": alice["tokens"]["access_token"],
        "refresh": alice["tokens"]["refresh_token"],
        "bootstrap": bootstrap.reveal(),
        "jti": "x",
    }
    accepted = set()
    for kind, token in kinds.items():
        if (await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})).status_code == 200:
            accepted.add((kind, "me"))
        if (await client.post("/v1/refresh", json={"refresh_token": token})).status_code == 200:
            accepted.add((kind, "refresh"))
        body = {"token": token, "email": "root@example.org", "password": PASSWORD}
        if (await client.post("/v1/bootstrap", json=body)).status_code == 201:
            accepted.add((kind, "bootstrap"))

    assert accepted == {("access", "me"), ("refresh", "refresh"), ("bootstrap", "bootstrap")}


async def test_a_token_of_another_installation_opens_nothing(client, alice, tmp_path):
    """Keys belong to one installation, whatever the issuer says (JWT-06)."""
    from ostiary.testing import auth_for_tests

    async with auth_for_tests() as other:
        foreign = await other.signed_in("alice")

    assert (await client.get("/v1/me", headers=foreign.headers)).status_code == 401


async def test_rec_05_no_secret_comes_back(client, caplog, alice, bearer):
    """Neither answers nor logs hold a password or token that was sent."""
    caplog.set_level("DEBUG", logger="ostiary")
    canary = "canary-canary-canary-8142"
    replies = [
        await client.post("/v1/login", json=LOGIN | {"password": canary}),
        await client.post("/v1/login", json={"identifier": canary, "password": canary}),
        await client.post("/v1/refresh", json={"refresh_token": canary}),
        await client.post("/v1/register", json={"email": canary, "password": canary}),
        await client.post("/v1/register", json={canary: canary}),
        await client.post(
            "/v1/bootstrap", json={"token": canary, "email": "a@example.org", "password": canary}
        ),
        await client.get("/v1/me", headers={"Authorization": f"Bearer {canary}"}),
        await client.get(f"/v1/{canary}"),
        await client.delete(f"/v1/me/sessions/{canary}", headers=bearer),
        await client.get(f"/v1/me/login-history?before={canary}", headers=bearer),
        await client.post("/v1/login", content=canary, headers={"Content-Type": "application/json"}),
    ]

    assert all(400 <= r.status_code < 500 for r in replies)
    assert [r.text for r in replies if canary in r.text] == []
    assert canary not in caplog.text


async def test_health_readiness_and_metrics(client, running):
    """A started server is alive and ready, counts its answers, and is not ready when its clock is off."""
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json()["database"] == "ok"
    metrics = (await client.get("/metrics")).text
    assert 'ostiary_http_answers_total{method="GET",route="/healthz",status="200"} 1.0' in metrics

    running.move(hours=1)
    off = await client.get("/readyz")

    assert (off.status_code, off.json()["clock"], off.headers["retry-after"]) == (503, "failed", "1")
