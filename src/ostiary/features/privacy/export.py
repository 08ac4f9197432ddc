"""The export: everything the tables hold about a person, and no secret, written piece by piece.

History and records may be long, so they are read and written in pages. What others did is told without who they are.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from ostiary.features.audit import Action, EventFilter
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.privacy import store
from ostiary.features.sessions import external_session_id
from ostiary.features.vault import ACCOUNT_PREFIX
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from ostiary.features.audit import Audit, AuditLog, RecordedEvent
    from ostiary.features.identities import Identities, Identity
    from ostiary.features.outbox import Outbox
    from ostiary.features.privacy.model import PersonalDataHooks
    from ostiary.features.profiles import Profiles
    from ostiary.features.sessions import Caller
    from ostiary.foundation.storage import Database

_VERSION: Final = 1
_PAGE: Final = 200
_LAST_ID: Final = UUID(int=(1 << 128) - 1)
_LOGIN_PREFIX: Final = "lgn"


class Export(msgspec.Struct, frozen=True):
    """What an export says. Each list is in the order things happened, the two long ones with the newest first."""

    version: int
    exported_at: datetime
    identity: dict[str, Any]
    profile: dict[str, Any] | None
    roles: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    challenges: list[dict[str, Any]]
    authenticator_apps: list[dict[str, Any]]
    recovery_codes: list[dict[str, Any]]
    message_factors: list[dict[str, Any]]
    passkeys: list[dict[str, Any]]
    linked_accounts: list[dict[str, Any]]
    sign_ins_under_way: list[dict[str, Any]]
    remembered_devices: list[dict[str, Any]]
    factor_resets: list[dict[str, Any]]
    onboarding: list[dict[str, Any]]
    service_credentials: list[dict[str, Any]]
    revocations: list[dict[str, Any]]
    erasures: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    application: dict[str, Any]
    login_history: list[dict[str, Any]]
    audit_events: list[dict[str, Any]]


class PersonalExport:
    """Exports of one installation."""

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        profiles: Profiles,
        outbox: Outbox,
        audit: Audit,
        audit_log: AuditLog,
        hooks: PersonalDataHooks,
    ) -> None:
        self._database = database
        self._identities = identities
        self._profiles = profiles
        self._outbox = outbox
        self._audit = audit
        self._audit_log = audit_log
        self._hooks = hooks

    async def export(self, caller: Caller, *, now: datetime) -> AsyncGenerator[bytes]:
        """Record that the caller's data is exported, and return it as JSON in pieces, `Export` when put together.

        What is short is read before the first piece. Raises `IdentityNotFound`, and what the application's hooks raise.
        """
        identity = await self._identities.get(caller.identity_id)
        async with self._database.transaction() as tx:
            self._audit.record(tx, caller.event(Action.IDENTITY_EXPORTED), now=now)
        return self._pieces(identity, await self._short(identity, now))

    async def _short(self, identity: Identity, now: datetime) -> dict[str, Any]:
        document: dict[str, Any] = {"version": _VERSION, "exported_at": now}
        data = await self._database.fetch_one(store.IDENTITY, identity.id)
        document["identity"] = _written(data, IDENTITY_PREFIX)
        profile = await self._profiles.find(identity.entity_type, identity.id)
        document["profile"] = None if profile is None else _written(profile, identity.entity_id.split("_")[0])
        for name, part in store.PARTS.items():
            rows = await self._database.fetch_all(part.query, identity.id)
            document[name] = [_written(row, part.prefix) for row in rows]
        addresses = (identity.email, identity.phone)
        document["messages"] = [
            asdict(message) for message in await self._outbox.addressed_to(self._database, addresses)
        ]
        document["application"] = {}
        for hook in self._hooks.on_export:
            document["application"] |= await hook(identity)
        return document

    async def _pieces(self, identity: Identity, document: Mapping[str, Any]) -> AsyncGenerator[bytes]:
        yield msgspec.json.encode(document)[:-1]
        for name, rows in (
            ("login_history", self._logins(identity.id)),
            ("audit_events", self._events(identity.external_id)),
        ):
            yield b',"%s":[' % name.encode()
            separator = b""
            async for page in rows:
                yield separator + b",".join(msgspec.json.encode(row) for row in page)
                separator = b","
            yield b"]"
        yield b"}"

    async def _logins(self, identity_id: UUID) -> AsyncIterator[list[dict[str, Any]]]:
        before = _LAST_ID
        while page := await self._database.fetch_all(store.LOGINS, identity_id, before, _PAGE):
            yield [_written(row, _LOGIN_PREFIX) for row in page]
            before = page[-1].id

    async def _events(self, who: str) -> AsyncIterator[list[dict[str, Any]]]:
        matching, before = EventFilter(identity_id=who), None
        while page := await self._audit_log.list(matching, limit=_PAGE, before=before):
            yield [_event(event.as_seen_by(who)) for event in page]
            before = page[-1].id


def _written(row: Any, prefix: str) -> dict[str, Any]:
    """Write a row with its ids as they are shown outside."""
    values = asdict(row)
    ids = (("id", prefix), ("identity_id", IDENTITY_PREFIX), ("linked_account_id", ACCOUNT_PREFIX))
    for name, kind in ids:
        if isinstance(values.get(name), UUID):
            values[name] = format_id(kind, values[name])
    if isinstance(values.get("session_id"), UUID):
        values["session_id"] = external_session_id(values["session_id"])
    return values


def _event(event: RecordedEvent) -> dict[str, Any]:
    return {
        "id": event.external_id,
        "occurred_at": event.occurred_at,
        "action": event.action,
        "actor": {"kind": event.actor.kind, "id": event.actor.id},
        "target": {"kind": event.target_kind, "id": event.target_id},
        "session_id": external_session_id(event.session_id) if event.session_id else None,
        "ip_address": event.origin.ip_address,
        "user_agent": event.origin.user_agent,
        "success": event.success,
        "reason": event.reason,
        "metadata": event.metadata,
        "personal": event.personal,
    }
