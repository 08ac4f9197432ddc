"""Letting somebody in whom a provider vouches for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from ostiary.features.audit import Login
from ostiary.features.federation import store
from ostiary.features.federation.model import (
    ArrivalReason,
    ArrivalRefused,
    Course,
    LinkingPolicy,
    profile_fields,
)
from ostiary.features.federation.provider_roles import changes, granted_by, mapped
from ostiary.features.flows import Proof
from ostiary.features.identities import IdentifierTaken, InvalidAddress, parse_email
from ostiary.features.profiles import ProfileNotFound, change_to
from ostiary.features.provisioning import AwaitsApproval, Draft
from ostiary.features.sessions import Via
from ostiary.features.upstream import OnKnownAddress, OnNew, ProfileRefresh
from ostiary.features.vault import AlreadyLinked, LinkedBy
from ostiary.foundation.storage import RuleViolation, UniqueViolation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.federation.linking import Linking
    from ostiary.features.federation.model import Known, Visit
    from ostiary.features.federation.provider_roles import ProviderRoles
    from ostiary.features.flows import Flows
    from ostiary.features.identities import Credentials, EmailAddress, EntityType, Identities
    from ostiary.features.profiles import Profiles
    from ostiary.features.provisioning import Arrival, Provisioning
    from ostiary.features.sessions import AddressClaims
    from ostiary.features.upstream import Arrived, ProviderRules, Providers, UpstreamIdentity
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
        linking: Linking,
        identities: Identities,
        provisioning: Provisioning,
        profiles: Profiles,
        provider_roles: ProviderRoles,
        claims: AddressClaims,
        flows: Flows,
        audit: Audit,
    ) -> None:
        self._database = database
        self._providers = providers
        self._linking = linking
        self._identities = identities
        self._provisioning = provisioning
        self._profiles = profiles
        self._provider_roles = provider_roles
        self._claims = claims
        self._flows = flows
        self._audit = audit

    async def arrive(self, arrived: Arrived, visit: Visit, *, now: datetime) -> Arrival | ArrivalRefused:
        """Sign somebody in who proved who they are at a provider, making or linking an account as the rules say.

        Whoever is known already, and of whom nothing else is to be changed, costs three round trips. A refusal is recorded
        with its reason. Raises `UnknownProvider`, `UnknownEntityType`, `SignInOvertaken`, and whatever the application's
        hooks raise.
        """
        rules = self._providers.get(arrived.identity.provider).rules
        entity_type = self._provisioning.entity_types.get(visit.entity_type)

        # Whether a password was set here meanwhile is seen under the lock alone.
        may_go_unlocked = not visit.is_in_place_of_password

        async def enter() -> Arrival | ArrivalRefused:
            if may_go_unlocked and _not_for(rules, entity_type, arrived.identity) is None:
                # An account that was unlinked in this moment leaves nothing behind, and is looked for again.
                with suppress(RuleViolation):
                    returned = await self._return_unchanged(arrived, rules, visit, now)
                    if returned is not None:
                        return returned
            async with self._database.transaction() as tx:
                return await self._arrive(tx, arrived, entity_type, rules, visit, now)

        return await once_more(enter)

    async def _return_unchanged(
        self, arrived: Arrived, rules: ProviderRules, visit: Visit, now: datetime
    ) -> Arrival | None:
        """Sign somebody in who is known, without a lock: what overtakes it ends the one statement that writes.

        None for everybody else, and where the provider's word changes more than when they were here last.
        """
        who = arrived.identity
        found = await self._database.fetch_all(
            store.KNOWN, who.provider, who.account_id, visit.entity_type, None
        )
        known = next((known for known in found if known.account_id is not None), None)
        if known is None or known.account_id is None or not known.is_active:
            return None
        if rules.profile_refresh is ProfileRefresh.ALWAYS and dict(who.profile) != known.profile:
            return None
        facts = await self._flows.facts(self._database, known.id, device=visit.device, now=now)
        if any(changes(rules, who, facts)):
            return None
        async with self._database.transaction() as tx:
            proof = _proof(arrived, known.account_id, rules, visit)
            outcome = await self._flows.enter(
                tx,
                known.credentials,
                proof,
                origin=visit.origin,
                device=visit.device,
                facts=facts,
                now=now,
            )
            # After it: everybody changes an identity first and its accounts then, or two would wait for each other.
            self._linking.keep(tx, arrived, known.account_id, known.id, now=now)
            return outcome

    async def _arrive(
        self,
        tx: Transaction,
        arrived: Arrived,
        entity_type: EntityType,
        rules: ProviderRules,
        visit: Visit,
        now: datetime,
    ) -> Arrival | ArrivalRefused:
        who, email = arrived.identity, _address(arrived.identity)
        reason = _not_for(rules, entity_type, who)
        if reason is not None:
            return self._refuse(tx, None, who, visit, reason, now)
        key = email.normalized if email else None
        found = await tx.fetch_all(store.LOCK_KNOWN, who.provider, who.account_id, entity_type.name, key)
        linked = next((known for known in found if known.account_id is not None), None)
        known = linked or next(iter(found), None)
        if visit.is_in_place_of_password and known is not None and known.password_hash is not None:
            return self._refuse(tx, known, who, visit, ArrivalReason.HAS_PASSWORD, now)
        if linked is not None and linked.account_id is not None:
            return await self._return(tx, arrived, linked, linked.account_id, rules, visit, now)
        policy = LinkingPolicy(
            creates=may_be_made(entity_type, rules),
            links_known_address=rules.on_known_address is OnKnownAddress.LINK,
            asks_to_sign_in_first=rules.on_known_address is not OnKnownAddress.REFUSE,
        )
        match policy.course(who, known):
            case ArrivalReason() as reason:
                return self._refuse(tx, known, who, visit, reason, now)
            case Course.LINK if known is not None:
                return await self._link(tx, arrived, known.credentials, rules, visit, now)
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
        if known.awaits_approval:
            return AwaitsApproval(known.id)
        if not known.is_active:
            return self._refuse(tx, known, arrived.identity, visit, ArrivalReason.NOT_ACTIVE, now)
        claims = dict(arrived.identity.profile)
        if rules.profile_refresh is ProfileRefresh.ALWAYS and claims != known.profile:
            await self._refresh_profile(tx, known.credentials, claims, now)
        self._linking.keep(tx, arrived, account_id, known.id, now=now)
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
        account_id = self._linking.link(tx, arrived, owner, LinkedBy.SIGN_IN, visit.origin, now=now)
        return await self._enter(tx, owner, arrived, account_id, rules, visit, now)

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
            roles=sorted(mapped(rules, who)),
            granted_by=granted_by(who),
            locale=visit.locale,
            verified_at=now if email else None,
            awaits_approval=entity_type.needs_approval,
        )
        identity = await self._provisioning.make(tx, draft, by=None, origin=visit.origin, now=now)
        account_id = self._linking.make(
            tx, arrived, identity.id, entity_type.name, LinkedBy.SIGN_IN, visit.origin, now=now
        )
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
        owner, facts = await self._provider_roles.match(
            tx, owner, facts, arrived.identity, rules, visit.origin, visit.device, now
        )
        proof = _proof(arrived, account_id, rules, visit)
        return await self._flows.enter(
            tx, owner, proof, origin=visit.origin, device=visit.device, facts=facts, now=now
        )

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
        login = Login.refused(identity_id, visit.method, reason, visit.origin, provider=who.provider)
        self._audit.sign_in_refused(tx, login, now=now)
        return ArrivalRefused(reason)


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


def _not_for(rules: ProviderRules, entity_type: EntityType, who: UpstreamIdentity) -> ArrivalReason | None:
    """Say why nobody of this provider comes in as this kind of account, or not this person; None if they may."""
    if rules.link_only:
        return ArrivalReason.LINK_ONLY
    if entity_type.name not in rules.entity_types:
        return ArrivalReason.NOT_OFFERED
    return None if rules.admits(who.email) else ArrivalReason.DOMAIN_NOT_ALLOWED


def may_be_made(entity_type: EntityType, rules: ProviderRules) -> bool:
    """Say whether a provider's word makes such an account (FED-09): never one that administers or serves.

    Where nobody may register, a provider brings newcomers only if it is an organisation's own.
    """
    is_open = entity_type.open_registration or bool(rules.allowed_domains)
    return rules.on_new is OnNew.CREATE and is_open and entity_type.name not in _MADE_BY_OPERATORS


def _address(who: UpstreamIdentity) -> EmailAddress | None:
    """Read the proven address; one that cannot be an address is none."""
    try:
        return parse_email(who.email) if who.email else None
    except InvalidAddress:
        return None


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
