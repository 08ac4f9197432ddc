"""Leaving for a provider, coming back from it, and being signed out by it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.audit import NOBODY, SYSTEM, Action, Event, Login
from ostiary.features.federation import ArrivalRefused, Visit, once_more
from ostiary.features.identities import IDENTITY_PREFIX, IdentityNotFound, Status
from ostiary.features.provider_sign_in.model import Linked, LinkReason, LinkRefused, Returned
from ostiary.features.sessions import EndReason
from ostiary.features.upstream import Intent, UpstreamRefused, UpstreamUnavailable
from ostiary.features.vault import LinkedBy
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.audit import Audit, Origin
    from ostiary.features.federation import Federation, Linking
    from ostiary.features.identities import Credentials, EntityTypes, Identities
    from ostiary.features.provider_sign_in.model import Outcome
    from ostiary.features.provisioning import Arrival
    from ostiary.features.sessions import Caller, Sessions
    from ostiary.features.upstream import Arrived, Begun, OpenUpstreamFlow, Upstream, UpstreamReason
    from ostiary.features.vault import UpstreamTokens, Vault
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

_METHOD: Final = "provider"
_ROUNDED: Final = timedelta(seconds=1)


class ProviderSignIn:
    """The ways to the providers of one installation and back."""

    def __init__(
        self,
        database: Database,
        *,
        entity_types: EntityTypes,
        identities: Identities,
        upstream: Upstream,
        vault: Vault,
        sessions: Sessions,
        federation: Federation,
        linking: Linking,
        audit: Audit,
    ) -> None:
        self._database = database
        self._entity_types = entity_types
        self._identities = identities
        self._upstream = upstream
        self._vault = vault
        self._sessions = sessions
        self._federation = federation
        self._linking = linking
        self._audit = audit

    async def leave(self, provider: str, *, entity_type: str, return_to: str | None, now: datetime) -> Begun:
        """Send somebody to a provider to sign in there.

        Raises `UnknownProvider`, `UnknownEntityType`, `UpstreamUnavailable`.
        """
        self._entity_types.get(entity_type)
        return await self._upstream.begin(
            provider, intent=Intent.SIGN_IN, entity_type=entity_type, return_to=return_to, now=now
        )

    async def leave_to_link(
        self, caller: Caller, provider: str, *, return_to: str | None, now: datetime
    ) -> Begun:
        """Send the caller to a provider to link their account there to theirs here.

        Raises `UnknownProvider`, `UpstreamUnavailable`.
        """
        return await self._upstream.begin(
            provider,
            intent=Intent.LINK,
            entity_type=caller.entity_type,
            identity_id=caller.identity_id,
            session_id=caller.session_id,
            return_to=return_to,
            now=now,
        )

    async def come_back(
        self,
        provider: str,
        parameters: Mapping[str, str],
        *,
        browsers: Sequence[Secret],
        device: Secret | None,
        locale: str | None,
        origin: Origin,
        now: datetime,
    ) -> Returned:
        """Take up what a provider sends back with a browser, which must be the one that left (FED-03).

        Whoever is known already costs three round trips beyond the one that uses the flow up. Raises `UnknownProvider`,
        and `SignInOvertaken`.
        """
        try:
            flow = await self._upstream.consume(provider, parameters, browsers=browsers, now=now)
        except UpstreamRefused as refused:
            return Returned(None, await self._refuse(provider, refused.reason, None, origin, now))
        return Returned(flow.return_to, await self._outcome(flow, parameters, device, locale, origin, now))

    async def with_token(
        self,
        provider: str,
        id_token: Secret,
        nonce: Secret | None,
        tokens: UpstreamTokens,
        visit: Visit,
        *,
        now: datetime,
    ) -> Arrival | ArrivalRefused | UpstreamReason:
        """Sign somebody in whose application was at the provider itself and brings the ID token.

        Raises `UnknownProvider`, `UnknownEntityType`, `UpstreamUnavailable`, `SignInOvertaken`.
        """
        self._entity_types.get(visit.entity_type)
        try:
            arrived = await self._upstream.arrive_with_token(provider, id_token, nonce, tokens, now=now)
        except UpstreamRefused as refused:
            return await self._refuse(provider, refused.reason, None, visit.origin, now)
        return await self._federation.arrive(arrived, visit, now=now)

    async def issue_nonce(self, provider: str, *, now: datetime) -> Secret:
        """Make a nonce for an application that goes to a provider itself. Raises `UnknownProvider`."""
        async with self._database.transaction() as tx:
            return self._upstream.issue_nonce(tx, provider, now=now)

    async def log_out(self, provider: str, logout_token: Secret, *, now: datetime) -> int:
        """End the sessions a provider says it has signed out, and return how many there were.

        A token counts once, and ends no session that began after it was issued unless it names that (LOG-02, F10). Raises `UnknownProvider`,
        `UpstreamRefused`, `UpstreamUnavailable`.
        """
        said = await self._upstream.verify_logout(provider, logout_token, now=now)
        # What is named by `sid` is over for good; what is not may have begun anew, but not within the second `iat` rounds to.
        latest = now if said.session_id is not None else said.issued_at + _ROUNDED
        async with self._database.transaction() as tx:
            if not await self._upstream.heed_once(tx, said, now=now):
                return 0
            named = await self._sessions.began_with(
                tx, provider, account_id=said.account_id, session_id=said.session_id, by=latest
            )
            for session in named:
                await self._end(tx, session.identity_id, session.id, provider, now)
            return len(named)

    async def _end(
        self, tx: Transaction, identity_id: UUID, session_id: UUID, provider: str, now: datetime
    ) -> None:
        reason = EndReason.PROVIDER_LOGOUT
        await self._sessions.end(tx, identity_id, session_id, reason=reason, now=now)
        event = Event(
            Action.SESSION_ENDED,
            SYSTEM,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, identity_id),
            session_id=session_id,
            reason=reason,
            metadata={"provider": provider},
        )
        self._audit.record(tx, event, now=now)

    async def _outcome(
        self,
        flow: OpenUpstreamFlow,
        parameters: Mapping[str, str],
        device: Secret | None,
        locale: str | None,
        origin: Origin,
        now: datetime,
    ) -> Outcome:
        try:
            arrived = await self._upstream.finish(flow, parameters, now=now)
        except UpstreamRefused as refused:
            return await self._refuse(flow.provider, refused.reason, flow.identity_id, origin, now)
        except UpstreamUnavailable:
            return None
        if flow.intent is Intent.LINK:
            return await self._link(flow, arrived, origin, now)
        visit = Visit(flow.entity_type, origin, _METHOD, device, locale)
        return await self._federation.arrive(arrived, visit, now=now)

    async def _link(
        self, flow: OpenUpstreamFlow, arrived: Arrived, origin: Origin, now: datetime
    ) -> Linked | LinkRefused:
        async def link() -> Linked | LinkRefused:
            async with self._database.transaction() as tx:
                outcome = await self._link_in(tx, flow, arrived, origin, now)
                if isinstance(outcome, LinkRefused):
                    self._note_unlinked(tx, flow, outcome.reason, origin, now)
                return outcome

        return await once_more(link)

    async def _link_in(
        self, tx: Transaction, flow: OpenUpstreamFlow, arrived: Arrived, origin: Origin, now: datetime
    ) -> Linked | LinkRefused:
        owner, who = await self._wanted_by(tx, flow, now), arrived.identity
        if owner is None:
            return LinkRefused(LinkReason.SIGNED_OUT)
        if not self._linking.may_be_linked(who, owner.entity_type):
            return LinkRefused(LinkReason.NOT_OFFERED)
        known = await self._vault.find_by_provider_account(
            tx, owner.entity_type, who.provider, who.account_id
        )
        if known is None:
            return Linked(self._linking.link(tx, arrived, owner, LinkedBy.INTENT, origin, now=now))
        if known.identity_id != owner.id:
            return LinkRefused(LinkReason.LINKED_ELSEWHERE)
        self._linking.relink(tx, known.id, arrived, owner, origin, now=now)
        return Linked(known.id)

    async def _wanted_by(self, tx: Transaction, flow: OpenUpstreamFlow, now: datetime) -> Credentials | None:
        """Lock and return who wanted to link an account, None if the session they wanted it in has ended since."""
        if flow.identity_id is None or flow.session_id is None:
            return None
        try:
            owner = await self._identities.lock_for_change(tx, flow.identity_id)
        except IdentityNotFound:
            return None
        is_live = await self._sessions.is_live(tx, owner.id, flow.session_id, now=now)
        return owner if is_live and owner.status is Status.ACTIVE else None

    def _note_unlinked(
        self, tx: Transaction, flow: OpenUpstreamFlow, reason: LinkReason, origin: Origin, now: datetime
    ) -> None:
        event = Event(
            Action.ACCOUNT_LINK_REFUSED,
            NOBODY,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, flow.identity_id) if flow.identity_id else None,
            session_id=flow.session_id,
            origin=origin,
            success=False,
            reason=reason,
            metadata={"provider": flow.provider},
        )
        self._audit.record(tx, event, now=now)

    async def _refuse(
        self,
        provider: str,
        reason: UpstreamReason,
        identity_id: UUID | None,
        origin: Origin,
        now: datetime,
    ) -> UpstreamReason:
        """Record that a provider's answer was not believed, and why: the answer outside does not say it."""
        login = Login.refused(identity_id, _METHOD, reason, origin, provider=provider)
        async with self._database.transaction() as tx:
            self._audit.sign_in_refused(tx, login, now=now)
        return reason
