from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

import pytest
from tests.entrypoints.http.door import ISSUER, START, Door, Seen, bearer, look, route

from ostiary.entrypoints.http.answers import Answer
from ostiary.entrypoints.http.cookies import Cookie, CookieName
from ostiary.entrypoints.http.routes import PUBLIC, AddressLimit, signed_in
from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.foundation.limits import Rate
from ostiary.verifier import Revocation, RevocationKind

pytestmark = pytest.mark.anyio

COOKIE = "__Host-ostiary_access"
GENEROUS = AddressLimit("x", Rate(1000, timedelta(minutes=1)))


async def test_a_bearer_token_identifies(door):
    """A verified access token in the Authorization header is who asks."""
    seen = (await door.knock("GET", "/v1/me", bearer(door.token()))).json()

    assert (seen["identity"], seen["credential"]) == ("idn_alice", "bearer")


async def test_a_cookie_identifies(door):
    """A verified access token in our cookie is who asks."""
    seen = (await door.knock("GET", "/v1/me", {"cookie": f"a=b; {COOKIE}={door.token()}"})).json()

    assert (seen["identity"], seen["credential"]) == ("idn_alice", "cookie")


async def test_a_bearer_token_goes_before_a_cookie(door):
    """Of two credentials the explicit one counts, also when it is worthless."""
    good, mallory = door.token(), door.token(sub="idn_mallory", jti="tok_2")

    both = await door.knock("GET", "/v1/me", bearer(good) | {"cookie": f"{COOKIE}={mallory}"})
    worthless = await door.knock("GET", "/v1/me", bearer("x") | {"cookie": f"{COOKIE}={good}"})

    assert both.json()["identity"] == "idn_alice"
    assert worthless.code == "invalid_token"


async def test_another_scheme_is_no_credential_of_ours(door):
    """Basic credentials for a proxy in front neither sign in nor hide the cookie."""
    basic = {"authorization": "Basic YTpi"}

    assert (await door.knock("GET", "/v1/me", basic)).code == "unauthenticated"
    assert (await door.knock("GET", "/v1/me", basic | {"cookie": f"{COOKIE}={door.token()}"})).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "bearer",
        "Bearer a b",
        "Bearer a,b",
        "Bearer =",
        "Bearer a=b",
        "Bearer\ta",
        "Bearer {token}x",
        "Bearer {token} ",
        "Bearer {token}\n",
        "Bearer {token}, Bearer {token}",
        "Bearer {token}=",
        "Bearer é",
        "Bearer \x00",
        f"Bearer {'a' * 9000}",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer null",
    ],
)
async def test_web_05_a_malformed_bearer_header_is_refused(door, header):
    """Anything but exactly one good token is 401, named as RFC 6750 §3 asks, and never an error of ours."""
    reply = await door.knock("GET", "/v1/me", {"authorization": header.format(token=door.token())})

    assert (reply.status, reply.code) == (401, "invalid_token")
    assert reply.header("www-authenticate") == 'Bearer error="invalid_token"'


async def test_web_05_a_repeated_authorization_header_is_refused(door):
    """Two Authorization headers are not one of them."""
    header = ("authorization", f"Bearer {door.token()}")

    assert (await door.knock("GET", "/v1/me", [header, header])).code == "invalid_token"


@pytest.mark.parametrize(
    "cookie", ["", "{token}; " + COOKIE + "={token}", '"{token}"', "{token}x", "\xe9", "a" * 5000]
)
async def test_web_05_a_malformed_cookie_is_refused(door, cookie):
    """A damaged or doubled cookie is 401, never an error of ours."""
    reply = await door.knock("GET", "/v1/me", {"cookie": f"{COOKIE}={cookie.format(token=door.token())}"})

    assert (reply.status, reply.code) == (401, "invalid_token")


async def test_the_scheme_is_read_in_any_case(door):
    """`bearer` is as good as `Bearer` (RFC 9110 §11.1)."""
    assert (await door.knock("GET", "/v1/me", {"authorization": f"bEARER {door.token()}"})).status == 200


async def test_a_public_route_reads_no_credential(door):
    """On a public route nobody is identified, whatever the Authorization header says."""
    for token in (door.token(), "x"):
        assert (await door.knock("GET", "/v1/search", bearer(token))).json()["identity"] is None


async def test_anybody_passes_and_a_caller_is_known(door):
    """Without a token nobody is named; with a good one, in the header or in our own site's cookie, its owner is."""
    token = door.token()
    cookie = {"cookie": f"{COOKIE}={token}", "origin": ISSUER}
    seen = [(await door.knock("POST", "/v1/link", headers)).json() for headers in ({}, bearer(token), cookie)]

    assert [(s["identity"], s["credential"]) for s in seen] == [
        (None, None),
        ("idn_alice", "bearer"),
        ("idn_alice", "cookie"),
    ]


async def test_web_05_a_token_that_is_not_good_is_nobodys_pass(door):
    """Whoever presents an expired, foreign or malformed token is refused, and not taken for a stranger."""
    expired = door.token(exp=1)
    presented = [bearer(expired), bearer("x"), {"authorization": "Bearer"}, {"authorization": "bearer a b"}]
    presented.append({"cookie": f"{COOKIE}={expired}", "origin": ISSUER})

    replies = [await door.knock("POST", "/v1/link", headers) for headers in presented]

    assert {(reply.status, reply.code) for reply in replies} == {(401, "invalid_token")}


async def test_ses_09_a_foreign_site_uses_nobodys_cookie_at_an_open_route(door):
    """With our cookie and another site's origin, or none, nothing happens in the cookie's name."""
    cookie = {"cookie": f"{COOKIE}={door.token()}"}
    replies = [
        await door.knock("POST", "/v1/link", cookie | headers)
        for headers in ({}, {"origin": "https://evil.example"})
    ]

    assert {reply.code for reply in replies} == {"cross_site_request"}


@pytest.mark.parametrize(
    "claims", [{"iss": "https://evil.example"}, {"aud": "x"}, {"exp": 1}, {"iat": 4102444800}]
)
async def test_a_token_that_does_not_verify_is_refused(door, claims):
    """Issuer, audience and times are the verifier's to judge, and its refusal is 401."""
    assert (await door.knock("GET", "/v1/me", bearer(door.token(**claims)))).code == "invalid_token"


async def test_a_revoked_token_is_refused_at_the_next_request(door):
    """A revocation acts on the next request, on a token verified before."""
    token = door.token()
    before = await door.knock("GET", "/v1/me", bearer(token))
    door.revocations.apply(
        [
            Revocation(
                seq=1, kind=RevocationKind.SESSION, subject="ses_1", expires_at=START + timedelta(hours=1)
            )
        ]
    )

    assert before.status == 200
    assert (await door.knock("GET", "/v1/me", bearer(token))).code == "invalid_token"


async def test_web_05_unknown_revocations_refuse_everybody(door):
    """Without recent revocations no token is believed: 503, with the time to wait."""
    token = door.token()
    door.clock.moment += timedelta(seconds=11)
    reply = await door.knock("GET", "/v1/me", bearer(token))

    assert (reply.status, reply.code, reply.header("retry-after")) == (503, "unavailable", "1")


@pytest.mark.parametrize(
    ("claims", "answer"),
    [
        ({"ent": "admin", "roles": ("ostiary:operator",)}, 200),
        ({"ent": "admin", "roles": ("ostiary:operator", "other")}, 200),
        ({"ent": "admin", "roles": ()}, 403),
        ({"ent": "admin", "roles": ("operator",)}, 403),
        ({"ent": "user", "roles": ("ostiary:operator",)}, 403),
        ({"ent": "Admin", "roles": ("ostiary:operator",)}, 403),
    ],
)
async def test_a_guard_asks_for_type_and_role(door, claims, answer):
    """A guarded route serves its entity type with its role, and says 403 to everybody else."""
    assert (await door.knock("GET", "/v1/admin/roles/x", bearer(door.token(**claims)))).status == answer


async def test_a_guard_asks_for_all_its_roles():
    """Naming one more role never lets more people in."""
    door = Door([route("GET", "/v1/x", guard=signed_in(roles=["a", "b"]))])

    assert (await door.knock("GET", "/v1/x", bearer(door.token(roles=("a",))))).code == "forbidden"
    assert (await door.knock("GET", "/v1/x", bearer(door.token(roles=("a", "b"), jti="2")))).status == 200


@pytest.mark.parametrize(("age", "code"), [(600, None), (601, "reauthentication_required")])
async def test_ses_08_a_recent_sign_in_is_recent_to_the_second(door, age, code):
    """A route that asks for a recent sign-in refuses an older one, however fresh the token."""
    token = door.token(auth_time=int(START.timestamp()) - age)
    reply = await door.knock("DELETE", "/v1/me/sessions/x", bearer(token))

    assert reply.json().get("code") == code


async def test_adm_02_the_actor_comes_from_the_token_only(door):
    """Names in headers and queries that others use for the actor change nothing."""
    claims = {"x-user-id": "idn_mallory", "x-forwarded-user": "idn_mallory", "x-remote-user": "idn_mallory"}
    path = "/v1/me?sub=idn_mallory&user_id=idn_mallory"

    assert (await door.knock("GET", path, claims)).code == "unauthenticated"
    assert (await door.knock("GET", path, claims | bearer(door.token()))).json()["identity"] == "idn_alice"


async def test_the_address_limit_counts_addresses(door):
    """One use too many is 429 with the time to wait; another address is not concerned."""
    replies = [await door.knock("POST", "/v1/limited") for _ in range(3)]
    other = await door.knock("POST", "/v1/limited", client=("198.51.100.1", 1))

    assert [reply.status for reply in replies] == [200, 200, 429]
    assert (replies[2].code, replies[2].header("retry-after")) == ("too_many_attempts", "60")
    assert other.status == 200


async def test_abu_05_spoofed_addresses_share_one_budget():
    """A header of the client's own making, or another address of its /64, does not renew its budget."""
    door = Door(trusted_proxies=[ip_network("10.0.0.0/8")])
    spoofs = ["1.1.1.1", "garbage", "::ffff:2.2.2.2", "", "unknown"]

    replies = [await door.knock("POST", "/v1/limited", {"x-forwarded-for": text}) for text in spoofs]
    behind = [
        await door.knock("POST", "/v1/limited", {"x-forwarded-for": f"2001:db8::{i}"}, client=("10.0.0.1", 1))
        for i in range(3)
    ]

    assert [reply.status for reply in replies] == [200, 200, 429, 429, 429]
    assert [reply.status for reply in behind] == [200, 200, 429]


async def test_abu_05_a_socket_without_an_address_is_limited_too(door):
    """No address is one budget for all of its kind, never none."""
    for client in (None, ("", 0), ("testclient", 1)):
        reply = await door.knock("POST", "/v1/limited", client=client)

    assert reply.status == 429


async def test_the_user_agent_is_safe_to_keep(door):
    """Control characters are dropped and the length is bounded, whatever the client calls itself."""
    headers = bearer(door.token()) | {"user-agent": "a\r\n\x00\x1b[1m" + "b" * 1000}
    seen = (await door.knock("GET", "/v1/me", headers)).json()["user_agent"]

    assert seen.startswith("a[1mbbb")
    assert len(seen) <= 512


async def _forbidden(_request):
    raise AssertionError("the handler must not run")


class Broken:
    """Stands for any dependency of the pipeline while it fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def verify(self, *_, **__):
        raise self.error

    def now(self):
        raise self.error

    async def hit(self, *_, **__):
        raise self.error


@pytest.mark.parametrize("part", ["verifier", "limits", "clock"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("secret"), 500),
        (KeyError("secret"), 500),
        (RecursionError("secret"), 500),
        (OstiaryError("secret"), 500),
        (TimeoutError("secret"), 500),
        (Unavailable("secret"), 503),
    ],
)
async def test_web_05_a_failing_dependency_lets_nobody_in(part, error, status):
    """Whatever fails on the way, the answer is 500 or 503 without details, and no handler ran."""
    door = Door([route("POST", "/v1/x", _forbidden, signed_in(), limit=GENEROUS)])
    door.open(**{part: Broken(error)})
    reply = await door.knock("POST", "/v1/x", bearer(door.token()))

    assert reply.status == status
    assert b"secret" not in reply.body
    assert (reply.header("retry-after") is not None) == (status == 503)


@pytest.mark.parametrize("part", ["verifier", "limits", "clock"])
async def test_web_05_a_dependency_that_answers_nothing_lets_nobody_in(part):
    """A verifier that forgets to answer identifies nobody."""

    class Silent(Broken):
        def verify(self, *_, **__):
            return None

        def now(self):
            return None

        async def hit(self, *_, **__):
            return timedelta(seconds=1)

    door = Door([route("POST", "/v1/x", _forbidden, signed_in(recent=True), limit=GENEROUS)])
    door.open(**{part: Silent(RuntimeError())})

    assert (await door.knock("POST", "/v1/x", bearer(door.token()))).status >= 400


async def test_web_05_unexpected_errors_are_recorded_and_not_told(caplog):
    """A failing handler is 500 without a detail, and its traceback is logged."""

    async def fail(_request):
        raise ValueError("the database password is hunter2")

    door = Door([route("GET", "/v1/x", fail)])
    reply = await door.knock("GET", "/v1/x")

    assert (reply.status, reply.code) == (500, "internal_error")
    assert b"hunter2" not in reply.body
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]


class Secretive(Seen):
    password: str = "hunter2"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"password": "hunter2"}),
        Answer(200, None),
        Answer(201, Seen("a", None, None, "", {})),
        Answer(200, b"raw"),
        Answer(200, Secretive("a", None, None, "", {})),
        Answer(200, Seen("\ud800", None, None, "", {})),
        Answer(200, Seen("a", None, None, "", {}), headers=((b"set-cookie", b"a=b"),)),
        Answer(200, Seen("a", None, None, "", {}), cookies=(Cookie(CookieName.ACCESS, "a;b", timedelta(1)),)),
    ],
)
async def test_adm_03_what_a_route_does_not_declare_is_not_sent(answer):
    """An answer of another status or type is an error of ours, and nothing of it leaves."""

    async def give(_request):
        return answer

    reply = await Door([route("GET", "/v1/x", give)]).knock("GET", "/v1/x")

    assert (reply.status, reply.code) == (500, "internal_error")
    assert reply.all("set-cookie") == []


async def test_ses_09_forgetting_to_ask_for_proof_gives_no_cookies():
    """A handler that sets cookies without asking where the request comes from is stopped."""

    async def careless(_request):
        return Answer(204, cookies=(Cookie(CookieName.ACCESS, "a", timedelta(1)),))

    door = Door([route("POST", "/v1/x", careless, answers={204: None})])

    assert (await door.knock("POST", "/v1/x")).all("set-cookie") == []
    assert len((await door.knock("POST", "/v1/x", {"origin": ISSUER})).all("set-cookie")) == 1


@pytest.mark.parametrize("declared", [Seen | None, list[Seen], Seen, Secretive | Seen])
async def test_answers_may_be_unions_and_lists(declared):
    """A declared union or list admits its members."""

    async def give(_request):
        seen = Seen("a", None, None, "", {})
        return Answer(200, [seen] if declared == list[Seen] else seen)

    assert (
        await Door([route("GET", "/v1/x", give, answers={200: declared})]).knock("GET", "/v1/x")
    ).status == 200


async def test_the_clock_is_read_once():
    """Everything a request does happens at one moment."""
    readings = []

    async def note(request):
        return Answer(204, headers=((b"x-now", request.now.isoformat().encode()),))

    class Ticking:
        def now(self):
            readings.append(START + timedelta(seconds=len(readings)))
            return readings[-1]

    door = Door([route("POST", "/v1/x", note, signed_in(), answers={204: None}, limit=GENEROUS)])
    door.open(clock=Ticking())

    assert (await door.knock("POST", "/v1/x", bearer(door.token()))).header("x-now") == START.isoformat()
    assert len(readings) == 1


async def test_public_and_guarded_methods_of_one_address_stay_apart():
    """Each method of an address has its own guard."""
    door = Door([route("GET", "/v1/x", look, PUBLIC), route("DELETE", "/v1/x", look, signed_in())])

    assert (await door.knock("GET", "/v1/x")).status == 200
    assert (await door.knock("DELETE", "/v1/x")).status == 401
