"""Tokens of providers are in the hands of whoever asked for them, and nowhere else (VLT-03, REC-05)."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest
from tests.hostile_provider import OUTBOUND, TOKEN, Answer, HostileProvider
from tests.listener import Listener
from tests.vaulted import READER, credential, read

from ostiary.features.vault import parse_account_id
from ostiary.foundation.crypto import CannotOpen
from ostiary.foundation.storage import Query
from ostiary.testing import auth_for_tests

pytestmark = pytest.mark.anyio

# Whatever an operator or an owner can look at.
OF_OWNER = ("", "/accounts", "/sessions", "/login-history", "/audit", "/devices", "/factors", "/export")
OF_OPERATOR = (
    *("identities", "identities/{id}", "identities/{id}/sessions", "identities/{id}/login-history"),
    *("sessions", "audit?limit=100", "stats", "service-credentials", "keys", "maintenance", "revocations"),
    *("outbox?state=pending", "outbox?state=delivered", "outbox?state=dead", "webhook-endpoints"),
)


class Talkative(HostileProvider):
    """A provider that remembers every secret it gave away."""

    def __init__(self) -> None:
        super().__init__()
        self.given: set[str] = set()

    def id_token(self, *args, **more):
        made = super().id_token(*args, **more)
        self.given.add(made)
        return made

    @property
    def secrets(self) -> set[str]:
        """Every token it gave, and what it knows us by."""
        return {self.client_secret, *self._access, *self._refresh, *self._codes, *self.given}


@pytest.fixture
async def provider():
    listening = Talkative()
    async with listening.listening():
        yield listening


@pytest.fixture
async def running(migrated_url, tmp_path, provider, redis):
    """An installation on either database, with Redis, that knows the provider and calls a webhook."""
    scopes = "openid email profile offline_access"
    async with auth_for_tests(
        database_url=migrated_url,
        data=tmp_path,
        redis_url=redis.url,
        outbound=OUTBOUND,
        providers={"acme": provider.settings(scopes=scopes)},
    ) as started:
        provider.clock = started.clock
        yield started


async def signed_in(running, provider, seen):
    """Sign in at the provider with a browser; keep what the browser saw, and return it."""
    transport = httpx2.ASGITransport(app=running.auth)
    async with httpx2.AsyncClient(transport=transport, base_url=running.auth.settings.public_url) as browser:
        gone = await browser.get("/v1/providers/acme/start")
        back = await browser.get(
            "/v1/providers/acme/callback", params=provider.approve(gone.headers["location"])
        )
        assert back.status_code == 200
        seen += [gone.text, str(gone.headers), back.text, str(back.headers)]
        for path in OF_OWNER:
            answer = await browser.get(f"/v1/me{path}")
            assert answer.status_code == 200, path
            seen += [answer.text, str(answer.headers)]
        return (await browser.get("/v1/me")).json()["identity"]["id"], (
            await browser.get("/v1/me/accounts")
        ).json()


async def dump(running, tmp_path) -> str:
    """Everything the database holds, as text and as bytes written in hexadecimal digits."""
    url = running.auth.settings.database
    if url.startswith("sqlite:"):
        files = Path(urlsplit(url).path).parent.glob("ostiary.db*")
        content = b"".join(file.read_bytes() for file in files)
        return content.decode("latin-1")
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'ostiary'")
        rows = [
            row[0]
            for (name,) in names
            for row in await connection.fetch(f'SELECT row_to_json(t)::text FROM ostiary."{name}" AS t')
        ]
    finally:
        await connection.close()
    return "\n".join(rows)


def logged(caplog, own):
    """What was logged, except by the client that the test itself is a browser with."""
    return "\n".join(
        f"{record.getMessage()} {record.exc_text or ''}"
        for record in caplog.records
        if not (record.name.startswith("httpx2") and own in record.getMessage())
    )


async def looked_at(client, headers, whose):
    """Everything an operator sees."""
    found = []
    for path in OF_OPERATOR:
        answer = await client.get(f"/v1/admin/{path}".replace("{id}", whose), headers=headers)
        assert answer.status_code == 200, path
        found.append(answer.text)
    return [*found, (await client.get("/metrics")).text]


async def failures(running, provider, account_id):
    """What is said when a provider talks nonsense, and when a token does not open."""
    said = []
    running.move(minutes=59, seconds=30)
    provider.bends.answers[TOKEN] = Answer(400, f'{{"error": "{next(iter(provider._access))}"}}'.encode())
    await read(running, account_id)
    running.move(minutes=1)
    with pytest.raises(Exception, match="provider") as unavailable:
        await read(running, account_id)
    said += [repr(unavailable.value), str(unavailable.value), str(unavailable.getrepr(showlocals=True))]
    provider.bends.answers.clear()
    running.move(minutes=5)
    await running.auth.services.database.execute(
        Query("UPDATE ostiary.linked_accounts SET refresh_token = id_token, access_token_expires_at = $1"),
        running.clock.now(),
    )
    with pytest.raises(CannotOpen) as closed:
        await read(running, account_id)
    return [*said, repr(closed.value), str(closed.value), str(closed.getrepr(showlocals=True))]


async def test_vlt_03_rec_05_no_token_of_a_provider_is_anywhere_but_with_its_reader(
    running, provider, client, redis, caplog, tmp_path
):
    """Not in answers, pages, logs, records, exports, mail, webhooks, metrics, errors, Redis or the database."""
    caplog.set_level(logging.DEBUG)
    operator = await running.operator()
    hook, seen = Listener(), []
    async with hook.listening():
        await client.post(
            "/v1/admin/webhook-endpoints",
            json={"url": f"{hook.url}/hook", "events": ["*"]},
            headers=operator.headers,
        )
        whose, accounts = await signed_in(running, provider, seen)
        await signed_in(running, provider, seen)
        (account,) = accounts
        account_id = parse_account_id(account["id"])
        _, secret = await credential(running, "vault:read", "vault:list")
        headers = {"Authorization": f"Bearer {secret.reveal()}"}
        given = await client.post(
            f"/v1/vault/{account['id']}/token", json={"reason": "a canary"}, headers=headers
        )
        listed = await client.get("/v1/vault/accounts", params={"identity": whose}, headers=headers)
        seen += await looked_at(client, operator.headers, whose)
        live_tokens = running.auth.services.live_tokens
        kept = await live_tokens._claims.kept(account_id, now=running.clock.now())
        live = await live_tokens.access_token(account_id, reader=READER, now=running.clock.now())
        seen += await failures(running, provider, account_id)
        await running.deliver()
    seen += [sent.text + (sent.html or "") + (sent.subject or "") for sent in running.sent]
    seen += [f"{each.line} {each.headers} {each.body!r}" for each in hook.asked]
    seen += [listed.text, repr(live), repr(kept), str(live), redis.content().decode("latin-1")]
    seen.append(logged(caplog, running.auth.settings.public_url))
    stored = await dump(running, tmp_path)

    assert given.json()["access_token"] in provider.secrets
    assert len(provider.secrets) >= 6
    assert hook.asked
    assert "acme" in stored
    for number, text in enumerate([*seen, stored]):
        found = [token for token in provider.secrets if token in text or token.encode().hex() in text]
        assert found == [], (number, text[:200])
