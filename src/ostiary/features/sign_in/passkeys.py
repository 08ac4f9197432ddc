"""Signing in with a passkey, by whoever it belongs to: nobody is named before it is proven.

No lockout stops it: somebody else's guesses at a password take nothing away from a key they do not have (ABU-03).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ostiary.features.audit import NOBODY, Action, Actor, Event, Login
from ostiary.features.identities import IDENTITY_PREFIX, IdentityNotFound, Status
from ostiary.features.passkeys import Refusal as PasskeyRefusal
from ostiary.features.passkeys import Refused as PasskeyRefused
from ostiary.features.sessions import Authentication
from ostiary.features.sign_in.model import Refusal, Refused, SignedIn
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.passkeys import Ceremony, Passkeys, Proven
    from ostiary.features.roles import Roles
    from ostiary.features.sessions import Sessions
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_METHOD: Final = "passkey"


class PasskeySignIn:
    """The sign-in with passkeys of one installation."""

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        passkeys: Passkeys,
        roles: Roles,
        sessions: Sessions,
        audit: Audit,
    ) -> None:
        self._database = database
        self._identities = identities
        self._passkeys = passkeys
        self._roles = roles
        self._sessions = sessions
        self._audit = audit

    async def begin(self, *, now: datetime) -> Ceremony:
        """Begin a sign-in for whoever answers; the options are the same for everybody (PK-07)."""
        async with self._database.transaction() as tx:
            return await self._passkeys.begin_authentication(tx, now=now)

    async def with_passkey(
        self, token: Secret, credential: Mapping[str, Any], *, origin: Origin, now: datetime
    ) -> SignedIn | Refused:
        """Sign in whoever used their passkey, or say that nobody did; the ceremony is used up either way."""
        async with self._database.transaction() as tx:
            proven = await self._passkeys.finish_authentication(tx, token, credential, origin=origin, now=now)
            if isinstance(proven, PasskeyRefused):
                return self._refuse(tx, proven, origin, now)
            try:
                credentials = await self._identities.lock_for_change(tx, proven.identity_id)
            except IdentityNotFound:
                credentials = None
            if credentials is None or credentials.status is not Status.ACTIVE:
                gone = PasskeyRefused(PasskeyRefusal.NOT_ACTIVE, proven.identity_id)
                return self._refuse(tx, gone, origin, now)
            return await self._enter(tx, credentials, proven, origin, now)

    async def _enter(
        self, tx: Transaction, credentials: Credentials, proven: Proven, origin: Origin, now: datetime
    ) -> SignedIn:
        grants = await self._roles.granted(tx, credentials.id, now=now)
        authentication = replace(
            Authentication.by_password(credentials, grants, origin), method=_METHOD, amr=proven.amr
        )
        tokens = self._sessions.start(tx, authentication, now=now)
        external_id = format_id(IDENTITY_PREFIX, credentials.id)
        event = Event(
            Action.IDENTITY_SIGNED_IN,
            Actor.identity(external_id),
            target_kind="identity",
            target_id=external_id,
            session_id=tokens.session_id,
            origin=origin,
        )
        self._audit.record(tx, event, now=now)
        return SignedIn(credentials.id, tokens)

    def _refuse(self, tx: Transaction, refused: PasskeyRefused, origin: Origin, now: datetime) -> Refused:
        """Record a failure with the reason, which the answer does not have."""
        identity_id = refused.identity_id
        login = Login(
            identity_id, None, method=_METHOD, success=False, failure_reason=refused.reason, origin=origin
        )
        event = Event(
            Action.IDENTITY_SIGN_IN_FAILED,
            NOBODY,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, identity_id) if identity_id else None,
            origin=origin,
            success=False,
            reason=refused.reason,
        )
        self._audit.record_login(tx, login, now=now)
        self._audit.record(tx, event, now=now)
        return Refused(Refusal.PASSKEY_REFUSED)
