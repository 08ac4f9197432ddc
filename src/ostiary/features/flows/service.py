"""Entering with a proof, and what a flow needs until it ends in a session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ostiary.features.audit import Action, Actor, Event
from ostiary.features.flows import store
from ostiary.features.flows.model import (
    DEVICE_KIND,
    FLOW_KIND,
    FLOW_LIFETIME,
    REMEMBERED,
    Factor,
    FactorFacts,
    FactorRequired,
    OpenFlow,
    Proof,
    SignedIn,
)
from ostiary.features.identities import IDENTITY_PREFIX, Status
from ostiary.features.roles import Grant
from ostiary.features.sessions import Authentication, SignInOvertaken
from ostiary.foundation.bearer import BearerSecret, InvalidBearerSecret
from ostiary.foundation.ids import format_id, new_id

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.flows.devices import Devices
    from ostiary.features.flows.model import FactorPolicy, Missing
    from ostiary.features.identities import Credentials
    from ostiary.features.sessions import Continued, Sessions, Tokens
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Statements, Transaction


class Flows:
    """The sign-ins of one installation, under one policy; `offered` are the factors that may be used here."""

    def __init__(
        self,
        entropy: Entropy,
        *,
        policy: FactorPolicy,
        offered: frozenset[Factor],
        sessions: Sessions,
        devices: Devices,
        audit: Audit,
    ) -> None:
        self._entropy = entropy
        self._policy = policy
        self._offered = offered
        self._sessions = sessions
        self._devices = devices
        self._audit = audit

    async def facts(
        self, source: Statements, identity_id: UUID, *, device: Secret | None = None, now: datetime
    ) -> FactorFacts:
        """Read what decides about a sign-in, by one statement; `device` is what a remembered one presents."""
        presented = _parsed(DEVICE_KIND, device)
        key = (presented.id, presented.digest) if presented else (None, None)
        rows = await source.fetch_all(store.FACTS, identity_id, now, *key)
        grants = [
            Grant(row.name, row.granted_by, row.granted_at, row.expires_at, row.permissions or [])
            for row in rows
            if row.kind == "role" and row.granted_at is not None
        ]
        factors = self._offered & {row.name for row in rows if row.kind == "factor"}
        is_remembered = any(row.kind == "device" for row in rows)
        return FactorFacts(grants, factors, presented.id if presented and is_remembered else None)

    async def enter(
        self,
        tx: Transaction,
        credentials: Credentials,
        proof: Proof,
        *,
        origin: Origin,
        device: Secret | None = None,
        facts: FactorFacts | None = None,
        continued: Continued | None = None,
        now: datetime,
    ) -> SignedIn | FactorRequired:
        """Turn a first proof into a session, or into a flow that waits for a second factor.

        `credentials` were read with the proof; `facts` are read here unless given. A session that was `continued` is no
        fresh proof, and makes none that lives longer; one that waits for a second factor is proven anew. `tx` may end with
        `SignInOvertaken`, and does for an account that is not active: whatever proof is right, it opens nothing.
        """
        if credentials.status is not Status.ACTIVE:
            raise SignInOvertaken
        known = facts or await self.facts(tx, credentials.id, device=device, now=now)
        missing = self._policy.missing(credentials.entity_type, proof, known)
        if missing is not None:
            return self._wait(tx, credentials, proof, missing, origin, now)
        if known.device_id is not None and not proof.is_multi_factor:
            tx.defer(store.TOUCH_DEVICE, known.device_id, now)
            proof = replace(proof, amr=(*proof.amr, REMEMBERED))
        tokens = self._start(tx, credentials, proof, known, origin, now, continued=continued)
        self._note(tx, Action.IDENTITY_SIGNED_IN, credentials.id, origin, now, session_id=tokens.session_id)
        return SignedIn(credentials.id, tokens)

    async def complete(
        self,
        tx: Transaction,
        credentials: Credentials,
        proof: Proof,
        *,
        remember_device: bool = False,
        recovery_codes: tuple[Secret, ...] = (),
        origin: Origin,
        now: datetime,
    ) -> SignedIn:
        """Start the session of a flow whose second factor was shown, and remember the device if that is wished."""
        facts = await self.facts(tx, credentials.id, now=now)
        device = None
        if remember_device:
            device = self._devices.remember(tx, credentials.id, origin=origin, now=now)
        tokens = self._start(tx, credentials, proof, facts, origin, now)
        self._note(tx, Action.IDENTITY_SIGNED_IN, credentials.id, origin, now, session_id=tokens.session_id)
        return SignedIn(credentials.id, tokens, recovery_codes, device)

    def is_enough(self, entity_type: str, proof: Proof, facts: FactorFacts) -> bool:
        """Say whether a proof may be all a session rests on."""
        return self._policy.missing(entity_type, proof, facts) is None

    def renew(
        self,
        tx: Transaction,
        credentials: Credentials,
        proof: Proof,
        facts: FactorFacts,
        *,
        follows: UUID,
        authenticated_at: datetime | None = None,
        origin: Origin,
        now: datetime,
    ) -> Tokens | None:
        """Start the session that replaces one, None where the proof is not enough for a session at all.

        `follows` is the one that is replaced, `authenticated_at` when it was proven, if not now.
        """
        if not self.is_enough(credentials.entity_type, proof, facts):
            return None
        return self._start(tx, credentials, proof, facts, origin, now, authenticated_at, follows)

    def _start(
        self,
        tx: Transaction,
        credentials: Credentials,
        proof: Proof,
        facts: FactorFacts,
        origin: Origin,
        now: datetime,
        authenticated_at: datetime | None = None,
        follows: UUID | None = None,
        continued: Continued | None = None,
    ) -> Tokens:
        if continued is not None:
            authenticated_at = continued.authenticated_at
        authentication = replace(
            Authentication.of(credentials, facts.grants, origin, method=proof.method, amr=proof.amr),
            provider=proof.provider,
            authenticated_at=authenticated_at,
            owner=credentials.recipient if authenticated_at is None else None,
            via=proof.via,
            follows=follows,
            expires_by=continued.expires_at if continued else None,
        )
        return self._sessions.start(tx, authentication, now=now)

    async def purge(self, tx: Transaction, *, expired_by: datetime, limit: int) -> int:
        """Delete up to `limit` flows that had expired by then, finished or not; return how many."""
        return await tx.execute(store.PURGE_FLOWS, expired_by, limit)

    def demands_factor(self, entity_type: str, facts: FactorFacts) -> bool:
        """Say whether an account of this kind, with these roles, must have a second factor."""
        return self._policy.demands(entity_type, facts.roles)

    def is_password_enough(self, entity_type: str, facts: FactorFacts) -> bool:
        """Say whether the password alone would sign in, on a device that is not remembered."""
        unknown_device = replace(facts, device_id=None)
        return self._policy.missing(entity_type, Proof("password", ("pwd",)), unknown_device) is None

    async def read(self, source: Statements, presented: Secret, *, now: datetime) -> OpenFlow | None:
        """Return the flow a bearer secret opens, without going on with it; None if it is no open one."""
        token = _parsed(FLOW_KIND, presented)
        if token is None:
            return None
        return await source.fetch_one(store.FIND_FLOW, token.id, token.digest, now)

    def _wait(
        self,
        tx: Transaction,
        credentials: Credentials,
        proof: Proof,
        missing: Missing,
        origin: Origin,
        now: datetime,
    ) -> FactorRequired:
        token = BearerSecret.new(FLOW_KIND, new_id(now, self._entropy), self._entropy)
        tx.defer(
            store.INSERT_FLOW,
            token.id,
            credentials.id,
            token.digest,
            credentials.token_epoch,
            proof.provider,
            proof.method,
            list(proof.amr),
            missing.steps,
            now,
            now + FLOW_LIFETIME,
            *((proof.via.account_id, proof.via.provider_session_id) if proof.via else (None, None)),
        )
        self._note(tx, Action.IDENTITY_FACTOR_REQUIRED, credentials.id, origin, now)
        return FactorRequired(credentials.id, token.text, missing.factors, missing.enrol)

    def _note(
        self,
        tx: Transaction,
        action: Action,
        identity_id: UUID,
        origin: Origin,
        now: datetime,
        *,
        session_id: UUID | None = None,
    ) -> None:
        external_id = format_id(IDENTITY_PREFIX, identity_id)
        event = Event(
            action,
            Actor.identity(external_id),
            target_kind="identity",
            target_id=external_id,
            session_id=session_id,
            origin=origin,
        )
        self._audit.record(tx, event, now=now)


def _parsed(kind: str, presented: Secret | None) -> BearerSecret | None:
    if presented is None:
        return None
    try:
        return BearerSecret.parse(kind, presented)
    except InvalidBearerSecret:
        return None
