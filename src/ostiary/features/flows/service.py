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
    from ostiary.features.flows.model import FactorPolicy, Missing
    from ostiary.features.identities import Credentials
    from ostiary.features.sessions import Sessions
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Statements, Transaction


class Flows:
    """The sign-ins of one installation, under one policy."""

    def __init__(self, entropy: Entropy, *, policy: FactorPolicy, sessions: Sessions, audit: Audit) -> None:
        self._entropy = entropy
        self._policy = policy
        self._sessions = sessions
        self._audit = audit

    async def facts(
        self, source: Statements, identity_id: UUID, *, device: Secret | None = None, now: datetime
    ) -> FactorFacts:
        """Read what decides about a sign-in, by one statement; `device` is what a remembered one presents."""
        presented = _parsed(DEVICE_KIND, device)
        key = (presented.id, presented.digest) if presented else (None, None)
        rows = await source.fetch_all(store.FACTS, identity_id, now, *key)
        grants = [
            Grant(row.name, row.granted_by, row.granted_at, row.expires_at)
            for row in rows
            if row.kind == "role" and row.granted_at is not None
        ]
        factors = frozenset(Factor(row.name) for row in rows if row.kind == "factor")
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
        now: datetime,
    ) -> SignedIn | FactorRequired:
        """Turn a first proof into a session, or into a flow that waits for a second factor.

        `credentials` were read with the proof; `facts` are read here unless given. `tx` may end with
        `SignInOvertaken`, and does for an account that is not active: whatever proof is right, it opens nothing.
        """
        if credentials.status is not Status.ACTIVE:
            raise SignInOvertaken
        known = facts or await self.facts(tx, credentials.id, device=device, now=now)
        missing = self._policy.missing(credentials.entity_type, proof, known)
        if missing is not None:
            return self._wait(tx, credentials, proof, missing, origin, now)
        amr = proof.amr
        if known.device_id is not None and not proof.is_multi_factor:
            tx.defer(store.TOUCH_DEVICE, known.device_id, now)
            amr = (*amr, REMEMBERED)
        tokens = self._sessions.start(
            tx,
            Authentication(
                identity_id=credentials.id,
                entity_type=credentials.entity_type,
                entity_id=credentials.entity_id,
                epoch=credentials.token_epoch,
                method=proof.method,
                amr=amr,
                grants=known.grants,
                origin=origin,
                provider=proof.provider,
                owner=credentials.recipient,
            ),
            now=now,
        )
        event = _event(Action.IDENTITY_SIGNED_IN, credentials.id, origin, session_id=tokens.session_id)
        self._audit.record(tx, event, now=now)
        return SignedIn(credentials.id, tokens)

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
            list(missing.factors),
            now,
            now + FLOW_LIFETIME,
        )
        self._audit.record(tx, _event(Action.IDENTITY_FACTOR_REQUIRED, credentials.id, origin), now=now)
        return FactorRequired(credentials.id, token.text, missing.factors, missing.enrol)


def _parsed(kind: str, presented: Secret | None) -> BearerSecret | None:
    if presented is None:
        return None
    try:
        return BearerSecret.parse(kind, presented)
    except InvalidBearerSecret:
        return None


def _event(action: Action, identity_id: UUID, origin: Origin, *, session_id: UUID | None = None) -> Event:
    external_id = format_id(IDENTITY_PREFIX, identity_id)
    return Event(
        action,
        Actor.identity(external_id),
        target_kind="identity",
        target_id=external_id,
        session_id=session_id,
        origin=origin,
    )
