"""Issuing, checking and revoking service credentials."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.audit import Action, Event
from ostiary.features.service_credentials import store
from ostiary.features.service_credentials.model import (
    CREDENTIAL_PREFIX,
    SCOPES,
    TOKEN_KIND,
    InvalidScope,
    Service,
    ServiceCredential,
    ServiceCredentialNotFound,
)
from ostiary.foundation.bearer import BearerSecret, InvalidBearerSecret
from ostiary.foundation.ids import format_id, new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from ostiary.features.audit import Actor, Audit
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_FIRST_ID: Final = UUID(int=0)
_NOTE_USE_EVERY: Final = timedelta(hours=1)


class ServiceCredentials:
    """The service credentials of one installation."""

    def __init__(self, database: Database, entropy: Entropy, *, audit: Audit) -> None:
        self._database = database
        self._entropy = entropy
        self._audit = audit

    async def issue(
        self,
        tx: Transaction,
        identity_id: UUID,
        scopes: Iterable[str],
        *,
        lifetime: timedelta | None,
        by: Actor,
        now: datetime,
    ) -> Secret:
        """Make a credential of a service and return it, the only time it is known. Raises `InvalidScope`."""
        wanted = sorted(set(scopes))
        if not wanted or not SCOPES.keys() >= set(wanted):
            raise InvalidScope
        token = BearerSecret.new(TOKEN_KIND, new_id(now, self._entropy), self._entropy)
        await tx.execute(
            store.ADD,
            token.id,
            identity_id,
            token.digest,
            wanted,
            now,
            by.id or by.kind,
            None if lifetime is None else now + lifetime,
        )
        self._record(tx, Action.SERVICE_CREDENTIAL_ISSUED, token.id, by, now)
        return token.text

    async def authenticate(self, presented: Secret, *, now: datetime) -> Service | None:
        """Return the service a credential belongs to, by one statement; None for anything that is not a live one."""
        try:
            token = BearerSecret.parse(TOKEN_KIND, presented)
        except InvalidBearerSecret:
            return None
        service = await self._database.fetch_one(store.AUTHENTICATE, token.id, token.digest, now)
        if service is not None and (
            service.last_used_at is None or now - service.last_used_at >= _NOTE_USE_EVERY
        ):
            await self._database.execute(store.USED, service.credential_id, now)
        return service

    async def list(self, *, limit: int, after: UUID | None = None) -> Sequence[ServiceCredential]:
        """Return up to `limit` credentials, revoked ones too, the oldest first, after the one with id `after`."""
        return await self._database.fetch_all(store.LIST, after or _FIRST_ID, limit)

    async def revoke(self, credential_id: UUID, *, by: Actor, now: datetime) -> None:
        """Kill a credential from its next use on. Raises `ServiceCredentialNotFound`."""
        async with self._database.transaction() as tx:
            if await tx.fetch_one(store.REVOKE, credential_id, now) is None:
                raise ServiceCredentialNotFound
            self._record(tx, Action.SERVICE_CREDENTIAL_REVOKED, credential_id, by, now)

    def _record(self, tx: Transaction, action: Action, credential_id: UUID, by: Actor, now: datetime) -> None:
        event = Event(
            action,
            by,
            target_kind="service_credential",
            target_id=format_id(CREDENTIAL_PREFIX, credential_id),
        )
        self._audit.record(tx, event, now=now)
