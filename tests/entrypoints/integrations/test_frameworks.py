"""Every framework, with an auth in the process or a verifier of one elsewhere: the same guards, the same refusals."""

import subprocess
import sys
from datetime import timedelta

import anyio
import pytest
from litestar import Litestar, get
from litestar.testing import TestClient
from tests.entrypoints.integrations.applications import FRAMEWORKS, starlette
from tests.verifier.issuer import CREDENTIAL, FEED

from ostiary.entrypoints.integrations.litestar import SignedIn
from ostiary.verifier import Verifier, VerifierNotStarted

PROBLEM_JSON = "application/problem+json"


@pytest.fixture(params=FRAMEWORKS, ids=lambda framework: framework.__name__)
def framework(request):
    """One framework's application, as a function of who checks the tokens."""
    return request.param


@pytest.fixture
def ask(framework, verifier):
    """Asks one framework's application, guarded by the verifier."""
    return framework(verifier)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_routes_know_who_asks(ask, issuer):
    """A good token passes, by role, by kind of account and by recent sign-in, and the view knows whose it is."""
    editor = bearer(issuer.token())
    admin = bearer(issuer.token(ent="admin", jti="token-2"))
    texts = [ask(name, editor).text for name in ("hello", "articles", "payouts")]

    assert texts == ["usr_alice"] * 3
    assert ask("admin", admin).text == "usr_alice"


def test_mfa_05_a_second_factor_is_asked_for_where_a_route_says_so(ask, issuer):
    """A session of one factor is 403 with what to do about it; one that two factors started passes."""
    one, two = bearer(issuer.token()), bearer(issuer.token(amr=("pwd", "otp", "mfa"), jti="token-2"))

    refused = ask("vault", one)

    assert (refused.status, refused.document["code"]) == (403, "second_factor_required")
    assert ask("vault", two).status == 200


def test_permissions_open_what_asks_for_them(ask, issuer):
    """All that are asked for have to be in the token, and the role beside them if one is asked for, too."""
    reader = bearer(issuer.token(permissions=("reports:read",)))
    exporter = bearer(issuer.token(permissions=("reports:export", "reports:read"), jti="token-2"))
    stranger = bearer(issuer.token(permissions=("reports:read", "reports:export"), roles=(), jti="token-3"))
    nobody = bearer(issuer.token(jti="token-4"))
    statuses = {
        name: [ask(name, headers).status for headers in (reader, exporter, stranger, nobody)]
        for name in ("reports", "exports")
    }

    assert statuses == {"reports": [200, 200, 200, 403], "exports": [403, 200, 403, 403]}
    assert ask("reports", nobody).document["code"] == "forbidden"


@pytest.mark.parametrize(
    ("headers", "code", "challenge"),
    [
        ({}, "unauthenticated", "Bearer"),
        ({"Authorization": "Basic YTpi"}, "unauthenticated", "Bearer"),
        ({"Authorization": "Bearer x.y.z"}, "invalid_token", 'Bearer error="invalid_token"'),
        ({"Authorization": "Bearer"}, "invalid_token", 'Bearer error="invalid_token"'),
    ],
)
def test_nobody_is_401_with_a_challenge(ask, issuer, headers, code, challenge):
    """Without a good token, the answer is a problem document and says how to sign in (RFC 6750 §3)."""
    answered = ask("hello", headers)

    assert (answered.status, answered.headers["www-authenticate"]) == (401, challenge)
    assert (answered.document["code"], answered.document["status"]) == (code, 401)
    assert answered.document["type"] == f"{issuer.url}/errors/{code.replace('_', '-')}"


def test_a_cookie_is_nobody_at_a_verifier(ask, issuer):
    """Cookies belong to the issuer's own site; elsewhere only a bearer token counts."""
    assert ask("hello", {"Cookie": f"ostiary_access={issuer.token()}"}).status == 401


def test_a_revoked_token_is_401(ask, issuer):
    """What was signed out at the issuer is refused at the next request."""
    headers = bearer(issuer.token())
    before = ask("hello", headers).status
    issuer.revoke("session", "ses_phone")
    issuer.settled()
    answered = ask("hello", headers)

    assert before == 200
    assert (answered.status, answered.document["code"]) == (401, "invalid_token")


def test_the_wrong_account_is_403(ask, issuer):
    """A missing role, another kind of account, a sign-in too long ago: each with its code."""
    earlier = int((issuer.clock.now() - timedelta(minutes=10, seconds=1)).timestamp())
    headers = bearer(issuer.token(roles=(), auth_time=earlier))
    answers = [ask(name, headers) for name in ("articles", "admin", "payouts")]

    assert [(answered.status, answered.document["code"]) for answered in answers] == [
        (403, "forbidden"),
        (403, "forbidden"),
        (403, "reauthentication_required"),
    ]


def test_p3_unknown_is_503_with_retry_after(ask, issuer):
    """While revocations are not known, a good token is "try again", never "in"."""
    headers = bearer(issuer.token())
    issuer.break_at(FEED)
    issuer.clock.move(timedelta(seconds=11))
    answered = ask("hello", headers)

    assert (answered.status, answered.headers["retry-after"]) == (503, "1")
    assert answered.document["code"] == "unavailable"


def test_refusals_have_the_media_type_of_problems(ask):
    """Where the framework lets us answer, it is `application/problem+json` (RFC 9457); FastAPI puts it into its own."""
    answered = ask("hello", {})

    assert answered.headers["content-type"] in {PROBLEM_JSON, "application/json"}
    assert set(answered.document) == {"type", "title", "status", "detail", "code"}


@pytest.mark.anyio
async def test_an_auth_in_the_process_guards_the_same(framework, running):
    """Handed an `Ostiary`, the same application takes its tokens, and its cookies where they are safe."""
    ask = framework(running.auth)
    alice = await running.signed_in("alice", roles=["editor"])
    cookie = {"Cookie": f"ostiary_access={alice.access_token}"}

    async def status(name, headers):
        return (await anyio.to_thread.run_sync(ask, name, headers)).status

    assert await status("articles", alice.headers) == 200
    assert await status("hello", cookie) == 200
    assert await status("admin", alice.headers) == 403
    assert await status("hello", {}) == 401
    running.move(minutes=11)
    assert await status("payouts", alice.headers) == 403


def test_recent_is_what_the_verifier_was_given(issuer):
    """How old a sign-in may be is an option of the verifier."""
    earlier = int((issuer.clock.now() - timedelta(minutes=4)).timestamp())
    headers = bearer(issuer.token(auth_time=earlier))
    strict = timedelta(minutes=3)
    with Verifier(
        issuer.url, credential=CREDENTIAL, clock=issuer.clock, recent_authentication=strict
    ) as verifier:
        issuer.settled()
        answered = starlette(verifier)("payouts", headers)

    assert answered.document["code"] == "reauthentication_required"


def test_a_verifier_that_was_not_started_says_how(issuer):
    """Forgetting to start it is an error that names the cure, not a silent refusal."""
    ask = starlette(Verifier(issuer.url, credential=CREDENTIAL))

    with pytest.raises(VerifierNotStarted, match=r"lifespan=verifier\.lifespan"):
        ask("hello", bearer(issuer.token()))


def test_litestar_without_the_plugin_still_refuses(verifier):
    """The status, the challenge and the code are there in Litestar's own form."""

    @get("/", guards=[SignedIn(verifier)])
    async def hello() -> str:
        return "in"

    with TestClient(Litestar([hello], openapi_config=None, logging_config=None)) as client:
        answer = client.get("/")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["extra"]["code"] == "unauthenticated"


LIST = "import sys, ostiary.entrypoints.integrations.flask; print('\\n'.join(sys.modules))"


def test_an_integration_brings_no_server():
    """A Flask application with a verifier loads no database, no settings and no other framework."""
    run = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, check=True)
    packages = {name.partition(".")[0] for name in run.stdout.split()}

    assert "flask" in packages
    assert (
        packages & {"alembic", "asyncpg", "fastapi", "pydantic", "sqlalchemy", "sqlite3", "starlette"}
        == set()
    )
