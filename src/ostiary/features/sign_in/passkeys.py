"""Signing in with a passkey, by whoever it belongs to: nobody is named before it is proven.

No lockout stops it: somebody else's guesses at a password take nothing away from a key they do not have (ABU-03).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ostiary.features.audit import Login
from ostiary.features.flows import Proof
from ostiary.features.identities import IdentityNotFound, Status
from ostiary.features.passkeys import Refusal as PasskeyRefusal
from ostiary.features.passkeys import Refused as PasskeyRefused
from ostiary.features.sign_in.model import Refusal, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.flows import FactorRequired, Flows, SignedIn
    from ostiary.features.identities import Identities
    from ostiary.features.passkeys import Ceremony, Passkeys
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
        flows: Flows,
        audit: Audit,
    ) -> None:
        self._database = database
        self._identities = identities
        self._passkeys = passkeys
        self._flows = flows
        self._audit = audit

    async def begin(self, *, now: datetime) -> Ceremony:
        """Begin a sign-in for whoever answers; the options are the same for everybody (PK-07)."""
        async with self._database.transaction() as tx:
            return await self._passkeys.begin_authentication(tx, now=now)

    async def with_passkey(
        self,
        token: Secret,
        credential: Mapping[str, Any],
        *,
        device: Secret | None,
        origin: Origin,
        now: datetime,
    ) -> SignedIn | FactorRequired | Refused:
        """Sign in whoever used their passkey, say what is still missing, or that nobody did.

        The ceremony is used up either way. A passkey that knew its owner is two factors (MFA-05).
        """
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
            proof = Proof(_METHOD, proven.amr, is_multi_factor=proven.user_verified)
            return await self._flows.enter(tx, credentials, proof, origin=origin, device=device, now=now)

    def _refuse(self, tx: Transaction, refused: PasskeyRefused, origin: Origin, now: datetime) -> Refused:
        """Record a failure with the reason, which the answer does not have."""
        login = Login.refused(refused.identity_id, _METHOD, refused.reason, origin)
        self._audit.sign_in_refused(tx, login, now=now)
        return Refused(Refusal.PASSKEY_REFUSED)
