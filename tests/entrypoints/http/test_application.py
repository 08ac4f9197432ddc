from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from tests.entrypoints.http.door import ISSUER, ROUTES, Door, bearer, route

from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.errors import PROBLEMS, FieldError, HttpProblem, ProblemCode
from ostiary.foundation.errors import OstiaryError

pytestmark = pytest.mark.anyio

PROTECTIVE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_web_01_every_answer_is_protected(door, route):
    """Whatever a route answers, refusals included, carries every protective header once."""
    path = route.path.replace("{id}", "x").replace("{name}", "x")
    for method in (route.method, "OPTIONS", "TRACE"):
        reply = await door.knock(method, path, bearer(door.token()))

        assert {name: reply.header(name) for name in PROTECTIVE} == PROTECTIVE


async def test_web_01_hsts_is_said_on_https_only():
    """Plain-HTTP development does not ask for HTTPS; everything else stays."""
    reply = await Door(public_url="http://127.0.0.1:8000").knock("GET", "/nowhere")

    assert reply.header("strict-transport-security") is None
    assert reply.header("x-content-type-options") == "nosniff"


async def test_a_handler_may_replace_a_header():
    """A public document may be cached; the other protections stay."""

    async def give(_request):
        return Answer(204, headers=((b"cache-control", b"public, max-age=300"),))

    reply = await Door([route("GET", "/v1/x", give, answers={204: None})]).knock("GET", "/v1/x")

    assert reply.header("cache-control") == "public, max-age=300"
    assert reply.header("referrer-policy") == "no-referrer"


async def test_ses_03_every_set_cookie_is_protected(door):
    """Signing in and out sets cookies with every protection, and only then."""
    proven = {"origin": ISSUER}
    body = msgspec.json.encode({"identifier": "a", "password": "b", "delivery": "cookie"})
    replies = [await door.post("/v1/login", body, proven), await door.knock("POST", "/v1/logout", proven)]

    for reply in replies:
        assert len(reply.all("set-cookie")) == 2
        for cookie in reply.all("set-cookie"):
            name, *attributes = cookie.split("; ")
            assert name.startswith("__Host-ostiary_")
            assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} < set(attributes)
            assert not [attribute for attribute in attributes if attribute.startswith("Domain")]
            assert reply.header("cache-control") == "no-store"


async def test_head_is_get_without_the_body(door):
    """HEAD answers what GET would, its length included, without the body."""
    get = await door.knock("GET", "/v1/search")
    head = await door.knock("HEAD", "/v1/search")

    assert (head.status, head.body, head.headers) == (get.status, b"", get.headers)


async def test_options_names_the_methods(door):
    """OPTIONS says what an address understands, without a credential."""
    reply = await door.knock("OPTIONS", "/v1/me/sessions/x")

    assert (reply.status, reply.header("allow"), reply.body) == (204, "DELETE, GET, HEAD, OPTIONS", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "TRACE", "get", "CONNECT", "X"])
async def test_another_method_is_refused_with_those_allowed(door, method):
    """A method the address does not have is 405 with an Allow header (RFC 9110 §15.5.6)."""
    reply = await door.knock(method, "/v1/search")

    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert reply.header("allow") == "GET, HEAD, OPTIONS"


async def test_a_method_cannot_be_overridden(door):
    """Only the request line names the method."""
    reply = await door.knock("GET", "/v1/me/sessions/x?_method=DELETE", {"x-http-method-override": "DELETE"})

    assert reply.status == 401


async def test_errors_are_problem_documents(door):
    """A refusal is RFC 9457: type, title, status, code, detail, and the fields concerned."""
    reply = await door.post("/v1/login", b'{"identifier": "a"}')

    assert reply.header("content-type") == "application/problem+json"
    assert reply.json() == {
        "type": "https://auth.example/errors/invalid-request",
        "title": "Invalid request",
        "status": 400,
        "code": "invalid_request",
        "detail": "The request does not have the expected form; `errors` names the fields.",
        "errors": [{"field": "password", "code": "missing", "detail": "This field is required."}],
    }


@pytest.mark.parametrize("code", ProblemCode)
async def test_every_problem_has_its_form(code):
    """Each code answers its status; 401 carries a challenge, 429 and 503 the time to wait."""

    async def refuse(_request):
        raise HttpProblem(code)

    reply = await Door([route("GET", "/v1/x", refuse)]).knock("GET", "/v1/x")

    assert (reply.status, reply.code) == (PROBLEMS[code].status, code.value)
    assert (reply.header("www-authenticate") is not None) == (reply.status == 401)
    assert (reply.header("retry-after") is not None) == (reply.status in {429, 503})


async def test_a_problem_may_say_more():
    """A handler may give its own detail, fields, headers and time to wait, rounded up to whole seconds."""

    async def refuse(_request):
        raise HttpProblem(
            ProblemCode.TOO_MANY_ATTEMPTS,
            "Slow down.",
            errors=[FieldError("password", "x", "y")],
            retry_after=timedelta(seconds=1.2),
            headers=((b"x-more", b"1"),),
        )

    reply = await Door([route("GET", "/v1/x", refuse)]).knock("GET", "/v1/x")

    assert (reply.json()["detail"], reply.json()["errors"][0]["field"]) == ("Slow down.", "password")
    assert (reply.header("retry-after"), reply.header("x-more")) == ("2", "1")


class Taken(OstiaryError):
    pass


class TakenTwice(Taken):
    pass


async def test_errors_of_features_are_folded_by_a_table():
    """A feature's exception becomes the public code named for its nearest class, without its own message."""

    async def refuse(_request):
        raise TakenTwice("a@example.org is idn_7's")

    door = Door([route("GET", "/v1/x", refuse)])
    door.open(folds={Taken: ProblemCode.IDENTIFIER_TAKEN})
    reply = await door.knock("GET", "/v1/x")

    assert (reply.status, reply.code) == (409, "identifier_taken")
    assert b"idn_7" not in reply.body


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (ProblemCode.INVALID_REQUEST, 400, "invalid_request"),
        (ProblemCode.INVALID_CREDENTIALS, 401, "invalid_client"),
        (ProblemCode.INVALID_REFRESH_TOKEN, 400, "invalid_grant"),
        (ProblemCode.FORBIDDEN, 403, "unauthorized_client"),
        (ProblemCode.INTERNAL_ERROR, 500, "server_error"),
        (ProblemCode.UNAVAILABLE, 503, "temporarily_unavailable"),
    ],
)
async def test_oauth_routes_answer_oauth_errors(code, status, error):
    """An OAuth endpoint speaks RFC 6749 §5.2."""

    async def refuse(_request):
        raise HttpProblem(code)

    reply = await Door([route("POST", "/v1/token/x", refuse, oauth=True)]).knock("POST", "/v1/token/x")

    assert (reply.status, reply.json()["error"]) == (status, error)
    assert reply.header("content-type") == "application/json"


@pytest.mark.parametrize("host", ["evil.example", "auth.example:1", "\x00", ""])
async def test_meta_01_nothing_comes_from_the_host_header(door, host):
    """Addresses in answers are built on the public URL, whatever the request says of hosts."""
    plain = await door.knock("GET", "/nowhere")
    forged = await door.knock(
        "GET", "/nowhere", {"host": host, "x-forwarded-host": host, "forwarded": f"host={host}"}
    )

    assert (forged.body, forged.headers) == (plain.body, plain.headers)
    assert forged.json()["type"] == "https://auth.example/errors/not-found"


async def test_a_websocket_is_refused(door):
    """This door speaks HTTP only."""
    sent = []

    async def send(message):
        sent.append(message)

    await door.application({"type": "websocket"}, None, send)

    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_another_protocol_is_an_error(door):
    """Lifespan is the host's affair; an unknown scope fails loudly."""
    with pytest.raises(RuntimeError, match="lifespan"):
        await door.application({"type": "lifespan"}, None, None)


def test_it_can_be_mounted(door):
    """Mounted below a prefix, it serves the same addresses there and nowhere else."""
    host = TestClient(Starlette(routes=[Mount("/auth", app=door.application)]))

    assert host.get("/auth/v1/me", headers=bearer(door.token())).json()["identity"] == "idn_alice"
    assert host.get("/auth/v1/me/sessions/a%3Ab", headers=bearer(door.token())).json()["parameters"] == {
        "id": "a:b"
    }
    assert host.get("/auth/auth/v1/me").status_code == 404
    assert host.get("/auth/v1/me%2f").status_code == 404
    assert host.get("/v1/me").status_code == 404


@pytest.mark.parametrize("inner", ["/auth", "/a b"])
def test_it_can_be_mounted_in_a_mount(door, inner):
    """Prefixes add up."""
    nested = Starlette(routes=[Mount("/site", routes=[Mount(inner, app=door.application)])])

    assert TestClient(nested).get(f"/site{inner}/v1/search").status_code == 200
