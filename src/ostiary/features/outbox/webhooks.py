"""Telling other systems what happened, in the form of Standard Webhooks.

A request carries `webhook-id`, `webhook-timestamp` and `webhook-signature`: whoever has the endpoint's secret can tell that
it is ours, fresh, and whether they have seen it before. An endpoint's secret is shown once.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from ostiary.features.outbox import store
from ostiary.features.outbox.errors import EndpointNotFound, InvalidEndpoint
from ostiary.features.outbox.model import MESSAGE_PREFIX, Endpoint, SigningEndpoint, Topic, is_pattern
from ostiary.features.outbox.sealing import opened, sealed
from ostiary.foundation.crypto import associated_data, mac, seal, unseal
from ostiary.foundation.errors import Undelivered
from ostiary.foundation.ids import format_id, new_id
from ostiary.foundation.outbound import OutboundFailed, OutboundRefused
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.outbox.model import Claimed
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.outbound import Outbound
    from ostiary.foundation.storage import Database, Transaction

    OnGone = Callable[[Transaction, Endpoint, datetime], None]

OVERLAP: Final = timedelta(days=1)
"""How long the secret before signs as well, after a rotation."""
_SECRET_SIZE: Final = 32
_OK: Final = range(200, 300)
_GONE: Final = 410
# Not who we are, or too often: no fault of this message.
_OF_ALL: Final = frozenset({401, 403, 404, 429})
_SERVER_ERROR: Final = 500
_LONGEST_URL: Final = 2000
_MOST_PATTERNS: Final = 100
TEST_EVENT: Final = "webhook.endpoint.tested"


class Webhooks:
    """The endpoints of one installation; `secret_key` seals their secrets, `key` the messages to them."""

    def __init__(
        self, database: Database, entropy: Entropy, *, key: bytes, secret_key: bytes, outbound: Outbound
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._key = key
        self._secret_key = secret_key
        self._outbound = outbound
        self.on_gone: OnGone | None = None
        """Called in the transaction that disables an endpoint which says that it is gone."""
        self.on_added: Callable[[Topic], None] | None = None
        """Called when messages to endpoints were written; set by whoever delivers."""

    async def add(
        self,
        tx: Transaction,
        url: str,
        *,
        events: Sequence[str],
        description: str | None,
        by: str | None,
        now: datetime,
    ) -> tuple[Endpoint, Secret]:
        """Make an endpoint; return it with its secret, which is never shown again. Raises `InvalidEndpoint`."""
        if len(url) > _LONGEST_URL:
            raise InvalidEndpoint("url", "The URL is longer than 2000 characters.")
        try:
            self._outbound.checked(url)
        except OutboundRefused as error:
            raise InvalidEndpoint("url", str(error)) from None
        if not 0 < len(events) <= _MOST_PATTERNS or not all(map(is_pattern, events)):
            raise InvalidEndpoint(
                "events",
                "Write each event as the reference does, identity.account.registered, identity.*, or *.",
            )
        endpoint_id, secret = new_id(now, self._entropy), self._new_secret()
        values = (url, description, [*events], self._sealed_secret(endpoint_id, secret), now, by)
        endpoint = await tx.fetch_one(store.ADD_ENDPOINT, endpoint_id, *values)
        if endpoint is None:
            raise EndpointNotFound
        return endpoint, _shown(secret)

    async def list(self) -> Sequence[Endpoint]:
        """Return every endpoint, the oldest first."""
        return await self._database.fetch_all(store.ENDPOINTS)

    async def get(self, endpoint_id: UUID) -> Endpoint:
        """Return an endpoint. Raises `EndpointNotFound`."""
        return _found(await self._database.fetch_one(store.ENDPOINT, endpoint_id))

    async def rotate(self, tx: Transaction, endpoint_id: UUID, *, now: datetime) -> tuple[Endpoint, Secret]:
        """Give an endpoint a new secret, which is shown once; the old one signs as well for a day.

        Raises `EndpointNotFound`.
        """
        secret = self._new_secret()
        sealed_secret = self._sealed_secret(endpoint_id, secret)
        rotated = await tx.fetch_one(store.ROTATE_SECRET, endpoint_id, sealed_secret, now + OVERLAP)
        return _found(rotated), _shown(secret)

    async def disable(self, tx: Transaction, endpoint_id: UUID, *, now: datetime) -> Endpoint | None:
        """Tell an endpoint nothing any more; None if nothing was told anyway, or it is not there."""
        return await tx.fetch_one(store.DISABLE_ENDPOINT, endpoint_id, now)

    async def enable(self, tx: Transaction, endpoint_id: UUID) -> Endpoint | None:
        """Tell an endpoint again what happens from now on; None if it is told anyway, or it is not there."""
        return await tx.fetch_one(store.ENABLE_ENDPOINT, endpoint_id)

    async def remove(self, tx: Transaction, endpoint_id: UUID) -> Endpoint:
        """Forget an endpoint and what waits for it. Raises `EndpointNotFound`."""
        return _found(await tx.fetch_one(store.REMOVE_ENDPOINT, endpoint_id))

    async def test(self, endpoint_id: UUID, *, now: datetime) -> None:
        """Call an endpoint now, with an event that says it is a test. Raises `EndpointNotFound`, `Undelivered`."""
        endpoint = await self._database.fetch_one(store.SIGNING_ENDPOINT, endpoint_id)
        if endpoint is None:
            raise EndpointNotFound
        body = msgspec.json.encode({"type": TEST_EVENT, "timestamp": now, "data": {}})
        message_id = format_id(MESSAGE_PREFIX, new_id(now, self._entropy))
        await self._call(endpoint, message_id, body, now)

    async def expand(self, claimed: Claimed, now: datetime) -> None:
        """Write one message to each endpoint that wants an event. Raises `CannotOpen`."""
        content = opened(self._key, claimed.id, claimed.payload_sealed)
        wanting = [endpoint for endpoint in await self.list() if endpoint.wants(claimed.subject)]
        if not wanting:
            return
        async with self._database.transaction() as tx:
            for endpoint in wanting:
                row_id = new_id(now, self._entropy)
                payload = sealed(self._key, row_id, content, entropy=self._entropy)
                dedupe_key = f"{claimed.id}:{endpoint.id}"
                tx.defer(store.ADD_WEBHOOK, row_id, claimed.subject, endpoint.id, payload, dedupe_key, now)
            if self.on_added is not None:
                tx.on_commit(partial(self.on_added, Topic.WEBHOOK))

    async def post(self, claimed: Claimed, now: datetime) -> None:
        """Tell one endpoint of one event. Raises `Undelivered`, `CannotOpen`."""
        if claimed.endpoint_id is None:
            raise Undelivered("It says nothing of where to.", is_final=True)
        body = msgspec.json.encode(opened(self._key, claimed.id, claimed.payload_sealed))
        endpoint = await self._database.fetch_one(store.SIGNING_ENDPOINT, claimed.endpoint_id)
        if endpoint is None or endpoint.disabled_at is not None:
            raise Undelivered("The endpoint is disabled.", is_final=True)
        await self._call(endpoint, format_id(MESSAGE_PREFIX, claimed.id), body, now)

    async def _call(self, endpoint: SigningEndpoint, message_id: str, body: bytes, now: datetime) -> None:
        timestamp = str(int(now.timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(
                signature(secret, message_id, timestamp, body) for secret in self._secrets(endpoint, now)
            ),
        }
        try:
            reply = await self._outbound.request("POST", endpoint.url, headers=headers, content=body)
        except (OutboundFailed, OutboundRefused) as error:
            raise Undelivered(str(error), is_outage=True) from None
        if reply.status == _GONE:
            await self._gone(endpoint.id, now)
            raise Undelivered("The endpoint said that it is gone, and was disabled.", is_final=True)
        if reply.status not in _OK:
            of_all = reply.status in _OF_ALL or reply.status >= _SERVER_ERROR
            raise Undelivered(f"The endpoint answered {reply.status}.", is_outage=of_all)

    async def _gone(self, endpoint_id: UUID, now: datetime) -> None:
        async with self._database.transaction() as tx:
            endpoint = await self.disable(tx, endpoint_id, now=now)
            if endpoint is not None and self.on_gone is not None:
                self.on_gone(tx, endpoint, now)

    def _secrets(self, endpoint: SigningEndpoint, now: datetime) -> Sequence[bytes]:
        """Return the secrets that sign now, the newest first."""
        sealed_secrets = [endpoint.secret_sealed]
        if (
            endpoint.previous_secret_sealed
            and endpoint.previous_expires_at
            and now < endpoint.previous_expires_at
        ):
            sealed_secrets.append(endpoint.previous_secret_sealed)
        return [unseal(self._secret_key, each, _place(endpoint.id)) for each in sealed_secrets]

    def _new_secret(self) -> bytes:
        return self._entropy.token_bytes(_SECRET_SIZE)

    def _sealed_secret(self, endpoint_id: UUID, secret: bytes) -> bytes:
        return seal(self._secret_key, secret, _place(endpoint_id), entropy=self._entropy)


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Sign a message as Standard Webhooks says: `v1,` and the base64 of HMAC-SHA256 over id, timestamp and body."""
    signed = mac(secret, b".".join((message_id.encode(), timestamp.encode(), body)))
    return f"v1,{base64.b64encode(signed).decode()}"


def _shown(secret: bytes) -> Secret:
    return Secret(f"whsec_{base64.b64encode(secret).decode()}")


def _place(endpoint_id: UUID) -> bytes:
    return associated_data("webhook_endpoints", "secret", endpoint_id)


def _found(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise EndpointNotFound
    return endpoint
