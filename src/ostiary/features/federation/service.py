"""Letting somebody in whom a provider vouches for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from ostiary.features.audit import NOBODY, SYSTEM, Action, Actor, Event, Login
from ostiary.features.federation import store
from ostiary.features.federation.model import (
    ArrivalReason,
    ArrivalRefused,
    Course,
    LinkingPolicy,
    profile_fields,
)
from ostiary.features.flows import Proof
from ostiary.features.identities import IDENTITY_PREFIX, IdentifierTaken, InvalidAddress, Status, parse_email
from ostiary.features.outbox import Template
from ostiary.features.profiles import ProfileNotFound, change_to
from ostiary.features.provisioning import AwaitsApproval, Draft
from ostiary.features.sessions import EndReason, Via
from ostiary.features.upstream import OnKnownAddress, OnNew, ProfileRefresh
from ostiary.features.vault import AlreadyLinked, LinkedBy
from ostiary.foundation.ids import format_id
from ostiary.foundation.storage import UniqueViolation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.federation.model import Known, Visit
    from ostiary.features.flows import FactorFacts, Flows
    from ostiary.features.identities import Credentials, EmailAddress, EntityType, Identities
    from ostiary.features.outbox import Outbox
    from ostiary.features.profiles import Profiles
    from ostiary.features.provisioning import Arrival, Provisioning
    from ostiary.features.roles import Roles
    from ostiary.features.sessions import AddressClaims, Sessions
    from ostiary.features.upstream import Arrived, ProviderRules, Providers, UpstreamIdentity
    from ostiary.features.vault import UpstreamTokens, Vault
    from ostiary.foundation.storage import Database, Transaction

T = TypeVar("T")

_FEDERATED: Final = "fed"
_MADE_BY_OPERATORS: Final = frozenset({"admin", "service"})
_MULTI_FACTOR: Final = "mfa"


class Federation:
    """Everybody's way in who was at a provider first."""

    def __init__(
        self,
        database: Database,
        *,
        providers: Providers,
        vault: Vault,
        identities: Identities,
        provisioning: Provisioning,
        profiles: Profiles,
        roles: Roles,
        claims: AddressClaims,
        sessions: Sessions,
        flows: Flows,
        outbox: Outbox,
        audit: Audit,
    ) -> None:
        self._database = database
        self._providers = providers
        self._vault = vault
        self._identities = identities
        self._provisioning = provisioning
        self._profiles = profiles
        self._roles = roles
        self._claims = claims
        self._sessions = sessions
        self._flows = flows
        self._outbox = outbox
        self._audit = audit

    async def arrive(self, arrived: Arrived, visit: Visit, *, now: datetime) -> Arrival | ArrivalRefused:
        """Sign somebody in who proved who they are at a provider, making or linking an account as the rules say.

        Whoever is known already costs three round trips. A refusal is recorded with its reason. Raises
        `UnknownProvider`, `UnknownEntityType`, `SignInOvertaken`, and whatever the application's hooks raise.
        """

        async def enter() -> Arrival | ArrivalRefused:
            async with self._database.transaction() as tx:
                return await self._arrive(tx, arrived, visit, now)

        return await self.once_more(enter)

    @staticmethod
    async def once_more(act: Callable[[], Awaitable[T]]) -> T:
        """Try again where somebody else was faster to link the account or to take the address: now they are known."""
        try:
            return await act()
        except IdentifierTaken:
            return await act()
        except UniqueViolation as violation:
            if violation.constraint != AlreadyLinked.CONSTRAINT:
                raise
            return await act()

    async def _arrive(
        self, tx: Transaction, arrived: Arrived, visit: Visit, now: datetime
    ) -> Arrival | ArrivalRefused:
        who, rules = arrived.identity, self._providers.get(arrived.identity.provider).rules
        entity_type = self._provisioning.entity_types.get(visit.entity_type)
        email = _address(who)
        reason = _not_for(rules, entity_type, who)
        if reason is not None:
            return self._refuse(tx, None, who, visit, reason, now)
        key = email.normalized if email else None
        found = await tx.fetch_all(store.KNOWN, who.provider, who.account_id, entity_type.name, key)
        linked = next((known for known in found if known.account_id is not None), None)
        if linked is not None and linked.account_id is not None:
            return await self._return(tx, arrived, linked, linked.account_id, rules, visit, now)
        holder = next(iter(found), None)
        policy = LinkingPolicy(
            creates=rules.on_new is OnNew.CREATE and _may_be_made(entity_type, rules),
            links_known_address=rules.on_known_address is OnKnownAddress.LINK,
            asks_to_sign_in_first=rules.on_known_address is not OnKnownAddress.REFUSE,
        )
        match policy.course(who, holder):
            case ArrivalReason() as reason:
                return self._refuse(tx, holder, who, visit, reason, now)
            case Course.LINK if holder is not None:
                return await self._link(tx, arrived, holder.credentials, rules, visit, now)
            case course:
                if course is Course.CREATE_AND_TAKE_ADDRESS and email is not None:
                    await self._claims.take(tx, entity_type.name, email, now=now)
                return await self._create(tx, arrived, entity_type, email, rules, visit, now)

    async def _return(
        self,
        tx: Transaction,
        arrived: Arrived,
        known: Known,
        account_id: UUID,
        rules: ProviderRules,
        visit: Visit,
        now: datetime,
    ) -> Arrival | ArrivalRefused:
        if known.status is not Status.ACTIVE or known.deleted_at is not None:
            return self._refuse(tx, known, arrived.identity, visit, ArrivalReason.NOT_ACTIVE, now)
        claims = dict(arrived.identity.profile)
        if rules.profile_refresh is ProfileRefresh.ALWAYS and claims != known.profile:
            await self._refresh_profile(tx, known.credentials, claims, now)
        self._vault.keep(tx, account_id, known.id, _kept(arrived, rules), profile=claims, now=now)
        return await self._enter(tx, known.credentials, arrived, account_id, rules, visit, now)

    async def _link(
        self,
        tx: Transaction,
        arrived: Arrived,
        owner: Credentials,
        rules: ProviderRules,
        visit: Visit,
        now: datetime,
    ) -> Arrival:
        account_id = self.link(tx, arrived, owner, LinkedBy.SIGN_IN, visit.origin, now=now)
        return await self._enter(tx, owner, arrived, account_id, rules, visit, now)

    def link(
        self,
        tx: Transaction,
        arrived: Arrived,
        owner: Credentials,
        linked_by: LinkedBy,
        origin: Origin,
        *,
        now: datetime,
    ) -> UUID:
        """Link an account to somebody who is here already when `tx` ends, record it, and tell them.

        `tx` ends with `AlreadyLinked` if it is linked to anybody of this kind.
        """
        rules = self._providers.get(arrived.identity.provider).rules
        account_id = self._vault.link(
            tx,
            identity_id=owner.id,
            entity_type=owner.entity_type,
            provider=arrived.identity.provider,
            provider_account_id=arrived.identity.account_id,
            profile=arrived.identity.profile,
            linked_by=linked_by,
            tokens=_kept(arrived, rules),
            now=now,
        )
        self._note(tx, Action.ACCOUNT_LINKED, owner.id, arrived.identity, origin, now, linked_by=linked_by)
        label = self._providers.get(arrived.identity.provider).label
        values = {"provider": label, "at": f"{now:%Y-%m-%d %H:%M} UTC"}
        self._outbox.notify(tx, owner.recipient, Template.ACCOUNT_LINKED, values, now=now)
        return account_id

    def relink(
        self,
        tx: Transaction,
        account_id: UUID,
        arrived: Arrived,
        owner: Credentials,
        origin: Origin,
        *,
        now: datetime,
    ) -> None:
        """Keep an account's tokens from now on because its owner wants it, whatever it was linked by when `tx` ends."""
        rules = self._providers.get(arrived.identity.provider).rules
        self._vault.keep(
            tx,
            account_id,
            owner.id,
            _kept(arrived, rules),
            profile=arrived.identity.profile,
            linked_by=LinkedBy.INTENT,
            now=now,
        )
        by = LinkedBy.INTENT
        self._note(tx, Action.ACCOUNT_LINKED, owner.id, arrived.identity, origin, now, linked_by=by)

    def may_be_linked(self, who: UpstreamIdentity, entity_type: str) -> bool:
        """Say whether the provider is for this kind of account, and for people of this domain."""
        rules = self._providers.get(who.provider).rules
        return entity_type in rules.entity_types and rules.admits(who.email)

    async def _create(
        self,
        tx: Transaction,
        arrived: Arrived,
        entity_type: EntityType,
        email: EmailAddress | None,
        rules: ProviderRules,
        visit: Visit,
        now: datetime,
    ) -> Arrival:
        who = arrived.identity
        draft = Draft(
            entity_type,
            email,
            None,
            None,
            profile_fields(who.profile) if rules.profile_refresh is not ProfileRefresh.NEVER else {},
            roles=sorted(_mapped(rules, who)),
            granted_by=_granted_by(who),
            locale=visit.locale,
            verified_at=now if email else None,
            awaits_approval=entity_type.needs_approval,
        )
        identity = await self._provisioning.make(tx, draft, by=None, origin=visit.origin, now=now)
        account_id = self._vault.link(
            tx,
            identity_id=identity.id,
            entity_type=entity_type.name,
            provider=who.provider,
            provider_account_id=who.account_id,
            profile=who.profile,
            linked_by=LinkedBy.SIGN_IN,
            tokens=_kept(arrived, rules),
            now=now,
        )
        self._note(tx, Action.ACCOUNT_LINKED, identity.id, who, visit.origin, now, linked_by=LinkedBy.SIGN_IN)
        if draft.awaits_approval:
            return AwaitsApproval(identity.id)
        credentials = await self._identities.lock_for_change(tx, identity.id)
        proof = _proof(arrived, account_id, rules, visit)
        return await self._flows.enter(
            tx, credentials, proof, origin=visit.origin, device=visit.device, now=now
        )

    async def _enter(
        self,
        tx: Transaction,
        owner: Credentials,
        arrived: Arrived,
        account_id: UUID,
        rules: ProviderRules,
        visit: Visit,
        now: datetime,
    ) -> Arrival:
        facts = await self._flows.facts(tx, owner.id, device=visit.device, now=now)
        if rules.roles:
            owner, facts = await self._match_roles(tx, owner, facts, arrived.identity, rules, visit, now)
        proof = _proof(arrived, account_id, rules, visit)
        return await self._flows.enter(
            tx, owner, proof, origin=visit.origin, device=visit.device, facts=facts, now=now
        )

    async def _match_roles(
        self,
        tx: Transaction,
        owner: Credentials,
        facts: FactorFacts,
        who: UpstreamIdentity,
        rules: ProviderRules,
        visit: Visit,
        now: datetime,
    ) -> tuple[Credentials, FactorFacts]:
        """Give the roles that the provider's stand for, and take those that this provider gave and no longer names."""
        wanted, giver = _mapped(rules, who), _granted_by(who)
        held = {grant.role: grant.granted_by for grant in facts.grants}
        lost = sorted(role for role, by in held.items() if by == giver and role not in wanted)
        gained = sorted(wanted - held.keys())
        if not lost and not gained:
            return owner, facts
        for role in gained:
            await self._roles.grant(tx, owner.id, role, granted_by=giver, now=now)
            self._note_role(tx, Action.ROLE_GRANTED, owner, who, role, visit.origin, now)
        for role in lost:
            await self._roles.remove(tx, owner.id, role)
            self._note_role(tx, Action.ROLE_REMOVED, owner, who, role, visit.origin, now)
        if lost:
            # Tokens that name a role that is gone must not outlive it (ADM-05).
            epoch = await self._sessions.end_access_tokens(
                tx, owner.id, reason=EndReason.ROLE_REMOVED, now=now
            )
            owner = replace(owner, token_epoch=epoch)
        return owner, await self._flows.facts(tx, owner.id, device=visit.device, now=now)

    async def _refresh_profile(
        self, tx: Transaction, owner: Credentials, claims: Mapping[str, Any], now: datetime
    ) -> None:
        fields = profile_fields(claims)
        if fields:
            # A kind of account of the application's own keeps its profiles itself.
            with suppress(ProfileNotFound):
                await self._profiles.change(tx, owner.entity_type, owner.id, change_to(fields), now=now)

    def _refuse(
        self,
        tx: Transaction,
        known: Known | None,
        who: UpstreamIdentity,
        visit: Visit,
        reason: ArrivalReason,
        now: datetime,
    ) -> ArrivalRefused:
        identity_id = known.id if known else None
        login = Login(
            identity_id,
            None,
            method=visit.method,
            success=False,
            failure_reason=reason,
            provider=who.provider,
            origin=visit.origin,
        )
        self._audit.record_login(tx, login, now=now)
        event = Event(
            Action.IDENTITY_SIGN_IN_FAILED,
            NOBODY,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, identity_id) if identity_id else None,
            origin=visit.origin,
            success=False,
            reason=reason,
            metadata={"provider": who.provider},
        )
        self._audit.record(tx, event, now=now)
        return ArrivalRefused(reason)

    def _note(
        self,
        tx: Transaction,
        action: Action,
        identity_id: UUID,
        who: UpstreamIdentity,
        origin: Origin,
        now: datetime,
        *,
        linked_by: LinkedBy,
    ) -> None:
        external_id = format_id(IDENTITY_PREFIX, identity_id)
        event = Event(
            action,
            Actor.identity(external_id),
            target_kind="identity",
            target_id=external_id,
            origin=origin,
            metadata={"provider": who.provider, "linked_by": linked_by.value},
        )
        self._audit.record(tx, event, now=now)

    def _note_role(
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


def _not_for(rules: ProviderRules, entity_type: EntityType, who: UpstreamIdentity) -> ArrivalReason | None:
    """Say why nobody of this provider comes in as this kind of account, or not this person; None if they may."""
    if rules.link_only:
        return ArrivalReason.LINK_ONLY
    if entity_type.name not in rules.entity_types:
        return ArrivalReason.NOT_OFFERED
    return None if rules.admits(who.email) else ArrivalReason.DOMAIN_NOT_ALLOWED


def _may_be_made(entity_type: EntityType, rules: ProviderRules) -> bool:
    """Say whether a provider's word may make such an account (FED-09): never one that administers or serves.

    Where nobody may register, a provider brings newcomers only if it is an organisation's own.
    """
    is_open = entity_type.open_registration or bool(rules.allowed_domains)
    return is_open and entity_type.name not in _MADE_BY_OPERATORS


def _address(who: UpstreamIdentity) -> EmailAddress | None:
    """Read the proven address; one that cannot be an address is none."""
    try:
        return parse_email(who.email) if who.email else None
    except InvalidAddress:
        return None


def _kept(arrived: Arrived, rules: ProviderRules) -> UpstreamTokens | None:
    return arrived.tokens if rules.keep_tokens else None


def _mapped(rules: ProviderRules, who: UpstreamIdentity) -> set[str]:
    return {rules.roles[role] for role in who.roles if role in rules.roles}


def _granted_by(who: UpstreamIdentity) -> str:
    return f"provider:{who.provider}"


def _proof(arrived: Arrived, account_id: UUID, rules: ProviderRules, visit: Visit) -> Proof:
    who = arrived.identity
    is_multi_factor = rules.trusts_second_factor and _MULTI_FACTOR in who.amr
    return Proof(
        visit.method,
        (_FEDERATED, _MULTI_FACTOR) if is_multi_factor else (_FEDERATED,),
        who.provider,
        is_multi_factor=is_multi_factor,
        via=Via(account_id, who.session_id),
    )
