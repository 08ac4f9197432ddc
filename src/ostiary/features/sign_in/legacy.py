"""Exchanging what another system handed out: the token of a session, or of a link.

Once, whichever of its tokens is shown. A session goes on as what it was: it is no fresh proof, it lives no longer than it
would have there, and whatever it was proven by there, no second factor is believed that was not shown here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.audit import NOBODY, Action, Actor, Event, Login
from ostiary.features.flows import MULTI_FACTOR, REMEMBERED, Proof
from ostiary.features.identities import IDENTITY_PREFIX, IdentityNotFound, Status
from ostiary.features.sign_in.model import Refusal, Refused
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.challenges import Challenges, Reissued
    from ostiary.features.flows import FactorRequired, Flows, SignedIn
    from ostiary.features.identities import Credentials, Identities
    from ostiary.features.legacy_bearers import Bearer, LegacyBearers
    from ostiary.features.sessions import SessionExchange, TakenOver
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_METHOD: Final = "legacy_session"
# Whoever has yet to prove an address may go on to do so.
_MAY_FOLLOW_LINKS: Final = frozenset({Status.ACTIVE, Status.PENDING_VERIFICATION})


class LegacySignIn:
    """The exchange of one installation."""

    def __init__(
        self,
        database: Database,
        *,
        identities: Identities,
        bearers: LegacyBearers,
        challenges: Challenges,
        exchange: SessionExchange,
        flows: Flows,
        audit: Audit,
    ) -> None:
        self._database = database
        self._identities = identities
        self._bearers = bearers
        self._challenges = challenges
        self._exchange = exchange
        self._flows = flows
        self._audit = audit

    async def exchange(
        self, presented: Secret, *, device: Secret | None, origin: Origin, now: datetime
    ) -> SignedIn | FactorRequired | Reissued | Refused:
        """Exchange a token of another system for a session, a sign-in that waits, or a link's token of ours.

        Sixteen callers with the same one get one answer. Raises `SignInOvertaken` when the account changed meanwhile.
        """
        async with self._database.transaction() as tx:
            bearer = await self._bearers.consume(tx, presented, now=now)
            if bearer is None:
                return self._refuse(tx, None, Refusal.WRONG_PROOF, origin, now)
            try:
                owner = await self._identities.lock_for_change(tx, bearer.identity_id)
            except IdentityNotFound:
                return self._refuse(tx, bearer.identity_id, Refusal.NOT_ACTIVE, origin, now)
            if bearer.challenge_id is not None:
                return await self._reissue(tx, owner, bearer.challenge_id, origin, now)
            return await self._enter(tx, owner, bearer, device, origin, now)

    async def _enter(
        self,
        tx: Transaction,
        owner: Credentials,
        bearer: Bearer,
        device: Secret | None,
        origin: Origin,
        now: datetime,
    ) -> SignedIn | FactorRequired | Refused:
        if owner.status is not Status.ACTIVE:
            return self._refuse(tx, owner.id, Refusal.NOT_ACTIVE, origin, now)
        taken = None
        if bearer.session_id is not None:
            taken = await self._exchange.take_over(tx, owner.id, bearer.session_id, now=now)
        if taken is None:
            return self._refuse(tx, owner.id, Refusal.OVER, origin, now)
        event = _event(Action.LEGACY_SESSION_EXCHANGED, owner.id, origin, session_id=bearer.session_id)
        self._audit.record(tx, event, now=now)
        return await self._flows.enter(
            tx, owner, _proof(taken), origin=origin, device=device, continued=taken.continued, now=now
        )

    async def _reissue(
        self, tx: Transaction, owner: Credentials, challenge_id: UUID, origin: Origin, now: datetime
    ) -> Reissued | Refused:
        reissued = None
        if owner.status in _MAY_FOLLOW_LINKS:
            reissued = await self._challenges.reissue(tx, owner.id, challenge_id, now=now)
        if reissued is None:
            reason = Refusal.OVER if owner.status in _MAY_FOLLOW_LINKS else Refusal.NOT_ACTIVE
            self._audit.record(tx, _link_event(owner.id, origin, reason=reason), now=now)
            return Refused(reason)
        self._audit.record(tx, _link_event(owner.id, origin, purpose=reissued.purpose), now=now)
        return reissued

    def _refuse(
        self, tx: Transaction, identity_id: UUID | None, reason: Refusal, origin: Origin, now: datetime
    ) -> Refused:
        self._audit.sign_in_refused(tx, Login.refused(identity_id, _METHOD, reason, origin), now=now)
        return Refused(reason)


def _proof(taken: TakenOver) -> Proof:
    """Return what a session is known to have been proven by, which may be nothing: no method stands for "elsewhere" (RFC 8176)."""
    known = (name for name in taken.amr if name not in {MULTI_FACTOR, REMEMBERED})
    return Proof(_METHOD, tuple(known), via=taken.via)


def _event(action: Action, identity_id: UUID, origin: Origin, *, session_id: UUID | None) -> Event:
    external_id = format_id(IDENTITY_PREFIX, identity_id)
    return Event(
        action,
        Actor.identity(external_id),
        target_kind="identity",
        target_id=external_id,
        session_id=session_id,
        origin=origin,
    )


def _link_event(
    identity_id: UUID, origin: Origin, *, purpose: str | None = None, reason: Refusal | None = None
) -> Event:
    return Event(
        Action.LEGACY_LINK_EXCHANGED,
        NOBODY,
        target_kind="identity",
        target_id=format_id(IDENTITY_PREFIX, identity_id),
        origin=origin,
        success=reason is None,
        reason=reason,
        metadata={"purpose": purpose} if purpose else {},
    )
