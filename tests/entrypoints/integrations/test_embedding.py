"""Ostiary inside other applications: guards, lifespans, prefixes, one database."""

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from ostiary import Ostiary, Principal, Query
from ostiary.app import NotStarted
from ostiary.entrypoints.integrations.fastapi import REFUSALS, SignedIn, answer_errors
from ostiary.entrypoints.integrations.starlette import requires
from ostiary.foundation.errors import OstiaryError, Unavailable
from ostiary.schema import HEAD, check
from ostiary.testing import principal

ACCOUNT = {"email": "ada@example.org", "password": "a long phrase only Ada knows"}
WEAK = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}
ORIGIN = "http://127.0.0.1:8000"


@pytest.fixture
def auth(database_url, tmp_path):
    """An auth that is not started yet, on an empty database of either kind, mounted at /auth."""
    return Ostiary(
        public_url=f"{ORIGIN}/auth", database_url=database_url, data=tmp_path / "data", passwords=WEAK
    )


def fastapi_application(auth: Ostiary, *, mounted: bool = True) -> FastAPI:
    app = FastAPI(lifespan=auth.lifespan if mounted else None)
    if mounted:
        app.mount("/auth", auth)
    app.state.signed_in = SignedIn(auth)
    app.state.editor = SignedIn(auth, roles=["editor"])
    admin, recent = SignedIn(auth, entity_types=["admin"]), SignedIn(auth, recent=True)

    @app.get("/hello")
    async def hello(who: Annotated[Principal, Depends(app.state.signed_in)]) -> str:
        return who.entity_id

    @app.post("/articles")
    async def articles(who: Annotated[Principal, Depends(app.state.editor)]) -> str:
        return who.entity_id

    @app.get("/admin")
    async def admins(_who: Annotated[Principal, Depends(admin)]) -> str:
        return "in"

    @app.post("/payouts")
    async def payouts(_who: Annotated[Principal, Depends(recent)]) -> str:
        return "paid"

    return app


def register(client: TestClient, **fields) -> dict:
    return client.post("/auth/v1/register", json=ACCOUNT | fields).json()["tokens"]


def bearer(tokens: dict) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def open_client(application) -> TestClient:
    return TestClient(application, base_url=ORIGIN)


def test_fastapi_routes_know_who_asks(auth):
    """Nobody is 401, the wrong role or kind of account 403, a recent sign-in passes; all as problem documents."""
    with open_client(fastapi_application(auth)) as client:
        headers = bearer(register(client))
        nobody = client.get("/hello")
        hello = client.get("/hello", headers=headers)
        others = client.post("/articles", headers=headers), client.get("/admin", headers=headers)
        paid = client.post("/payouts", headers=headers)
        forged = client.get("/hello", headers={"Authorization": "Bearer x.y.z"})

    assert (hello.status_code, hello.json()[:4], paid.status_code) == (200, "usr_", 200)
    assert (nobody.status_code, nobody.json()["detail"]["code"]) == (401, "unauthenticated")
    assert nobody.headers["www-authenticate"] == "Bearer"
    assert {(r.status_code, r.json()["detail"]["code"]) for r in others} == {(403, "forbidden")}
    assert (forged.status_code, forged.json()["detail"]["code"]) == (401, "invalid_token")


def test_a_signed_out_token_is_refused_by_the_hosts_next_request(auth):
    """Signing out at the mounted door is felt at the host's own routes at once."""
    with open_client(fastapi_application(auth)) as client:
        headers = bearer(register(client))
        before = client.get("/hello", headers=headers).status_code
        client.post("/auth/v1/logout", headers=headers)
        after = client.get("/hello", headers=headers).status_code

    assert (before, after) == (200, 401)


def test_ses_09_a_cookie_changes_nothing_for_another_site(auth):
    """In cookie mode a host's reading routes work, and its changing ones ask where the request comes from."""
    with open_client(fastapi_application(auth)) as client:
        client.post("/auth/v1/register", json=ACCOUNT | {"delivery": "cookie"}, headers={"Origin": ORIGIN})
        read = client.get("/hello").status_code
        silent = client.post("/payouts").status_code
        foreign = client.post("/payouts", headers={"Origin": "https://evil.example"}).status_code
        ours = client.post("/payouts", headers={"Origin": ORIGIN}).status_code

    assert (read, silent, foreign, ours) == (200, 403, 403, 200)


def test_a_dependency_can_be_overridden_in_tests(auth):
    """The dependency object is the key, and no auth need run."""
    app = fastapi_application(auth)
    app.dependency_overrides[app.state.editor] = lambda: principal("alice", roles=["editor"])
    client = open_client(app)

    assert client.post("/articles").json() == "user_alice"


def test_the_hosts_document_states_the_scheme(auth):
    """OpenAPI tools see a bearer scheme on guarded routes."""
    document = fastapi_application(auth).openapi()

    assert document["components"]["securitySchemes"]["Ostiary"]["scheme"] == "bearer"
    assert document["paths"]["/hello"]["get"]["security"] == [{"Ostiary": []}]


class Opinion(BaseModel):
    """A body of the host's own."""

    model_config = ConfigDict(extra="forbid")
    stars: int


def application_with_accounts(auth: Ostiary) -> FastAPI:
    """An application whose own routes decide about accounts, and meet what `auth` has to say to that."""
    app = fastapi_application(auth)
    answer_errors(app, auth)

    @app.post("/suspend/{account}")
    async def suspend(account: str, who: Annotated[Principal, Depends(app.state.signed_in)]) -> None:
        await auth.accounts.suspend(account, by=who)

    @app.post("/busy")
    async def busy() -> None:
        raise Unavailable("Nobody answers.")

    @app.post("/defect")
    async def defect() -> None:
        raise OstiaryError("Nobody expected this.")

    @app.post("/opinions")
    async def opinions(opinion: Opinion) -> int:
        return opinion.stars

    return app


def test_what_auth_refuses_in_the_hosts_own_routes_is_answered_as_in_ours(auth):
    """Nothing of the kind is 404, what cannot be done now 409, and each is the problem document of its code."""
    with open_client(application_with_accounts(auth)) as client:
        headers = bearer(register(client))
        me = client.get("/auth/v1/me", headers=headers).json()["identity"]["id"]
        nowhere = [
            client.post(f"/suspend/{account}", headers=headers) for account in (f"idn_{'0' * 26}", "hunter2")
        ]
        own = client.post(f"/suspend/{me}", headers=headers)
        busy = client.post("/busy")
        still = client.get("/hello", headers=headers).status_code

    answered = [(answer.status_code, answer.json()["detail"]["code"]) for answer in (*nowhere, own)]
    assert answered == [(404, "not_found"), (404, "not_found"), (409, "own_account")]
    assert nowhere[0].json()["detail"]["type"] == f"{ORIGIN}/auth/errors/not-found"
    assert "hunter2" not in nowhere[1].text
    assert (busy.status_code, busy.headers["retry-after"], still) == (503, "1", 200)


def test_an_error_that_nobody_expected_stays_one(auth):
    """What has no public code is a defect of the host's or ours: the server's log has it, and the client a plain 500."""
    app = application_with_accounts(auth)
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False) as client:
        answer = client.post("/defect")

    assert (answer.status_code, "Nobody expected" in answer.text) == (500, False)


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        (b'{"stars": "hunter2"}', ["body", "stars"], "int_parsing"),
        (b'{"stars": "\\ud800 hunter2"}', ["body", "stars"], "string_unicode"),
        (b'{"stars": 1, "\\ud800": "hunter2"}', ["body"], "string_unicode"),
        (b'{"stars": 1e999}', ["body", "stars"], "finite_number"),
        (b'{"password": "hunter2"}', ["body", "stars"], "missing"),
    ],
)
def test_a_request_that_the_host_refuses_is_not_repeated(auth, body, place, kind):
    """Where and why, as FastAPI says it, and never the value, which may be secret or nothing that JSON can write."""
    with open_client(application_with_accounts(auth)) as client:
        answer = client.post("/opinions", content=body, headers={"Content-Type": "application/json"})
        first = answer.json()["detail"][0]

    assert (answer.status_code, first["loc"], first["type"]) == (422, place, kind)
    assert (first.keys(), "hunter2" in answer.text) == ({"loc", "msg", "type"}, False)


def test_the_tables_are_there_before_the_start_for_migrations_that_refer_to_them(auth, database_url):
    """An application deploys ours with its own, in a folder that need not be there; again, there is nothing to do."""
    first, second = [asyncio.run(auth.deploy()) for _ in range(2)]

    assert (first[-1], second) == (HEAD, [])
    assert asyncio.run(check(database_url)) == []


def test_the_hosts_document_states_the_refusals(auth):
    """What a guard answers stands in the document once, for all routes of a router."""
    router = APIRouter(responses=REFUSALS)
    router.add_api_route("/hello", lambda: "hello", dependencies=[Depends(SignedIn(auth))])
    app = FastAPI()
    app.include_router(router)

    assert {"401", "403", "503"} < set(app.openapi()["paths"]["/hello"]["get"]["responses"])


def test_an_auth_that_was_not_started_says_how(auth):
    """Forgetting the lifespan is an error that names the cure, not a silent refusal."""
    client = open_client(fastapi_application(auth, mounted=False))

    with pytest.raises(NotStarted, match=r"lifespan=auth\.lifespan"):
        client.get("/hello")


def test_wrapping_starts_and_stops_with_the_application(auth):
    """The wrapped application has its own lifespan inside ours, and keeps its routes."""
    events = []

    @asynccontextmanager
    async def lifespan(_app):
        events.append(f"up {auth.services.database.dialect}")
        yield
        events.append("down")

    app = FastAPI(lifespan=lifespan)

    @app.get("/hello")
    async def hello(who: Annotated[Principal, Depends(SignedIn(auth))]) -> str:
        return who.entity_type

    with open_client(auth.wrap(app, prefix="/auth")) as client:
        headers = bearer(register(client))
        assert client.get("/hello", headers=headers).json() == "user"
        assert client.get("/auth/v1/me", headers=headers).status_code == 200
        assert client.get("/elsewhere").status_code == 404

    assert events[0].startswith("up ")
    assert events[1] == "down"
    with pytest.raises(NotStarted):
        auth.services  # noqa: B018 - asking is the act


def test_starlette_endpoints_are_guarded(auth):
    """The same refusals in Starlette, as problem documents of our own media type."""

    @requires(auth)
    async def hello(request):
        return PlainTextResponse(request.state.principal.entity_type)

    @requires(auth, roles=["editor"])
    async def articles(_request):
        return PlainTextResponse("in")

    routes = [Route("/hello", hello), Route("/articles", articles), Mount("/auth", auth)]
    with open_client(Starlette(routes=routes, lifespan=auth.lifespan)) as client:
        headers = bearer(register(client))
        answers = [client.get("/hello"), client.get("/articles", headers=headers)]
        assert client.get("/hello", headers=headers).text == "user"

    assert [r.status_code for r in answers] == [401, 403]
    assert {r.headers["content-type"] for r in answers} == {"application/problem+json"}


def test_the_contract_is_complete_below_a_prefix(auth):
    """Reference, document, metadata and errors know the prefix they are mounted at."""
    with open_client(fastapi_application(auth)) as client:
        document = client.get("/auth/openapi.json").json()
        metadata = client.get("/auth/.well-known/oauth-authorization-server").json()
        page = client.get("/auth/reference")
        refused = client.get("/auth/v1/me").json()

    assert document["servers"] == [{"url": f"{ORIGIN}/auth"}]
    assert metadata["issuer"] == f"{ORIGIN}/auth"
    assert page.headers["content-type"].startswith("text/html")
    assert refused["type"] == f"{ORIGIN}/auth/errors/unauthenticated"


VENDORS = Query(
    postgresql="CREATE TABLE vendors (id integer PRIMARY KEY, identity_id uuid NOT NULL REFERENCES ostiary.identities)",
    sqlite="CREATE TABLE vendors (id INTEGER PRIMARY KEY, identity_id BLOB NOT NULL REFERENCES ostiary_identities (id))",
)
INSERT = Query("INSERT INTO vendors (id, identity_id) VALUES ($1, $2)")
COUNT = Query("SELECT count(*) FROM vendors", into=int)
IDENTITIES = Query("SELECT count(*) FROM ostiary.identities", into=int)


def test_a_host_keeps_its_tables_and_keys_beside_ours(auth):
    """In one database, its row is made in our transaction, and deleting it deletes the identity."""
    from ostiary.schema import guard_profile_table

    async def create(tx, identity, profile):
        await tx.execute(INSERT, int(profile["number"]), identity.id)
        return int(profile["number"])

    auth.entity_type("vendor", prefix="vnd", create=create)
    app = fastapi_application(auth)

    async def act(query: Query, *parameters):
        database = auth.services.database
        return await (database.execute if query.into is None else database.fetch_one)(query, *parameters)

    with open_client(app) as client:
        run = client.portal.call
        dialect = auth.services.database.dialect
        run(act, VENDORS)
        for statement in guard_profile_table("vendors", dialect):
            run(act, Query(postgresql=statement, sqlite=statement))
        tokens = register(client, entity_type="vendor", profile={"number": 42})
        hello = client.get("/hello", headers=bearer(tokens)).json()
        taken = client.post(
            "/auth/v1/register",
            json={"email": "b@example.org", "password": ACCOUNT["password"], "entity_type": "vendor",
                  "profile": {"number": 42}},
        )  # fmt: skip
        counts = run(act, COUNT), run(act, IDENTITIES)
        run(act, Query("DELETE FROM vendors WHERE id = $1"), 42)
        after = run(act, COUNT), run(act, IDENTITIES)

    assert hello == "42"
    assert (taken.status_code, taken.json()["code"]) == (409, "identifier_taken")
    assert (counts, after) == ((1, 1), (0, 0))


WAITS = {
    "aiosmtplib",
    "asyncpg",
    "email_validator",
    "httpx2",
    "jsonschema",
    "phonenumbers",
    "redis",
    "sqlite3",
    "sqlalchemy",
}
LIST = "import sys, ostiary.app; print('\\n'.join(sys.modules))"


def test_what_only_some_need_is_loaded_when_it_is_needed():
    """A command, a worker or a function that starts loads no driver, no client and no table of telephone numbers."""
    run = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, check=True)

    assert {name.partition(".")[0] for name in run.stdout.split()} & WAITS == set()
