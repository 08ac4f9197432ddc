"""Accounts at a provider of a test's own, linked and with tokens, and what reads them."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from datetime import timedelta

from tests.hostile_provider import OUTBOUND, TOKEN, Grant, HostileProvider

from ostiary.features.audit import SYSTEM, Actor, EventFilter, Origin
from ostiary.features.live_tokens import Reader
from ostiary.features.registration import NewAccount
from ostiary.features.vault import LinkedBy, UpstreamTokens
from ostiary.foundation.ids import format_id, parse_id
from ostiary.foundation.secret import Secret
from ostiary.foundation.storage import Query

HOUR = timedelta(hours=1)
READER = Reader(Actor.identity("idn_00000000000000000000000001"), "to write into their calendar")
_numbers = itertools.count(1)


class RefreshingProvider(HostileProvider):
    """A plain OAuth 2 server whose answers about tokens wait for as long as `opened` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()
        self.opened.set()
        self.waiting = asyncio.Event()

    async def _write(self, answer, reader, writer):
        self.waiting.set()
        await self.opened.wait()
        await super()._write(answer, reader, writer)

    def installation(self, **more):
        """The settings of an installation that knows it as `acme`."""
        return {
            "providers": {"acme": self.oauth2_settings("oauth2", label="Acme", **more)},
            "outbound": OUTBOUND,
        }

    def grant(self, scope="calendar mail"):
        """Give a refresh token to somebody who agreed to it."""
        token = f"acme-refresh-first-{next(_numbers)}"
        self._refresh[token] = Grant("alice", scope=scope)
        return token

    @property
    def refreshes(self):
        """How often it was asked for a new token."""
        return sum(
            call.form.get("grant_type") == "refresh_token" for call in self.asked if call.path == TOKEN
        )


@asynccontextmanager
async def provider_listening():
    """A provider while the block lasts; whoever still waits then is answered."""
    provider = RefreshingProvider()
    async with provider.listening():
        try:
            yield provider
        finally:
            provider.opened.set()


async def linked(
    worker, source=None, *, name="ada", left=HOUR, linked_by=LinkedBy.INTENT, provider="acme", **changed
):
    """Link somebody's account at a provider, which grants it a refresh token if it is the `source`; return its id.

    Its access token lives for an hour, of which so much is `left`.
    """
    signed_in = await worker.signed_in(name)
    now = worker.clock.now()
    linked_at = now if left is None else now + left - HOUR
    tokens = UpstreamTokens(
        **{
            "access_token": Secret(f"acme-access-first-{next(_numbers)}"),
            "refresh_token": None if source is None else Secret(source.grant()),
            "access_token_expires_at": None if left is None else now + left,
            "scope": "calendar mail",
            "token_type": "Bearer",
        }
        | changed
    )
    async with worker.auth.services.database.transaction() as tx:
        return worker.auth.services.vault.link(
            tx,
            identity_id=parse_id("idn", signed_in.principal.identity_id),
            entity_type="user",
            provider=provider,
            provider_account_id=f"acme-{name}-{next(_numbers)}",
            profile={"name": "Ada"},
            linked_by=linked_by,
            tokens=tokens,
            now=linked_at,
        )


async def read(worker, account_id, reader=READER):
    """Read a live token, as somebody at the door would."""
    return await worker.auth.services.live_tokens.access_token(
        account_id, reader=reader, now=worker.clock.now()
    )


async def account_of(worker, account_id):
    """What is kept about an account, without its tokens."""
    return await worker.auth.services.vault.find(worker.auth.services.database, account_id)


async def tokens_of(worker, account_id):
    """The tokens that are kept, in the clear."""
    return await worker.auth.services.vault.tokens(worker.auth.services.database, account_id)


async def events(worker, action):
    """What was recorded of an action, the newest first."""
    return await worker.auth.services.audit_log.list(EventFilter(action=action), limit=100)


async def uses(worker, account_id, session_id):
    """Let a session be one that began with an account."""
    await worker.auth.services.database.execute(
        Query("UPDATE ostiary.sessions SET linked_account_id = $1 WHERE id = $2"), account_id, session_id
    )


async def credential(worker, *scopes, name="reports"):
    """Make a service; return its id and a credential of it."""
    services, now = worker.auth.services, worker.clock.now()
    account = NewAccount("service", f"{name}@example.org", None, None, {"display_name": name})
    made = await services.registration.create(account, by=SYSTEM, origin=Origin(), now=now)
    async with services.database.transaction() as tx:
        secret = await services.service_credentials.issue(
            tx, made.id, scopes, lifetime=None, by=SYSTEM, now=now
        )
    return format_id("idn", made.id), secret
