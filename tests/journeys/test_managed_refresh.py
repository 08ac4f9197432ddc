"""Live tokens of accounts whose provider keeps the passwords: refreshed by the provider's own call, without a token endpoint."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest
from joserfc import jwt
from tests.password_providers import LOOPBACK, FirebaseStandIn, MotoPool, User, moto_server

from ostiary.features.live_tokens import TokenReason, TokenRefused
from ostiary.features.upstream import UpstreamUnavailable
from ostiary.features.vault import parse_account_id
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
PASSWORD = "Analytical-Engine-1843"
WHY = "to read their files"
CHEAP = {"weak_hash_for_tests": True, "memory_kib": 8, "time_cost": 1}


@pytest.fixture(scope="module")
def moto():
    with moto_server() as url:
        yield url


@pytest.fixture
def pool(moto):
    return MotoPool(moto, has_secret=False)


@pytest.fixture
async def firebase():
    async with FirebaseStandIn().listening() as opened:
        yield opened


@pytest.fixture
def installed(migrated_url, tmp_path):
    """Start an installation on either database that knows one provider."""

    @asynccontextmanager
    async def started(name, **wanted):
        async with auth_for_tests(
            database_url=migrated_url,
            data=tmp_path,
            passwords=CHEAP,
            providers={name: wanted},
            outbound={"allowed_networks": LOOPBACK},
        ) as running:
            transport = httpx2.ASGITransport(app=running.auth)
            at = running.auth.settings.public_url
            async with httpx2.AsyncClient(transport=transport, base_url=at) as client:
                yield running, client

    return started


def of_cognito(pool):
    return {
        "client_id": pool.client_id,
        "issuer": pool.issuer,
        "jwks_uri": pool.jwks_uri,
        "managed": True,
        "managed_endpoint": pool.url,
    }


def of_firebase(stand_in):
    return {
        "client_id": stand_in.PROJECT,
        "api_key": stand_in.API_KEY,
        "managed_endpoint": f"{stand_in.url}/v1",
        "jwks_uri": f"{stand_in.url}/jwks",
    }


async def sign_up(client, name):
    """Make somebody at the provider, and confirm them."""
    at = f"/v1/providers/{name}/register"
    made = await client.post(at, json={"email": EMAIL, "password": PASSWORD})
    assert made.status_code == 202, made.text
    code = "code-1" if name == "firebase" else "123456"
    confirmed = await client.post(f"{at}/confirm", json={"email": EMAIL, "code": code})
    assert confirmed.status_code == 204, confirmed.text


async def sign_in(running, client, name):
    """Sign in with a password that the provider keeps; return the id of the linked account."""
    answer = await client.post(
        f"/v1/providers/{name}/login", json={"identifier": EMAIL, "password": PASSWORD}
    )
    assert answer.status_code == 200, answer.text
    return await only_account(running, answer)


async def only_account(running, answer):
    [account] = await running.auth.vault.accounts(answer.json()["identity"]["id"])
    return account.external_id


async def account_of(running, account):
    return await running.auth.services.vault.find(running.auth.services.database, parse_account_id(account))


async def read(running, account):
    return await running.auth.vault.access_token(account, reason=WHY)


async def refusal(running, account):
    with pytest.raises(TokenRefused) as refused:
        await read(running, account)
    return refused.value.reason


async def test_a_token_of_cognito_is_refreshed_near_its_end(installed, pool):
    """Good as it is at first; near its end a fresh one is got with the refresh token, which Cognito does not replace."""
    async with installed("cognito", **of_cognito(pool)) as (running, client):
        await sign_up(client, "cognito")
        account = await sign_in(running, client, "cognito")
        first = await read(running, account)
        running.move(minutes=59, seconds=30)
        second = await read(running, account)
        kept = await account_of(running, account)

    assert second.access_token != first.access_token
    assert second.expires_at == first.expires_at + timedelta(minutes=59, seconds=30)
    assert kept.has_refresh_token


async def test_a_grant_that_cognito_has_ended_needs_reconnection(installed, pool):
    """Signed out everywhere at the provider: the refresh token is dead, and nobody asks with it again."""
    async with installed("cognito", **of_cognito(pool)) as (running, client):
        await sign_up(client, "cognito")
        account = await sign_in(running, client, "cognito")
        pool.sign_out(EMAIL)
        running.move(hours=1)
        reasons = [await refusal(running, account) for _ in range(2)]

    assert reasons == [TokenReason.NEEDS_RECONNECTION] * 2


async def test_a_setting_that_cognito_does_not_take_ends_no_grant(installed, moto):
    """A client secret that does not fit is the operator's to mend: no token for now, and the account stays connected."""
    pool = MotoPool(moto)
    wanted = of_cognito(pool) | {"client_secret": pool.client_secret}
    async with installed("cognito", **wanted) as (running, client):
        await sign_up(client, "cognito")
        # moto wants the hash over the name that was typed, where Cognito wants the user's.
        account = await sign_in(running, client, "cognito")
        running.move(hours=1)
        with pytest.raises(UpstreamUnavailable):
            await read(running, account)

        assert not (await account_of(running, account)).needs_reconnection


async def test_a_token_of_firebase_is_got_when_it_is_read(installed, firebase):
    """Firebase gives no access token for a password; the refresh token gives one, until the account is turned off."""
    wanted = of_firebase(firebase) | {"managed": True}
    async with installed("firebase", **wanted) as (running, client):
        await sign_up(client, "firebase")
        account = await sign_in(running, client, "firebase")
        first = await read(running, account)
        same = await read(running, account)
        firebase.users[EMAIL].is_disabled = True
        running.move(hours=1)
        reason = await refusal(running, account)

    assert jwt.decode(first.access_token.reveal(), firebase.key).claims["email"] == EMAIL
    assert same.access_token == first.access_token
    assert reason is TokenReason.NEEDS_RECONNECTION


async def test_what_an_application_brings_from_firebase_is_refreshed_with_the_key(installed, firebase):
    """Its passwords are not asked for here, and its tokens are refreshed all the same."""
    async with installed("firebase", **of_firebase(firebase)) as (running, client):
        firebase.users[EMAIL] = User(EMAIL, PASSWORD, is_confirmed=True)
        brought = firebase.tokens(EMAIL)
        answer = await client.post(
            "/v1/providers/firebase/token",
            json={"id_token": brought["idToken"], "refresh_token": brought["refreshToken"]},
        )
        assert answer.status_code == 200, answer.text
        live = await read(running, await only_account(running, answer))

    assert jwt.decode(live.access_token.reveal(), firebase.key).claims["email"] == EMAIL


async def test_fed_01_a_refresh_that_speaks_of_somebody_else_is_not_kept(installed, firebase):
    """The ID token of a refresh is verified as any other is, and is about the same account, or nothing of it is kept."""
    wanted = of_firebase(firebase) | {"managed": True}
    async with installed("firebase", **wanted) as (running, client):
        await sign_up(client, "firebase")
        account = await sign_in(running, client, "firebase")
        firebase.users["eve@example.org"] = User("eve@example.org", PASSWORD)
        firebase.refresh_tokens["a-refresh-token"] = "eve@example.org"
        with pytest.raises(UpstreamUnavailable):
            await read(running, account)

        assert not (await account_of(running, account)).has_access_token
