"""Roles that follow what a provider says somebody is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.sessions import EndReason
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.flows import FactorFacts, Flows
    from ostiary.features.identities import Credentials
    from ostiary.features.roles import Roles
    from ostiary.features.sessions import Sessions
    from ostiary.features.upstream import ProviderRules, UpstreamIdentity
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Transaction


class ProviderRoles:
    """The roles of one installation that providers give and take."""

    def __init__(self, *, roles: Roles, sessions: Sessions, flows: Flows, audit: Audit) -> None:
        self._roles = roles
        self._sessions = sessions
        self._flows = flows
        self._audit = audit

    async def match(
        self,
        tx: Transaction,
        owner: Credentials,
        facts: FactorFacts,
        who: UpstreamIdentity,
        rules: ProviderRules,
        origin: Origin,
        device: Secret | None,
        now: datetime,
    ) -> tuple[Credentials, FactorFacts]:
        """Give the roles that the provider's stand for, and take those that this provider gave and no longer names."""
        gained, lost = changes(rules, who, facts)
        if not gained and not lost:
            return owner, facts
        for role in gained:
            await self._roles.grant(tx, owner.id, role, granted_by=granted_by(who), now=now)
            self._note(tx, Action.ROLE_GRANTED, owner, who, role, origin, now)
        for role in lost:
            await self._roles.remove(tx, owner.id, role)
            self._note(tx, Action.ROLE_REMOVED, owner, who, role, origin, now)
        if lost:
            # Tokens that name a role that is gone must not outlive it (ADM-05).
            epoch = await self._sessions.end_access_tokens(
                tx, owner.id, reason=EndReason.ROLE_REMOVED, now=now
            )
            owner = replace(owner, token_epoch=epoch)
        return owner, await self._flows.facts(tx, owner.id, device=device, now=now)

    def _note(
        self,
        tx: Transaction,
        action: Action,
        owner: Credentials,
        who: UpstreamIdentity,
        role: str,
        origin: Origin,
        now: datetime,
    ) -> None:
        event = Event(
            action,
            SYSTEM,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, owner.id),
            origin=origin,
            reason=role,
            metadata={"provider": who.provider},
        )
        self._audit.record(tx, event, now=now)


def changes(rules: ProviderRules, who: UpstreamIdentity, facts: FactorFacts) -> tuple[list[str], list[str]]:
    """Return the roles somebody gains by what the provider says now, and those it gave them and names no longer."""
    wanted, giver = mapped(rules, who), granted_by(who)
    held = {grant.role: grant.granted_by for grant in facts.grants}
    lost = sorted(role for role, by in held.items() if by == giver and role not in wanted)
    return sorted(wanted - held.keys()), lost


def mapped(rules: ProviderRules, who: UpstreamIdentity) -> set[str]:
    """Return our roles that stand for what the provider says somebody is, by its allow-list alone (FED-09)."""
    return {rules.roles[role] for role in who.roles if role in rules.roles}


def granted_by(who: UpstreamIdentity) -> str:
    """Return who a role says it was given by."""
    return f"provider:{who.provider}"
