from __future__ import annotations

import pytest
from tests.entrypoints.http.door import ISSUER, ROUTES, Door, bearer

from ostiary.entrypoints.http.cross_site import Origins, Provenance, origin_of

pytestmark = pytest.mark.anyio

APP = "https://app.example"
EVIL = "https://evil.example"
OURS, UNSAID, FOREIGN = Provenance.OURS, Provenance.UNSAID, Provenance.FOREIGN
LOGIN = b'{"identifier": "a", "password": "b", "delivery": "cookie"}'


@pytest.mark.parametrize(
    ("headers", "provenance"),
    [
        ({}, UNSAID),
        ({"sec-fetch-site": "same-origin"}, OURS),
        ({"sec-fetch-site": "none"}, OURS),
        ({"sec-fetch-site": "same-origin", "origin": "http://localhost:8000"}, OURS),
        ({"origin": ISSUER}, OURS),
        ({"origin": APP}, OURS),
        ({"sec-fetch-site": "cross-site", "origin": APP}, OURS),
        ({"sec-fetch-site": "same-site", "origin": APP}, OURS),
        ({"sec-fetch-site": "cross-site"}, FOREIGN),
        ({"sec-fetch-site": "same-site"}, FOREIGN),
        ({"sec-fetch-site": "cross-site", "origin": EVIL}, FOREIGN),
        # A browser never says both of these: believe the worse.
        ({"sec-fetch-site": "cross-site", "origin": ISSUER}, FOREIGN),
        ({"sec-fetch-site": "Same-Origin"}, FOREIGN),
        ({"sec-fetch-site": ""}, FOREIGN),
        ({"sec-fetch-site": "same-origin, cross-site"}, FOREIGN),
        ({"origin": EVIL}, FOREIGN),
        ({"origin": "null"}, FOREIGN),
        ({"origin": ""}, FOREIGN),
        ({"origin": "http://auth.example"}, FOREIGN),
        ({"origin": "https://auth.example:8443"}, FOREIGN),
        ({"origin": "https://auth.example.evil.example"}, FOREIGN),
        ({"origin": "https://sub.auth.example"}, FOREIGN),
        ({"origin": "https://auth.example/"}, FOREIGN),
        ({"origin": f"{ISSUER}, {EVIL}"}, FOREIGN),
        ({"origin": "https://evil.example#https://auth.example"}, FOREIGN),
        ({"origin": "https://auth.example@evil.example"}, FOREIGN),
        # A referrer proves nothing.
        ({"referer": ISSUER}, UNSAID),
    ],
)
def test_ses_09_browsers_say_where_a_request_comes_from(headers, provenance):
    """Only our own origin and the allowed ones count as ours, and only in the browser's own spelling."""
    sent = {name.encode(): value.encode() for name, value in headers.items()}

    assert Origins(f"{ISSUER}/auth", [APP]).provenance(sent) is provenance


STATE_CHANGING = [route for route in ROUTES if route.method != "GET"]


@pytest.mark.parametrize("route", STATE_CHANGING, ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": EVIL},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"cookie": "__Host-ostiary_access=a"},
        {"cookie": "__Host-ostiary_refresh=a"},
        {"cookie": "__Host-ostiary_refresh=a", "authorization": "Bearer x"},
        {"cookie": "__Host-ostiary_refresh=a; __Host-ostiary_refresh=b"},
    ],
)
async def test_ses_09_another_site_changes_nothing(door, route, headers):
    """Every state-changing route refuses another site, and our cookies without a word of where they come from."""
    reply = await door.knock(route.method, route.path.replace("{id}", "x"), headers)

    assert reply.status == 403
    assert door.limits._windows == {}


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json",
    ],
)
async def test_ses_09_no_cross_site_form_signs_anybody_in(door, media_type):
    """A form of another site cannot sign its visitor in to an account of its own (login CSRF)."""
    headers = {"origin": EVIL, "sec-fetch-site": "cross-site", "content-type": media_type}

    reply = await door.knock("POST", "/v1/login", headers, LOGIN)

    assert reply.code == "cross_site_request"
    assert reply.all("set-cookie") == []


async def test_ses_09_cookies_are_only_given_to_a_proven_asker(door):
    """Whoever wants cookies must say where it comes from; whoever wants tokens in the body need not."""
    silent = await door.post("/v1/login", LOGIN)
    proven = await door.post("/v1/login", LOGIN, {"origin": ISSUER})
    in_body = await door.post("/v1/login", LOGIN.replace(b"cookie", b"body"))

    assert (silent.code, silent.all("set-cookie")) == ("cross_site_request", [])
    assert len(proven.all("set-cookie")) == 2
    assert (in_body.status, in_body.all("set-cookie")) == (200, [])


async def test_ses_09_a_cookie_authenticates_a_change_from_our_own_site(door):
    """The access cookie is enough when the browser says that our own page asks."""
    headers = {"cookie": f"__Host-ostiary_access={door.token()}", "sec-fetch-site": "same-origin"}

    assert (await door.knock("PATCH", "/v1/me", headers)).json()["credential"] == "cookie"


async def test_ses_09_a_client_without_cookies_need_not_say_where_it_is(door):
    """A program with a bearer token sends no Origin and is served."""
    assert (await door.knock("PATCH", "/v1/me", bearer(door.token()))).status == 200


async def test_ses_09_reading_is_allowed_to_links(door):
    """A link on another site may open a page for a signed-in visitor: reading changes nothing."""
    headers = {"cookie": f"__Host-ostiary_access={door.token()}", "sec-fetch-site": "cross-site"}

    assert (await door.knock("GET", "/v1/me", headers)).status == 200


@pytest.mark.parametrize("origin", [EVIL, "null", ISSUER])
async def test_cors_is_for_allowed_origins_only(origin):
    """No other origin may read an answer or is told what it could send, and caches keep origins apart."""
    door = Door(allowed_origins=[APP])
    preflight = {"origin": origin, "access-control-request-method": "PATCH"}

    replies = [
        await door.knock("OPTIONS", "/v1/me", preflight),
        await door.knock("GET", "/v1/search", {"origin": origin}),
    ]

    for reply in replies:
        assert reply.header("vary") == "origin"
        assert not [name for name, _ in reply.headers if name.startswith(b"access-control-")]


async def test_cors_lets_an_allowed_origin_in():
    """An allowed origin passes its preflight and may read answers and errors, with credentials."""
    door = Door(allowed_origins=[APP])
    preflight = await door.knock(
        "OPTIONS", "/v1/me", {"origin": APP, "access-control-request-method": "PATCH"}
    )
    refused = await door.knock("GET", "/v1/me", {"origin": APP})

    assert preflight.status == 204
    assert preflight.header("access-control-allow-methods") == "GET, HEAD, OPTIONS, PATCH"
    assert preflight.header("access-control-allow-headers") == "authorization, content-type"
    for reply in (preflight, refused):
        assert reply.header("access-control-allow-origin") == APP
        assert reply.header("access-control-allow-credentials") == "true"
        assert reply.header("vary") == "origin"


async def test_cors_is_off_by_default(door):
    """Without allowed origins nothing of CORS is said."""
    reply = await door.knock("GET", "/v1/search", {"origin": EVIL})

    assert not [name for name, _ in reply.headers if name.startswith(b"access-control-") or name == b"vary"]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Auth.Example/auth/", "https://auth.example"),
        ("https://auth.example:443", "https://auth.example"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:80/x", "http://[::1]"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(url, origin):
    """Scheme and host in lower case, no default port, no path (RFC 6454 §6.2)."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url", ["*", "https://*", "https://*.example", "null", "auth.example", "ftp://x", "https://é"]
)
def test_a_pattern_is_not_an_origin(url):
    """Wildcards and half-written origins are refused at start-up."""
    with pytest.raises(ValueError, match="no origin"):
        Origins(ISSUER, [url])
