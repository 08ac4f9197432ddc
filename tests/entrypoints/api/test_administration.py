"""The operators' API: who may, on whom, what it answers, and what it does (ADM-01 to ADM-05)."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from tests.doubles import CountingDatabase
from tests.factories import attempt, count, made_role, registered, rotate

from ostiary import Ostiary, app
from ostiary.features.audit import SYSTEM
from ostiary.features.sessions import external_session_id
from ostiary.foundation.ids import format_id
from ostiary.foundation.storage import Query, database_at
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD, WITH_A_SECOND_FACTOR
from ostiary.verifier import RevokedToken

pytestmark = pytest.mark.anyio

NOBODY_ID = "idn_01jd2m9q5ze8xv6k3w0t7r4ahc"
PARAMETERS = {
    "name": "editor",
    "role": "editor",
    "permission": "articles:write",
    "kid": "01jd2m9q5ze8xv6k3w0t7r4ahc",
    "task": "rate-limits",
    "flow": "x",
}


def external(person) -> str:
    return format_id("idn", person.identity_id)


@pytest.fixture
async def operator(running):
    """An operator who has just signed in with two factors."""
    return await running.operator()


@pytest.fixture
async def ask(client, operator):
    """Ask as the operator."""

    async def request(method, path, **options):
        headers = operator.headers | options.pop("headers", {})
        return await client.request(method, f"/v1/admin{path}", headers=headers, **options)

    return request


@pytest.fixture(scope="module")
def admin_routes(tmp_path_factory):
    routes = Ostiary(data=tmp_path_factory.mktemp("data")).routes()
    return [route for route in routes if route.path.startswith("/v1/admin/")]


def paths(route, identity: str) -> str:
    """Return the route's address for an object."""
    filled = PARAMETERS | {"id": identity}
    return re.sub(r"\{(\w+)\}", lambda found: filled.get(found[1], identity), route.path)


@pytest.fixture
async def counting(migrated_url, tmp_path, monkeypatch):
    """A running installation whose database counts, and whose background work stays quiet."""
    monkeypatch.setattr(
        app, "database_at", lambda *args, **options: CountingDatabase(database_at(*args, **options))
    )
    quiet = {"poll_interval": "1h", "max_age": "1h"}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, revocation=quiet) as running:
        yield running


async def test_adm_01_nobody_but_operators_passes_and_nothing_is_looked_up_for_them(counting, admin_routes):
    """Role by route by object, one's own and others': 403 without one question to the database, the same for all ids."""
    import httpx2

    running = counting
    own = {
        "user": await running.signed_in("user"),
        "user with the role": await running.signed_in("user-operator", roles=["ostiary:operator"]),
        "admin": await running.signed_in("admin", entity_type="admin"),
        "admin with another role": await running.signed_in("helper", entity_type="admin", roles=["editor"]),
        "operator without a second factor": await running.signed_in(
            "one-factor", entity_type="admin", roles=["ostiary:operator"], amr=("pwd",)
        ),
    }
    stale = await running.operator("stale")
    foreign = (await registered(running.auth)).identity_id
    transport = httpx2.ASGITransport(app=running.auth)
    got = {}
    async with httpx2.AsyncClient(transport=transport, base_url=running.auth.settings.public_url) as client:
        for route in admin_routes:
            for who, one in own.items():
                ids = (one.principal.identity_id, format_id("idn", foreign), NOBODY_ID)
                running.auth.services.database.reset()
                answers = [
                    await client.request(route.method, paths(route, each), headers=one.headers, json={})
                    if route.body
                    else await client.request(route.method, paths(route, each), headers=one.headers)
                    for each in ids
                ]
                trips = running.auth.services.database.round_trips
                got[route.method, route.path, who] = (
                    {a.status_code for a in answers},
                    len({a.content for a in answers}),
                    trips,
                )
            nobody = await client.request(route.method, paths(route, NOBODY_ID))
            got[route.method, route.path, "nobody"] = ({nobody.status_code}, 1, 0)
        running.move(minutes=11)
        for route in admin_routes:
            answer = await client.request(route.method, paths(route, NOBODY_ID), headers=stale.headers)
            got[route.method, route.path, "stale"] = ({answer.status_code}, 1, 0)

    unexpected = {
        case: found for case, found in got.items() if found != ({401 if case[2] == "nobody" else 403}, 1, 0)
    }
    assert len(admin_routes) > 30
    assert unexpected == {}


async def test_adm_01_operators_pass_everywhere(ask, admin_routes, auth):
    """On each route what is answered is about the request, not about who asks: no 401, no 403, no 5xx."""
    person = await registered(auth)
    statuses = {}
    for route in admin_routes:
        if route.path == "/v1/admin/stats":
            continue
        path = paths(route, external(person)).removeprefix("/v1/admin")
        options = {"json": {}} if route.body else {}
        statuses[f"{route.method} {path}"] = (await ask(route.method, path, **options)).status_code

    assert {name: status for name, status in statuses.items() if status in {401, 403} or status >= 500} == {}
    # Not one of them did something by an empty body.
    assert await count(auth, "revocations", "kind = 'all'") == 0


@pytest.mark.parametrize("method_and_path", ["GET /identities/{}", "POST /identities/{}/suspend",
    "POST /identities/{}/reactivate", "POST /identities/{}/unlock", "POST /identities/{}/end-sessions",
    "POST /identities/{}/require-password-change", "POST /identities/{}/send-password-link", "GET /identities/{}/roles",
    "GET /identities/{}/sessions", "GET /identities/{}/login-history", "DELETE /role-grants/{}/editor",
    "GET /identities?id={}"])  # fmt: skip
async def test_whoever_is_not_there_is_404(ask, auth, method_and_path):
    """For an id of nobody, one of another kind of thing, and one that is none."""
    await made_role(auth, "editor")
    method, path = method_and_path.split()
    answers = [
        await ask(method, path.format(one)) for one in (NOBODY_ID, NOBODY_ID.replace("idn", "usr"), "x")
    ]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert len({answer.content for answer in answers}) == 1


async def test_adm_02_who_acts_is_said_by_the_token_alone(ask, admin_routes, auth, operator):
    """Whatever a body adds is refused, whatever a header says is not heard; the record names the operator."""
    person = await registered(auth)
    said = dict.fromkeys(
        ("X-User-Id", "X-Actor", "X-Forwarded-User", "X-Ostiary-Actor", "X-Tenant-Id", "Remote-User"),
        NOBODY_ID,
    )
    refused = {}
    for route in admin_routes:
        if route.body is None:
            continue
        path = paths(route, external(person)).removeprefix("/v1/admin")
        for name in ("actor", "by", "user_id", "operator_id", "tenant_id", "granted_by"):
            answer = await ask(route.method, path, json={name: NOBODY_ID})
            refused[route.path, name] = answer.status_code
    done = await ask(
        "POST", f"/identities/{external(person)}/suspend", headers=said | {"User-Agent": "Desk/1"}
    )
    await made_role(auth, "editor")
    await ask("POST", "/role-grants", json={"identity_id": external(person), "role": "editor"}, headers=said)

    assert set(refused.values()) == {400}
    assert done.status_code == 204
    events = (await ask("GET", f"/audit?target={external(person)}")).json()["events"]
    acted = [one for one in events if one["action"] in {"identity:account:suspended", "role:grant:added"}]
    assert len(acted) == 2
    assert {event["actor"]["id"] for event in acted} == {operator.principal.identity_id}
    assert {event["user_agent"] for event in acted if event["action"] == "identity:account:suspended"} == {
        "Desk/1"
    }
    grants = (await ask("GET", f"/identities/{external(person)}/roles")).json()["roles"]
    assert [grant["granted_by"] for grant in grants] == [operator.principal.identity_id]


def fields_of(declared: Any) -> set[str]:
    """Name every field a declared answer can have, however deep."""
    origin = get_origin(declared)
    if origin in {Union, UnionType, list, tuple, dict}:
        return {name for inner in get_args(declared) for name in fields_of(inner)}
    if not isinstance(declared, type):
        return set()
    if issubclass(declared, msgspec.Struct):
        hints = get_type_hints(declared, include_extras=False)
    elif hasattr(declared, "__dataclass_fields__"):
        hints = get_type_hints(declared)
    else:
        return set()
    found = set(hints)
    for hint in hints.values():
        found |= fields_of(hint)
    return found


ANSWERED = {
    "/v1/admin/identities": {
        "identities", "next", "id", "entity_type", "entity_id", "email", "email_verified_at", "phone",
        "phone_verified_at", "status", "locale", "must_change_password", "failed_login_attempts", "locked_until",
        "last_login_at", "created_at", "updated_at",
    },
    "/v1/admin/identities/{id}": {
        "identity", "profile", "roles", "id", "entity_type", "entity_id", "email", "email_verified_at", "phone",
        "phone_verified_at", "status", "locale", "must_change_password", "failed_login_attempts", "locked_until",
        "last_login_at", "created_at", "updated_at", "display_name", "given_name", "family_name", "time_zone",
        "avatar_url", "metadata", "role", "permissions", "granted_by", "granted_at", "expires_at",
    },
    "/v1/admin/identities/{id}/login-history": {
        "logins", "id", "session_id", "occurred_at", "provider", "method", "success", "failure_reason", "ip_address",
        "user_agent", "session_ended_at", "session_seconds",
    },
    "/v1/admin/identities/{id}/roles": {
        "roles", "role", "permissions", "granted_by", "granted_at", "expires_at",
    },
    "/v1/admin/roles": {"roles", "next", "name", "description", "declared", "permissions"},
    "/v1/admin/roles/{name}": {"name", "description", "declared", "permissions"},
    "/v1/admin/roles/{name}/permissions/{permission}": {"name", "description", "declared", "permissions"},
    "/v1/admin/role-grants": {
        "grants", "next", "identity_id", "entity_type", "email", "phone", "role", "granted_by", "granted_at",
        "expires_at",
    },
    "/v1/admin/revocations": {
        "revocations", "next", "seq", "kind", "subject", "identity_id", "min_epoch", "not_before", "reason",
        "revoked_by", "revoked_at", "expires_at",
    },
    "/v1/admin/audit": {
        "events", "next", "id", "occurred_at", "action", "actor", "target", "kind", "session_id", "ip_address",
        "user_agent", "success", "reason", "metadata", "personal", "erased",
    },
    "/v1/admin/service-credentials": {
        "service_credentials", "next", "id", "name", "scopes", "created_at", "expires_at", "revoked_at",
        "last_used_at", "credential",
    },
    "/v1/admin/keys": {"keys", "kid", "algorithm", "state", "created_at", "activates_at", "retires_at"},
    "/v1/admin/keys/rotate": {"kid", "algorithm", "state", "created_at", "activates_at", "retires_at"},
    "/v1/admin/keys/{kid}/retire": {"keys", "kid", "algorithm", "state", "created_at", "activates_at", "retires_at"},
    "/v1/admin/maintenance": {
        "tasks", "name", "summary", "schedule", "keeps", "is_due", "next_due", "running", "last", "task", "holder",
        "started_at", "finished_at", "removed", "outcome", "detail",
    },
    "/v1/admin/maintenance/{task}/run": {"task", "removed", "outcome", "seconds", "detail"},
}  # fmt: skip
SESSIONS = {
    "sessions", "next", "id", "identity_id", "live", "device_label", "ip_address", "user_agent", "amr",
    "authenticated_at", "created_at", "last_used_at", "expires_at", "ended_at", "end_reason",
}  # fmt: skip
ANSWERED |= {"/v1/admin/sessions": SESSIONS, "/v1/admin/identities/{id}/sessions": SESSIONS}
SECRET = re.compile(r"hash|secret|sealed|private|digest|token|epoch|jwk|key_|_key|password")
KNOWN = {"must_change_password", "min_epoch"}
# What is made by the request, and never shown again.
SHOWN_ONCE = {
    ("POST", "/v1/admin/webhook-endpoints", "secret"),
    ("POST", "/v1/admin/webhook-endpoints/{id}/rotate", "secret"),
}


def test_adm_03_answers_have_these_fields_and_no_others(admin_routes):
    """What may leave is a list; a field that is added shows here, and none is of a secret."""
    declared: dict[str, set[str]] = {}
    for route in admin_routes:
        if route.path in ANSWERED:
            for answer in route.answers.values():
                declared.setdefault(route.path, set()).update(fields_of(answer))
    suspicious = {
        (route.method, route.path, name)
        for route in admin_routes
        for answer in route.answers.values()
        for name in fields_of(answer) - KNOWN
        if SECRET.search(name)
    }

    assert declared == ANSWERED
    assert suspicious == SHOWN_ONCE


PRIVILEGED = (
    "id", "status", "password", "password_hash", "email_verified", "email_verified_at", "phone_verified_at",
    "token_epoch", "failed_login_attempts", "locked_until", "must_change_password", "entity_id", "created_at",
    "declared", "granted_by", "state", "kid", "secret",
)  # fmt: skip


async def test_adm_03_no_body_takes_a_privileged_field(ask, admin_routes, auth):
    """Whatever is not asked for is refused, on every route, and nothing is made."""
    before = await count(auth, "identities"), await count(auth, "roles")
    statuses = {}
    for route in admin_routes:
        if route.body is None:
            continue
        known = {field.encode_name for field in msgspec.structs.fields(route.body)}
        for name in set(PRIVILEGED) - known:
            path = paths(route, NOBODY_ID).removeprefix("/v1/admin")
            body = {"email": "new@example.org", "permissions": [], name: "x"}
            statuses[route.path, name] = (await ask(route.method, path, json=body)).status_code

    assert set(statuses.values()) == {400}
    assert (await count(auth, "identities"), await count(auth, "roles")) == before


async def test_adm_04_an_operator_makes_an_account_and_never_a_password(running, ask, auth):
    """Its owner is sent a link; no password is taken, and nothing secret is answered."""
    await made_role(auth, "editor")
    body = {"email": "New@Example.org", "roles": ["editor"], "profile": {"display_name": "New"}}

    refused = await ask("POST", "/identities", json=body | {"password": PASSWORD})
    unknown = await ask("POST", "/identities", json=body | {"roles": ["edtior"]})
    made = await ask("POST", "/identities", json=body)
    again = await ask("POST", "/identities", json=body)
    (message,) = await running.deliver()

    assert (refused.status_code, unknown.status_code, made.status_code, again.status_code) == (
        400,
        404,
        201,
        409,
    )
    assert (message.to, message.template) == ("New@example.org", "reset_password")
    assert message.values["token"] not in made.text
    shown = (await ask("GET", f"/identities/{made.json()['id']}")).json()
    assert (shown["profile"]["display_name"], [one["role"] for one in shown["roles"]]) == ("New", ["editor"])
    assert await count(auth, "identities", "password_hash IS NOT NULL AND entity_type = 'user'") == 0


async def test_adm_04_the_link_sets_a_password(running, ask, client, auth):
    """Sent anew at any time, it works once, for its owner."""
    person = await registered(auth, "ada@example.org")
    sent = await ask("POST", f"/identities/{external(person)}/send-password-link")
    (message,) = [one for one in await running.deliver() if one.template == "reset_password"]
    new = "another phrase nobody else knows"

    reset = await client.post(
        "/v1/password/reset", json={"token": message.values["token"], "new_password": new}
    )

    assert (sent.status_code, reset.status_code) == (204, 204)
    assert (await attempt(auth, "ada@example.org", new)).tokens


async def test_operators_search_by_everything_there_is(ask, auth, running):
    """By address as it is stored, by kind, state, id and time; what does not fit is not found."""
    ada = await registered(auth, "ada@example.org")
    running.move(milliseconds=5)
    bob = await registered(auth, "", phone="+41446681800")
    running.move(minutes=5)
    eve = await registered(auth, "eve@example.org")
    await auth.services.administration.suspend(eve.identity_id, by=SYSTEM, now=auth.clock.now())
    then = (auth.clock.now() - timedelta(minutes=1)).isoformat().replace("+00:00", "Z")

    async def found(query):
        return [one["id"] for one in (await ask("GET", f"/identities?{query}")).json()["identities"]]

    assert await found("email=ADA@example.org") == [external(ada)]
    assert await found("phone=%2B41 44 668 18 00".replace(" ", "%20")) == [external(bob)]
    assert await found("status=suspended&entity_type=user") == [external(eve)]
    assert await found(f"id={external(bob)}") == [external(bob)]
    assert await found(f"created_from={then}") == [external(eve)]
    assert await found(f"created_before={then}&entity_type=user") == [external(ada), external(bob)]
    assert await found("entity_type=user&email=eve@example.org&status=active") == []
    assert len(await found("entity_type=admin")) == 1
    assert len(await found("created_from=0001-01-01T00:00:00%2B14:00&entity_type=user")) == 3
    assert await found("created_before=1969-12-31T00:00:00Z") == []
    assert (await ask("GET", "/identities?email=nonsense")).status_code == 400
    assert (await ask("GET", "/identities?status=happy")).status_code == 400


LISTS = {
    "/identities": ("identities", "after"),
    "/roles": ("roles", "after"),
    "/role-grants?role=editor": ("grants", "after"),
    "/sessions": ("sessions", "before"),
    "/revocations": ("revocations", "before"),
    "/audit?action=identity:account:registered": ("events", "before"),
    "/service-credentials": ("service_credentials", "after"),
}


@pytest.mark.parametrize("path", LISTS)
async def test_pages_are_stable_while_things_are_added(ask, auth, path):
    """Read two by two with newcomers in between: whatever was there is met once, in one order."""
    name, parameter = LISTS[path]

    async def add(number: int) -> None:
        person = await registered(auth, f"person{number}@example.org")
        now = auth.clock.now()
        await made_role(auth, f"role-{number}")
        await auth.services.role_administration.grant(person.identity_id, "editor", by=SYSTEM, now=now)
        await auth.services.administration.end_sessions(person.identity_id, by=SYSTEM, now=now)
        await auth.services.registration.create_service(
            f"service {number}", ["revocations:read"], lifetime=None, by=SYSTEM, now=now
        )

    await made_role(auth, "editor")
    for number in range(5):
        await add(number)
    everything = [str(one) for one in (await ask("GET", path)).json()[name]]
    read, cursor, number = [], None, 5
    while True:
        joint = "&" if "?" in path else "?"
        more = f"&{parameter}={cursor}" if cursor else ""
        page = (await ask("GET", f"{path}{joint}limit=2{more}")).json()
        read += [str(one) for one in page[name]]
        cursor = page["next"]
        if cursor is None:
            break
        if number < 8:
            await add(number)
        number += 1

    assert len(read) == len(set(read))
    assert [one for one in read if one in everything] == everything


@pytest.mark.parametrize(
    ("path", "trips"),
    [
        ("/identities", 1),
        ("/identities?email=ada@example.org", 1),
        ("/identities?status=suspended", 1),
        ("/identities/{id}", 4),
        ("/identities/{id}/roles", 2),
        ("/identities/{id}/sessions", 3),
        ("/identities/{id}/login-history", 3),
        ("/roles", 1),
        ("/roles/editor", 1),
        ("/role-grants?role=editor", 2),
        ("/sessions", 1),
        ("/revocations", 1),
        ("/audit", 3),
        ("/service-credentials", 1),
        ("/keys", 1),
    ],
)
async def test_a_list_asks_the_database_so_often(counting, path, trips):
    """However much there is: looking at somebody or at the log is one more, for the record of it."""
    import httpx2

    auth = counting.auth
    operator = await counting.operator()
    await made_role(auth, "editor")
    people = [await registered(auth) for _ in range(3)]
    transport = httpx2.ASGITransport(app=auth)
    url = f"/v1/admin{path.format(id=external(people[0]))}"
    async with httpx2.AsyncClient(transport=transport, base_url=auth.settings.public_url) as client:
        auth.services.database.reset()
        answer = await client.get(url, headers=operator.headers)

    assert answer.status_code == 200
    assert auth.services.database.round_trips == trips


async def test_operators_act_on_accounts(ask, auth, client):
    """Suspended, let in again, ended, asked for a new password, unlocked: as the account's next request shows."""
    person = await registered(auth, "ada@example.org")
    headers = {"Authorization": f"Bearer {person.tokens.access_token.reveal()}"}
    path = f"/identities/{external(person)}"
    before = (await client.get("/v1/me", headers=headers)).status_code

    suspended = await ask("POST", f"{path}/suspend")
    during = (await client.get("/v1/me", headers=headers)).status_code
    status = (await ask("GET", path)).json()["identity"]["status"]
    back = await ask("POST", f"{path}/reactivate")
    again = await attempt(auth, "ada@example.org")
    ended = await ask("POST", f"{path}/end-sessions")
    required = await ask("POST", f"{path}/require-password-change")
    unlocked = await ask("POST", f"{path}/unlock")

    assert (before, during, status) == (200, 401, "suspended")
    assert {one.status_code for one in (suspended, back, ended, required, unlocked)} == {204}
    with pytest.raises(RevokedToken):
        auth.verify(again.tokens.access_token.reveal())
    assert (await ask("GET", path)).json()["identity"]["must_change_password"]


async def test_an_operator_does_not_shut_themselves_out(ask, client, operator, running, auth):
    """409 with what to do, and nothing has changed; with another operator, demoting oneself works."""
    me = operator.principal.identity_id
    alone = await ask("POST", f"/identities/{me}/suspend")
    last = await ask("DELETE", f"/role-grants/{me}/ostiary:operator")
    soon = (auth.clock.now() + timedelta(hours=1)).isoformat()
    shortened = await ask(
        "POST", "/role-grants", json={"identity_id": me, "role": "ostiary:operator", "expires_at": soon}
    )
    deleted = await client.delete("/v1/me", headers=operator.headers)
    await running.operator("second")
    demoted = await ask("DELETE", f"/role-grants/{me}/ostiary:operator")
    afterwards = await ask("GET", "/roles")

    assert (alone.status_code, alone.json()["code"]) == (409, "own_account")
    assert [one.json()["code"] for one in (last, shortened, deleted)] == ["last_operator"] * 3
    assert "another administrator" in last.json()["detail"]
    assert (demoted.status_code, afterwards.status_code) == (204, 401)


async def test_roles_over_http(ask, auth):
    """Defined, looked at, allowed, denied, deleted; what is declared or malformed is refused, and says why."""
    defined = await ask("PUT", "/roles/editor", json={"permissions": ["a:b"], "description": "Edits."})
    allowed = await ask("PUT", "/roles/editor/permissions/a:c")
    denied = await ask("DELETE", "/roles/editor/permissions/a:b")
    shown = await ask("GET", "/roles/editor")
    malformed = await ask("PUT", "/roles/editor/permissions/nonsense")
    named_badly = await ask("PUT", "/roles/An%20Editor", json={"permissions": []})
    declared = await ask("PUT", "/roles/ostiary:operator", json={"permissions": ["a:b"]})
    protected = await ask("DELETE", "/roles/ostiary:operator")
    deleted = await ask("DELETE", "/roles/editor")
    gone = await ask("GET", "/roles/editor")

    assert defined.json() == {
        "name": "editor",
        "description": "Edits.",
        "declared": False,
        "permissions": ["a:b"],
    }
    assert (allowed.json()["permissions"], denied.json()["permissions"]) == (["a:b", "a:c"], ["a:c"])
    assert shown.json() == denied.json()
    assert (malformed.status_code, malformed.json()["errors"][0]["field"]) == (400, "permissions")
    assert named_badly.status_code == 400
    assert [one.json()["code"] for one in (declared, protected)] == ["role_declared"] * 2
    assert (deleted.status_code, gone.status_code) == (204, 404)


async def test_adm_05_what_an_operator_takes_another_worker_refuses_at_the_next_request(
    migrated_url, tmp_path
):
    """Demoted, denied, shortened on one worker: the token that was good on another is dead there, as it was told."""
    only_told = {"catch_up_interval": "1h", "poll_interval": "1h", "max_age": "2h"}
    shared = {"database_url": migrated_url, "data": tmp_path, "revocation": only_told}
    async with auth_for_tests(**shared) as one, auth_for_tests(**shared) as two:
        await _until(lambda: two.auth.services.follower.hears and one.auth.services.follower.hears)
        desk, now = one.auth.services.role_administration, one.clock.now()
        await made_role(one.auth, "reader", "reports:read")
        people = []
        for _ in range(3):
            person = await registered(one.auth)
            await desk.grant(person.identity_id, "reader", by=SYSTEM, now=now)
            people.append((person, (await rotate(one.auth, person.tokens.refresh_token)).tokens))
        demoted, shortened, denied = people
        assert all(two.auth.verify(tokens.access_token.reveal()).has("reports:read") for _, tokens in people)

        await desk.remove(demoted[0].identity_id, "reader", by=SYSTEM, now=now)
        await _until(lambda: _is_dead(two.auth, demoted[1]))
        soon = now + timedelta(minutes=1)
        await desk.grant(shortened[0].identity_id, "reader", expires_at=soon, by=SYSTEM, now=now)
        await _until(lambda: _is_dead(two.auth, shortened[1]))
        assert not _is_dead(two.auth, denied[1])
        await desk.deny("reader", ["reports:read"], by=SYSTEM, now=now)
        await _until(lambda: _is_dead(two.auth, denied[1]))


def _is_dead(auth, tokens) -> bool:
    try:
        auth.verify(tokens.access_token.reveal())
    except RevokedToken:
        return True
    return False


async def _until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another worker's memory
            await asyncio.sleep(0.005)


async def test_operators_see_and_end_sessions(running, ask, auth, client):
    """The newest first, ended ones too; one is ended by its id, and its owner's others go on."""
    person = await registered(auth, "ada@example.org")
    running.move(milliseconds=5)
    second = (await attempt(auth, "ada@example.org")).tokens
    listed = (await ask("GET", f"/sessions?identity_id={external(person)}")).json()["sessions"]

    ended = await ask("DELETE", f"/sessions/{external_session_id(person.tokens.session_id)}")
    again = await ask("DELETE", f"/sessions/{external_session_id(person.tokens.session_id)}")
    afterwards = (await ask("GET", f"/identities/{external(person)}/sessions")).json()["sessions"]

    assert [one["id"] for one in listed] == [
        external_session_id(second.session_id),
        external_session_id(person.tokens.session_id),
    ]
    assert (ended.status_code, again.status_code) == (204, 404)
    assert [(one["live"], one["end_reason"]) for one in afterwards] == [
        (True, None),
        (False, "operator_named"),
    ]
    headers = {"Authorization": f"Bearer {second.access_token.reveal()}"}
    assert (await client.get("/v1/me", headers=headers)).status_code == 200
    with pytest.raises(RevokedToken):
        auth.verify(person.tokens.access_token.reveal())


async def test_operators_revoke(ask, auth, operator):
    """One token, all of somebody, everything, which has to be meant; each shows in the list."""
    one, two = await registered(auth), await registered(auth)
    token = one.tokens.access_token.reveal()
    refused = [
        await ask("POST", "/revocations", json=body)
        for body in (
            {"end": "token"},
            {"end": "token", "token": "nonsense"},
            {"end": "identity"},
            {"end": "everything"},
            {"end": "everything", "confirm": "yes"},
            {"end": "nothing"},
        )
    ]
    assert await count(auth, "revocations") == 0

    ended = await ask("POST", "/revocations", json={"end": "token", "token": token})
    all_of_two = await ask("POST", "/revocations", json={"end": "identity", "identity_id": external(two)})
    listed = (await ask("GET", "/revocations")).json()["revocations"]
    everything = await ask("POST", "/revocations", json={"end": "everything", "confirm": "everything"})

    assert {one.status_code for one in refused} == {400}
    assert {one.status_code for one in (ended, all_of_two, everything)} == {204}
    assert [(one["kind"], one["identity_id"]) for one in listed] == [
        ("identity", external(two)),
        ("token", external(one)),
    ]
    assert listed[1]["revoked_by"] == operator.principal.identity_id
    assert (await ask("GET", "/revocations")).status_code == 401


async def test_the_log_is_searched_and_reading_it_is_an_event(ask, auth, operator):
    """By actor, target, action and time; each reading leaves a line that names who read."""
    person = await registered(auth, "ada@example.org")
    me = operator.principal.identity_id
    await ask("POST", f"/identities/{external(person)}/unlock")

    async def found(query):
        return [one["action"] for one in (await ask("GET", f"/audit?{query}")).json()["events"]]

    now = auth.clock.now()
    later = (now + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    assert await found(f"target={external(person)}&actor={me}") == ["identity:account:unlocked"]
    assert await found(
        f"action=identity:account:unlocked&since={now.isoformat().replace('+00:00', 'Z')}"
    ) == ["identity:account:unlocked"]
    assert (
        await found(f"action=identity:account:unlocked&until={now.isoformat().replace('+00:00', 'Z')}") == []
    )
    assert await found(f"since={later}") == []
    assert "identity:account:unlocked" in await found(
        "since=0001-01-01T00:00:00%2B14:00&until=9999-12-31T23:00:00-14:00"
    )
    assert await found(f"actor={me}&action=audit:events:read") == ["audit:events:read"] * 5
    for bad in (
        "action=nonsense",
        "since=yesterday",
        "since=2026-01-01T00:00:00",
    ):
        assert (await ask("GET", f"/audit?{bad}")).status_code == 400


async def test_services_keys_and_maintenance_over_http(ask, auth):
    """A credential is shown once, another key signs, a task runs; what cannot be done says why."""
    made = await ask(
        "POST",
        "/service-credentials",
        json={"name": "reports", "scopes": ["revocations:read"], "expires_in_days": 9},
    )
    bad = await ask("POST", "/service-credentials", json={"name": "reports", "scopes": ["everything"]})
    (listed,) = (await ask("GET", "/service-credentials")).json()["service_credentials"]
    revoked = await ask("DELETE", f"/service-credentials/{listed['id']}")
    gone = await ask("DELETE", f"/service-credentials/{listed['id']}")
    keys = (await ask("GET", "/keys")).json()["keys"]
    rotated = await ask("POST", "/keys/rotate", json={})
    in_use = await ask("POST", f"/keys/{keys[0]['kid']}/retire", json={})
    unknown = await ask("POST", "/keys/nonsense/retire", json={})
    tasks = (await ask("GET", "/maintenance")).json()["tasks"]
    ran = await ask("POST", "/maintenance/rate-limits/run")
    no_task = await ask("POST", "/maintenance/nonsense/run")

    assert made.json()["credential"].startswith("ost_service_")
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (400, "scopes")
    assert set(listed) == ANSWERED["/v1/admin/service-credentials"] - {
        "service_credentials",
        "next",
        "credential",
    }
    assert (revoked.status_code, gone.status_code) == (204, 404)
    assert (rotated.status_code, rotated.json()["state"]) == (200, "next")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "wrong_state")
    assert (unknown.status_code, no_task.status_code) == (404, 404)
    assert {"revocations", "sessions"} <= {task["name"] for task in tasks}
    assert (ran.json()["task"], ran.json()["outcome"]) == ("rate-limits", "done")


async def test_a_compromised_key_goes_with_every_token_it_signed(ask, auth):
    """The operator's own among them: they refresh, and go on with the fresh key."""
    (key,) = (await ask("GET", "/keys")).json()["keys"]
    gone = await ask("POST", f"/keys/{key['kid']}/retire", json={"compromised": True})

    assert {one["kid"]: one["state"] for one in gone.json()["keys"]}[key["kid"]] == "retired"
    assert key["kid"] not in auth.services.signing_keys.public
    assert (await ask("GET", "/keys")).status_code == 401


async def test_whoever_waits_for_approval_is_not_let_in_by_reactivation(ask, auth):
    """Reactivating is for the suspended."""
    person = await registered(auth)
    query = Query("UPDATE ostiary.identities SET status = 'pending_verification' WHERE id = $1")
    await auth.services.database.execute(query, person.identity_id)

    refused = await ask("POST", f"/identities/{external(person)}/reactivate")

    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert (await auth.services.identities.get(person.identity_id)).status == "pending_verification"


def test_an_operators_proof_is_two_factors():
    """What the fixture says of an operator is what the guard asks for."""
    assert "mfa" in WITH_A_SECOND_FACTOR
