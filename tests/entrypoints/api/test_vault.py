"""The vault's door: services read live tokens there, and nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.factories import count
from tests.vaulted import HOUR, account_of, credential, events, linked, provider_listening, read, tokens_of

from ostiary.features.audit import APPLICATION, SYSTEM
from ostiary.features.live_tokens import TokenRefused
from ostiary.foundation.ids import InvalidId, format_id
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

BODY = {"reason": "to write into their calendar"}
READ = "linked_account:token:read"


@pytest.fixture
async def provider():
    async with provider_listening() as listening:
        yield listening


@pytest.fixture
async def running(migrated_url, tmp_path, provider):
    """A started installation on either database that knows the provider."""
    async with auth_for_tests(database_url=migrated_url, data=tmp_path, **provider.installation()) as started:
        yield started


@pytest.fixture
async def service(running):
    """What a service with every scope of the vault sends along."""
    _, secret = await credential(running, "vault:read", "vault:list")
    return {"Authorization": f"Bearer {secret.reveal()}"}


def path_of(account_id):
    return f"/v1/vault/{format_id('acc', account_id)}/token"


async def test_vlt_03_a_service_reads_a_live_token(running, client, provider):
    """It is told the token, for how long it is good and for what; no cache keeps it, and the log names the service."""
    service_id, secret = await credential(running, "vault:read")
    account_id = await linked(running, provider, left=timedelta(seconds=5))

    answer = await client.post(
        path_of(account_id),
        json=BODY | {"scope": "mail"},
        headers={"Authorization": f"Bearer {secret.reveal()}"},
    )

    kept = await tokens_of(running, account_id)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "access_token": kept.access_token.reveal(),
        "token_type": "Bearer",
        "expires_in": 3600,
        "expires_at": (running.clock.now() + HOUR).isoformat().replace("+00:00", "Z"),
        "scope": "calendar mail",
        "account": format_id("acc", account_id),
        "provider": "acme",
    }
    (event,) = await events(running, READ)
    assert (event.actor.kind, event.actor.id) == ("identity", service_id)
    assert event.origin.ip_address is not None


@pytest.mark.parametrize("scopes", [["vault:list"], ["tokens:introspect", "revocations:read"]])
async def test_vlt_03_a_credential_for_something_else_reads_nothing(running, client, scopes):
    """Only the scope `vault:read` opens the vault."""
    account_id = await linked(running)
    _, secret = await credential(running, *scopes)

    answer = await client.post(
        path_of(account_id), json=BODY, headers={"Authorization": f"Bearer {secret.reveal()}"}
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert await events(running, READ) == []


async def test_vlt_03_no_user_and_no_operator_reads_a_token(running, client):
    """Neither the owner nor an operator nor somebody unknown is a service."""
    account_id = await linked(running)
    owner, operator = await running.signed_in("ada"), await running.operator()

    answers = [
        await client.post(path_of(account_id), json=BODY, headers=headers)
        for headers in (owner.headers, operator.headers, {})
    ]
    listed = [
        await client.get(
            "/v1/vault/accounts", params={"identity": owner.principal.identity_id}, headers=headers
        )
        for headers in (owner.headers, operator.headers, {})
    ]

    assert [answer.status_code for answer in answers + listed] == [401] * 6
    assert await count(running.auth, "linked_accounts", "last_used_at <> created_at") == 0


async def test_vlt_03_a_revoked_credential_reads_nothing(running, client, service):
    """It is dead from its next use on."""
    account_id = await linked(running)
    services, now = running.auth.services, running.clock.now()
    (known,) = await services.service_credentials.list(limit=2)
    await services.service_credentials.revoke(known.id, by=SYSTEM, now=now)

    answer = await client.post(path_of(account_id), json=BODY, headers=service)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "x" * 201}, {"reason": "a\u0007b"}, BODY | {"why": "x"}]
)
async def test_vlt_03_whoever_reads_says_why(running, client, service, body):
    """A request without a reason that a log can show is refused."""
    account_id = await linked(running)

    answer = await client.post(path_of(account_id), json=body, headers=service)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert await events(running, READ) == []


async def test_what_is_not_to_be_had_says_what_to_do(running, client, service, provider):
    """Each refusal has a code a program can act on, and says no token."""
    gone = await linked(running, access_token=None)
    ended = await linked(running, provider, left=-HOUR)
    down = await linked(running, provider, left=-HOUR)
    provider.revoke("alice")

    answers = [
        await client.post(path, json=body, headers=service)
        for path, body in (
            ("/v1/vault/acc_00000000000000000000000001/token", BODY),
            ("/v1/vault/nonsense/token", BODY),
            (path_of(gone), BODY),
            (path_of(ended), BODY),
            (path_of(await linked(running)), BODY | {"scope": "admin"}),
        )
    ]
    provider.down = True
    unavailable = await client.post(path_of(down), json=BODY, headers=service)

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (404, "not_found"),
        (404, "not_found"),
        (409, "no_tokens"),
        (409, "needs_reconnection"),
        (409, "scope_not_granted"),
    ]
    assert (unavailable.status_code, unavailable.json()["code"]) == (503, "unavailable")
    assert int(unavailable.headers["retry-after"]) >= 1


async def test_a_service_finds_the_accounts_of_somebody(running, client, service):
    """It is told which there are and what they are good for, and no token; that it asked is recorded."""
    account_id = await linked(running)
    account = await account_of(running, account_id)
    whose = format_id("idn", account.identity_id)

    answer = await client.get("/v1/vault/accounts", params={"identity": whose}, headers=service)

    (told,) = answer.json()["accounts"]
    assert (told["id"], told["provider"], told["scope"]) == (account.external_id, "acme", "calendar mail")
    assert (told["has_access_token"], told["has_refresh_token"]) == (True, False)
    assert (await tokens_of(running, account_id)).access_token.reveal() not in answer.text
    (event,) = await events(running, "identity:linked_accounts:read")
    assert event.target_id == whose


async def test_an_application_reads_for_itself(running, provider):
    """Its own code is given a live token by the account's id, and the log says that it was the application."""
    account_id = await linked(running, provider)
    account = await account_of(running, account_id)
    vault = running.auth.vault

    (found,) = await vault.accounts(format_id("idn", account.identity_id))
    live = await vault.access_token(found.external_id, reason="nightly synchronisation", scope="mail")

    (event,) = await events(running, READ)
    assert event.actor == APPLICATION
    assert event.personal == {"why": "nightly synchronisation"}
    assert live == await read(running, account_id)
    with pytest.raises(InvalidId):
        await vault.access_token("somebody", reason="a guess")
    with pytest.raises(TokenRefused):
        await vault.access_token(found.external_id, reason="too much", scope="admin")


async def test_the_application_erases_an_accounts_tokens(running, provider):
    """They are gone, the account stays linked, and the log says who erased them; of nobody's account it says so."""
    account_id = await linked(running, provider)
    account = format_id("acc", account_id)

    await running.auth.vault.clear(account)

    with pytest.raises(TokenRefused):
        await running.auth.vault.access_token(account, reason="too late")
    assert (await tokens_of(running, account_id)).access_token is None
    assert (await account_of(running, account_id)).id == account_id
    (event,) = await events(running, "linked_account:tokens:cleared")
    assert event.actor == APPLICATION
    with pytest.raises(TokenRefused):
        await running.auth.vault.clear("acc_01h455vb4pex5vsknk084sn02q")
