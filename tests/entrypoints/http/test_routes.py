from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from tests.entrypoints.http.door import ROUTES, Login, Search, bearer, look, route

from ostiary.entrypoints.http.routes import Guard, Route, RouteTable, path_as_sent

pytestmark = pytest.mark.anyio


def test_adm_01_a_route_without_a_guard_cannot_be_made():
    """Forgetting the guard is an error where the route is written."""
    declared = {"method": "GET", "path": "/v1/x", "handler": look, "summary": "", "tag": "", "answers": {}}

    with pytest.raises(TypeError):
        Route(**declared)
    with pytest.raises(TypeError):
        Route(**declared, guard=None)


def test_a_public_guard_asks_nothing():
    """A guard that does not identify cannot pretend to ask for a role."""
    with pytest.raises(ValueError, match="must identify"):
        Guard(identified=False, roles=frozenset({"ostiary:operator"}))


def test_a_guard_for_anybody_asks_nothing():
    """Knowing a caller and demanding one are two things."""
    for wish in ({"identified": True}, {"identified": False, "scope": "vault:read"}):
        with pytest.raises(ValueError, match="anybody"):
            Guard(**wish, knows_callers=True)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "get"},
        {"method": "OPTIONS"},
        {"path": "v1/x"},
        {"path": "/v1/x/"},
        {"path": "/v1//x"},
        {"path": "/v1/x{id}"},
        {"method": "GET", "body": Login},
        {"body": Search},
        {"oauth": True, "body": Login},
    ],
)
def test_a_route_that_could_not_hold_its_promises_cannot_be_made(change):
    """Methods, paths and bodies are checked when the table is written; a lax JSON body is refused (ADM-03)."""
    with pytest.raises(ValueError, match="/x"):
        replace(route("POST", "/v1/x"), **change)


@pytest.mark.parametrize(
    ("first", "second"),
    [("/v1/{a}", "/v1/{a}"), ("/v1/{a}", "/v1/{b}"), ("/v1/{a}/x", "/v1/y/{b}"), ("/v1/x", "/v1/x")],
)
def test_no_two_routes_answer_the_same_address(first, second):
    """An address has one answer whatever the order of the table."""
    with pytest.raises(ValueError, match="/v1/"):
        RouteTable([route("GET", first), route("GET", second)])


def test_a_path_parameter_name_is_unique():
    """Two parameters of one name would hide each other."""
    with pytest.raises(ValueError, match="two parameters"):
        RouteTable([route("GET", "/v1/{a}/{a}")])


def test_a_literal_path_goes_before_a_template():
    """`/v1/passkeys/options` is itself, not the passkey called options."""
    literal, template = route("POST", "/v1/passkeys/options"), route("DELETE", "/v1/passkeys/{id}")
    table = RouteTable([template, literal])

    assert table.find("/v1/passkeys/options") == ({"POST": literal}, {})
    assert table.find("/v1/passkeys/p1") == ({"DELETE": template}, {"id": "p1"})


WRONG_SPELLINGS = [
    "/v1/me/",
    "//v1/me",
    "/v1//me",
    "/v1/me//",
    "/v1/Me",
    "/V1/me",
    "/v1/me;x",
    "/v1;x/me",
    "/v1/me%00",
    "/v1/me%20",
    "/v1%2fme",
    "/v1%2Fme",
    "/%76%31/me",
    "/v1/%6de",
    "/v1/./me",
    "/v1/../v1/me",
    "/v1/%2e/me",
    "/v1\\me",
    "/v1/me\\",
    "/v1/me?",
    "/v1/me#",
    "/v1/me\n",
    "/v1/m\xe9",
    "",
    "v1/me",
    "*",
    "http://auth.example/v1/me",
]


@pytest.mark.parametrize("path", WRONG_SPELLINGS)
async def test_web_04_a_guarded_address_has_one_spelling(door, path):
    """Any other spelling of a guarded address is 404, with and without a good token."""
    sent = {"path": path, "raw_path": path.encode("latin-1")}

    assert (await door.knock("GET", "", **sent)).code == "not_found"
    assert (await door.knock("GET", "", bearer(door.token()), **sent)).code == "not_found"


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "%2e%2e",
        "a%2fb",
        "a%2Fb",
        "a%5cb",
        "a%00",
        "a%0a",
        "a%7f",
        "a;b",
        "a%3bb",
        "a%252fb",
        "a%3f",
        "a%23",
        "%ff",
        "%",
        "%2",
        "%zz",
        "a b",
        "é",
        "a/b",
        "%ed%a0%80",
    ],
)
async def test_web_04_a_parameter_cannot_be_read_as_another_path(door, value):
    """What a path parameter may hold means one segment to whoever reads it later."""
    assert (await door.knock("GET", f"/v1/me/sessions/{value}", bearer(door.token()))).code == "not_found"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("ses_01h", "ses_01h"),
        ("ostiary%3Aoperator", "ostiary:operator"),
        ("caf%C3%A9", "café"),
        ("a+b", "a+b"),
    ],
)
async def test_a_parameter_is_decoded_once(door, sent, read):
    """A parameter reaches the handler decoded, a plus sign being a plus sign."""
    reply = await door.knock("GET", f"/v1/me/sessions/{sent}", bearer(door.token()))

    assert reply.json()["parameters"] == {"id": read}


@pytest.mark.parametrize("name", [route.path for route in ROUTES if not route.guard.is_public])
async def test_every_guarded_route_wants_a_token(door, name):
    """Without a credential a guarded route says 401, and asks for one (RFC 6750 §3)."""
    method = next(route.method for route in ROUTES if route.path == name)
    reply = await door.knock(method, name.replace("{id}", "x").replace("{name}", "x"))

    assert (reply.status, reply.code, reply.header("www-authenticate")) == (401, "unauthenticated", "Bearer")


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"raw_path": b"/auth/v1/me", "root_path": "/auth", "path": "/auth/v1/me"}, "/v1/me"),
        ({"raw_path": b"/auth/v1/me", "root_path": "/auth/", "path": "/auth/v1/me"}, "/v1/me"),
        ({"raw_path": b"/a%20b/v1/me", "root_path": "/a b", "path": "/a b/v1/me"}, "/v1/me"),
        ({"raw_path": b"/v1/me", "root_path": "/auth", "path": "/v1/me"}, "/v1/me"),
        ({"raw_path": b"/authority/me", "root_path": "/auth", "path": "/authority/me"}, "/authority/me"),
        ({"raw_path": b"/auth/auth/me", "root_path": "/auth", "path": "/auth/auth/me"}, "/auth/me"),
        ({"path": "/v1/me/sessions/a%2fb"}, "/v1/me/sessions/a%252fb"),
        ({"path": "/v1/café"}, "/v1/caf%C3%A9"),
    ],
)
def test_the_path_is_read_below_the_mount(scope, path):
    """A mounted application sees the path below its prefix, as it was sent."""
    assert path_as_sent(scope) == path


async def test_a_query_is_read_only_where_declared(door):
    """A token in the query is never a credential, and undeclared queries are not even parsed."""
    token = door.token()

    assert (await door.knock("GET", f"/v1/me?access_token={token}")).code == "unauthenticated"
    assert (await door.knock("GET", "/v1/me?%ff&a=1&a=2", bearer(token))).status == 200


@pytest.mark.parametrize("query", ["after=a&after=b", "after=%ff", "after=%00", "count=many", "after=\xff"])
async def test_a_bad_query_is_refused(door, query):
    """A repeated, unreadable or ill-typed parameter is refused without being repeated to the sender."""
    reply = await door.knock("GET", "/v1/search", query_string=query.encode("latin-1"))

    assert (reply.status, reply.code) == (400, "invalid_request")
    assert "many" not in reply.body.decode()


async def test_a_query_is_decoded_into_its_type():
    """Numbers in a query arrive as numbers."""
    found = route("GET", "/v1/search", query=Search).decode_query(b"count=5&after=a%20b&utm=x")

    assert msgspec.structs.asdict(found) == {"after": "a b", "count": 5}
