"""Clients whose passwords a managed provider keeps: they are here as soon as they sign in, against moto's Cognito."""

from __future__ import annotations

import pytest
from tests.password_providers import LOOPBACK, MotoPool, moto_server

pytestmark = pytest.mark.anyio

EMAIL, UPSTREAM = "ada@example.org", "Analytical-Engine-1843"
LOGIN = {"entity_type": "client", "identifier": EMAIL, "password": UPSTREAM}
AT = "/auth/v1/providers/cognito"


@pytest.fixture(scope="module")
def moto():
    with moto_server() as url:
        yield url


@pytest.fixture
def pool(moto):
    return MotoPool(moto)


@pytest.fixture
def environment(pool):
    """The README's settings for Cognito, and where moto stands in for it."""
    settings = {
        "ISSUER": pool.issuer,
        "CLIENT_ID": pool.client_id,
        "CLIENT_SECRET": pool.client_secret,
        "MANAGED": "true",
        "ENTITY_TYPES": "client",
        "AUTHORITATIVE_DOMAINS": "*",
        "MANAGED_ENDPOINT": pool.url,
        "JWKS_URI": pool.jwks_uri,
    }
    cognito = {f"OSTIARY_PROVIDERS__COGNITO__{name}": value for name, value in settings.items()}
    return cognito | {"OSTIARY_OUTBOUND__ALLOWED_NETWORKS": LOOPBACK}


@pytest.fixture
async def known_there(practice, pool):
    """Ada has an account at the provider, and none here."""
    account = {
        "email": EMAIL,
        "password": UPSTREAM,
        "entity_type": "client",
        "profile": {"display_name": "Ada"},
    }
    assert (await practice.post(f"{AT}/register", account)).status_code == 202
    confirmation = {"email": EMAIL, "code": "123456", "entity_type": "client"}
    assert (await practice.post(f"{AT}/register/confirm", confirmation)).status_code == 204
    pool.verify_email(EMAIL)
    return practice


async def test_s3_whoever_signs_in_for_the_first_time_becomes_a_client(known_there):
    """Identity, the practice's own row and the linked account are made by the sign-in, once."""
    practice = known_there
    before = await practice.count("clients")
    answers = [await practice.post(f"{AT}/login", LOGIN) for _ in range(2)]
    token = answers[1].json()["tokens"]["access_token"]
    card = await practice.client.get("/clients/me", headers={"Authorization": f"Bearer {token}"})

    assert before == 0
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await practice.count("clients"), await practice.count("ostiary.linked_accounts")) == (1, 1)
    assert card.json()["id"].startswith("cli_")
    assert answers[0].json()["identity"]["email_verified"]


async def test_s3_a_client_that_cannot_be_made_leaves_nothing(known_there):
    """Where the practice's own row fails, the provider's word makes nobody; later it does."""
    practice = known_there
    await practice.hide("clients")
    failed = await practice.post(f"{AT}/login", LOGIN)
    await practice.show("clients")
    left = [
        await practice.count(f"ostiary.{table}") for table in ("identities", "linked_accounts", "sessions")
    ]
    again = await practice.post(f"{AT}/login", LOGIN)

    assert (failed.status_code, left, again.status_code) == (500, [0, 0, 0], 200)


async def test_fed_09_the_provider_makes_no_therapist(known_there):
    """A licence is looked at by the practice: nobody becomes a therapist by another one's word."""
    answer = await known_there.post(f"{AT}/login", LOGIN | {"entity_type": "therapist"})

    assert 400 <= answer.status_code < 500
    assert await known_there.count("therapists") == 0
