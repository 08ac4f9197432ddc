"""Signing in with a password: one statement, one hash, and one statement more that makes all of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ostiary.features.audit import Action, Actor, Event
from ostiary.features.flows import Proof
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.outbox import Template
from ostiary.features.passwords import PasswordHash
from ostiary.features.sessions import EndReason
from ostiary.features.sign_in.model import Refusal, Refused, refusal
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.flows import FactorRequired, Flows, SignedIn
    from ostiary.features.identities import Attempt, Credentials, EntityTypes, Identities
    from ostiary.features.outbox import Outbox
    from ostiary.features.passwords import Passwords
    from ostiary.features.sessions import Sessions
    from ostiary.features.sign_in.attempts import Attempts
    from ostiary.features.sign_in.managed import ManagedSignIn
    from ostiary.features.sign_in.model import PasswordSignIn
    from ostiary.foundation.storage import Database

_PROOF: Final = Proof("password", ("pwd",))


class SignIn:
    """The sign-in of one installation.

    Where a provider keeps passwords, it is asked about whoever has none here, and never about anybody else: a password
    that was set here is not undone by one that is still good elsewhere.
    """

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
        attempts: Attempts,
        managed: ManagedSignIn,
    ) -> None:
        self._database = database
        self._entity_types = entity_types
        self._identities = identities
        self._passwords = passwords
        self._sessions = sessions
        self._flows = flows
        self._outbox = outbox
        self._audit = audit
        self._attempts = attempts
        self._managed = managed

    async def with_password(
        self, attempt: PasswordSignIn, *, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired | Refused:
        """Sign somebody in, say what is still missing, or why not.

        Raises `UnknownEntityType`, `HashingOverloaded`, `UnacceptablePassword` for a new password, `SignInOvertaken`
        when the account changed meanwhile, and `Unavailable` when a provider that keeps the password cannot be asked.
        """
        self._entity_types.get(attempt.entity_type)
        reserved = await self._attempts.reserve(attempt, now)
        provider = self._managed.provider_for(attempt.entity_type)
        if provider is None or not reserved.granted or _has_password(reserved):
            return await self._locally(attempt, reserved, origin, now)
        outcome = await self._managed.ask(provider, attempt, reserved, origin=origin, now=now)
        if not isinstance(outcome, Refused) or outcome.reason is not Refusal.PASSWORD_IS_HERE:
            return outcome
        # Two first sign-ins at once: the other one has just brought the password here.
        return await self._locally(attempt, await self._attempts.reserve(attempt, now), origin, now)

    async def _locally(
        self, attempt: PasswordSignIn, reserved: Attempt, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired | Refused:
        if not reserved.granted:
            return await self._attempts.refuse(Refusal.LOCKED, reserved, origin=origin, now=now)
        credentials = reserved.credentials
        stored = _stored(credentials) if credentials else None
        verification = await self._passwords.verify(attempt.password, stored)
        reason = refusal(credentials, password_matches=verification.valid)
        if credentials is None or reason is not None:
            return await self._attempts.refuse(
                reason or Refusal.UNKNOWN_IDENTIFIER, reserved, origin=origin, now=now
            )
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
            return await self._attempts.refuse(
                Refusal.PASSWORD_CHANGE_REQUIRED, reserved, origin=origin, now=now
            )
        self._passwords.check(attempt.new_password, context=_context(credentials))
        new = await self._passwords.renew(attempt.new_password, credentials)
        async with self._database.transaction() as tx:
            locked = await self._identities.lock_for_change(tx, credentials.id)
            if locked != credentials:
                return Refused(Refusal.WRONG_PASSWORD)
            await self._identities.set_password(tx, locked, new, now=now)
            self._outbox.notify(tx, credentials.recipient, Template.PASSWORD_CHANGED, now=now)
            self._audit.record(tx, _event(Action.IDENTITY_PASSWORD_CHANGED, credentials.id, origin), now=now)
            epoch = await self._sessions.end_all(
                tx, credentials.id, reason=EndReason.PASSWORD_CHANGED, now=now
            )
            renewed = replace(credentials, token_epoch=epoch)
            return await self._flows.enter(tx, renewed, _PROOF, origin=origin, now=now)


def _stored(credentials: Credentials) -> PasswordHash | None:
    return PasswordHash.stored(credentials.password_hash, credentials.password_scheme)


def _has_password(reserved: Attempt) -> bool:
    return reserved.credentials is not None and _stored(reserved.credentials) is not None


def _context(credentials: Credentials) -> list[str]:
    return [credentials.email] if credentials.email else []


def _event(action: Action, identity_id: UUID, origin: Origin) -> Event:
    external_id = format_id(IDENTITY_PREFIX, identity_id)
    return Event(
        action, Actor.identity(external_id), target_kind="identity", target_id=external_id, origin=origin
    )
