"""How many times each hot request asks the database: the budget every later change must keep.

Counted at the door, so limits, guards and answers are in it. One statement is one round trip, and so are BEGIN
and COMMIT.
"""

from __future__ import annotations

import pytest
from tests.doubles import CountingDatabase

from ostiary import app
from ostiary.foundation.storage import database_at
from ostiary.testing import auth_for_tests
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"


@pytest.fixture
async def auth(migrated_url, tmp_path, monkeypatch):
    """A running installation whose database counts, and whose background work stays quiet."""
    monkeypatch.setattr(
        app, "database_at", lambda *args, **options: CountingDatabase(database_at(*args, **options))
    )
    quiet = {"poll_interval": "1h", "max_age": "1h"}
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, revocation=quiet) as running:
        yield running.auth


@pytest.fixture
async def tokens(client):
    """The tokens of somebody who has just registered."""
    answer = await client.post("/v1/register", json={"email": EMAIL, "password": PASSWORD})
    return answer.json()["tokens"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "trips"),
    [
        # The limit by address; reserving the attempt; the roles; all that a session is; the identity shown.
        ("POST", "/v1/login", {"identifier": EMAIL, "password": PASSWORD}, 200, 5),
        ("POST", "/v1/login", {"identifier": EMAIL, "password": "not the right phrase"}, 401, 3),
        ("POST", "/v1/login", {"identifier": "nobody@example.org", "password": PASSWORD}, 401, 3),
        # The limit by address, and the ceremony; nobody is looked for (PK-07).
        ("POST", "/v1/login/passkey/options", {}, 200, 2),
        ("POST", "/v1/refresh", {"refresh_token": "{refresh_token}"}, 200, 1),
        ("POST", "/v1/refresh", {"refresh_token": "of nobody"}, 401, 0),
        ("GET", "/v1/me", None, 200, 3),
        ("GET", "/v1/me/sessions", None, 200, 1),
        ("GET", "/v1/me/login-history", None, 200, 1),
        # The events, and the keys to what is personal in them.
        ("GET", "/v1/me/audit", None, 200, 2),
        ("POST", "/v1/token/introspect", "token={access_token}", 200, 0),
        ("GET", "/.well-known/jwks.json", None, 200, 0),
    ],
)
async def test_a_request_asks_the_database_so_often(auth, client, tokens, method, path, body, status, trips):
    """The number of round trips is known, and the same on both databases."""
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    if isinstance(body, str):
        content, kind = body.format(**tokens).encode(), "application/x-www-form-urlencoded"
        sent = {"content": content, "headers": headers | {"Content-Type": kind}}
    else:
        filled = {name: value.format(**tokens) for name, value in body.items()} if body else None
        sent = {"json": filled, "headers": headers}
    auth.services.database.reset()

    answer = await client.request(method, path, **sent)

    assert answer.status_code == status
    assert auth.services.database.round_trips == trips


async def test_a_retried_refresh_is_one_round_trip(auth, client, tokens):
    """A client that repeats a refresh within the grace time costs what the first one did."""
    body = {"refresh_token": tokens["refresh_token"]}
    first = await client.post("/v1/refresh", json=body)
    auth.services.database.reset()

    again = await client.post("/v1/refresh", json=body)

    assert again.json()["refresh_token"] == first.json()["refresh_token"]
    assert auth.services.database.round_trips == 1


async def test_a_token_check_is_no_round_trip(auth, tokens):
    """Whoever holds an access token is known without asking anybody, the first time too."""
    auth.services.database.reset()

    assert auth.verify(tokens["access_token"]).entity_type == "user"
    assert auth.services.database.round_trips == 0
