"""Signing in with a password: one statement, one hash, and one statement more that makes all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ostiary.features.audit import NOBODY, Action, Actor, Event, Login, Origin
from ostiary.features.flows import Proof
from ostiary.features.identities import (
    IDENTITY_PREFIX,
    Attempt,
    Credentials,
    InvalidAddress,
    parse_identifier,
)
from ostiary.features.outbox import Template
from ostiary.features.passwords import PasswordHash
from ostiary.features.sessions import EndReason
from ostiary.features.sign_in.model import PasswordSignIn, Refusal, Refused, refusal
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.flows import FactorRequired, Flows, SignedIn
    from ostiary.features.identities import EntityTypes, Identities
    from ostiary.features.outbox import Outbox
    from ostiary.features.passwords import Passwords
    from ostiary.features.sessions import Sessions
    from ostiary.foundation.storage import Database

_PROOF: Final = Proof("password", ("pwd",))


class SignIn:
    """The sign-in of one installation."""

    def __init__(
        self,
        database: Database,
        *,
        entity_types: EntityTypes,
        identities: Identities,
        passwords: Passwords,
        sessions: Sessions,
        flows: Flows,
        outbox: Outbox,
        audit: Audit,
    ) -> None:
        self._database = database
        self._entity_types = entity_types
        self._identities = identities
        self._passwords = passwords
        self._sessions = sessions
        self._flows = flows
        self._outbox = outbox
        self._audit = audit

    async def with_password(
        self, attempt: PasswordSignIn, *, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired | Refused:
        """Sign somebody in, say what is still missing, or why not.

        Raises `UnknownEntityType`, `HashingOverloaded`, `UnacceptablePassword` for a new password, and
        `SignInOvertaken` when the account changed meanwhile.
        """
        self._entity_types.get(attempt.entity_type)
        reserved = await self._reserve(attempt, now)
        if not reserved.granted:
            return await self._refuse(Refusal.LOCKED, reserved, origin, now)
        credentials = reserved.credentials
        stored = _stored(credentials) if credentials else None
        verification = await self._passwords.verify(attempt.password, stored)
        reason = refusal(credentials, password_matches=verification.valid)
        if credentials is None or reason is not None:
            return await self._refuse(reason or Refusal.UNKNOWN_IDENTIFIER, reserved, origin, now)
        if credentials.must_change_password:
            return await self._change_and_start(attempt, credentials, reserved, origin, now)
        facts = await self._flows.facts(self._database, credentials.id, device=attempt.device, now=now)
        rehashed = await self._passwords.hash(attempt.password) if verification.needs_rehash else None
        async with self._database.transaction() as tx:
            if rehashed is not None:
                await self._identities.rehash_password(
                    tx, credentials, text=rehashed.text, scheme=rehashed.scheme, now=now
                )
            return await self._flows.enter(tx, credentials, _PROOF, origin=origin, facts=facts, now=now)

    async def _reserve(self, attempt: PasswordSignIn, now: datetime) -> Attempt:
        try:
            identifier = parse_identifier(attempt.identifier)
        except InvalidAddress:
            # Nobody can hold it, so there is nothing to guess; the hash below still costs the same.
            return Attempt(granted=True, credentials=None, locked_until=None)
        return await self._identities.reserve_attempt(attempt.entity_type, identifier, now=now)

    async def _change_and_start(
        self,
        attempt: PasswordSignIn,
        credentials: Credentials,
        reserved: Attempt,
        origin: Origin,
        now: datetime,
    ) -> SignedIn | FactorRequired | Refused:
        """Set the new password a required change demands; every older session ends with the old one (PWD-08).

        Not where a second factor is asked for: whoever else knows the old password would change it before showing one.
        There a reset changes it.
        """
        facts = await self._flows.facts(self._database, credentials.id, now=now)
        is_enough = self._flows.is_password_enough(credentials.entity_type, facts)
        if attempt.new_password is None or not is_enough:
            return await self._refuse(Refusal.PASSWORD_CHANGE_REQUIRED, reserved, origin, now)
        self._passwords.check(attempt.new_password, context=_context(credentials))
        hashed = await self._passwords.hash(attempt.new_password)
        async with self._database.transaction() as tx:
            locked = await self._identities.lock_for_change(tx, credentials.id)
            if locked != credentials:
                return Refused(Refusal.WRONG_PASSWORD)
            await self._identities.set_password(
                tx, credentials.id, text=hashed.text, scheme=hashed.scheme, now=now
            )
            self._outbox.notify(tx, credentials.recipient, Template.PASSWORD_CHANGED, now=now)
            self._audit.record(tx, _event(Action.IDENTITY_PASSWORD_CHANGED, credentials.id, origin), now=now)
            epoch = await self._sessions.end_all(
                tx, credentials.id, reason=EndReason.PASSWORD_CHANGED, now=now
            )
            renewed = replace(credentials, token_epoch=epoch)
            return await self._flows.enter(tx, renewed, _PROOF, origin=origin, now=now)

    async def _refuse(self, reason: Refusal, reserved: Attempt, origin: Origin, now: datetime) -> Refused:
        """Record a failure, with the same statements whoever it concerns."""
        identity_id = reserved.credentials.id if reserved.credentials else None
        login = Login(
            identity_id, None, method=_PROOF.method, success=False, failure_reason=reason, origin=origin
        )
        event = Event(
            Action.IDENTITY_SIGN_IN_FAILED,
            NOBODY,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, identity_id) if identity_id else None,
            origin=origin,
            success=False,
            reason=reason,
        )
        async with self._database.transaction() as tx:
            self._audit.record_login(tx, login, now=now)
            self._audit.record(tx, event, now=now)
        return Refused(reason, retry_after=reserved.retry_after(now) if reason is Refusal.LOCKED else None)


def _stored(credentials: Credentials) -> PasswordHash | None:
    return PasswordHash.stored(credentials.password_hash, credentials.password_scheme)


def _context(credentials: Credentials) -> list[str]:
    return [credentials.email] if credentials.email else []


def _event(action: Action, identity_id: UUID, origin: Origin) -> Event:
    external_id = format_id(IDENTITY_PREFIX, identity_id)
    return Event(
        action, Actor.identity(external_id), target_kind="identity", target_id=external_id, origin=origin
    )
