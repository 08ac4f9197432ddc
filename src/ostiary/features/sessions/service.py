"""Starting, refreshing, listing and ending sessions."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.features.audit import NOBODY, Action, Event, Login, Origin
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.roles import permissions_of
from ostiary.features.sessions import store
from ostiary.features.sessions.endings import ENDINGS, EndReason, Linked, Reach, require
from ostiary.features.sessions.model import (
    REFRESH_KIND,
    Refusal,
    Refused,
    Rotated,
    Rotation,
    Session,
    Tokens,
    device_label,
    external_session_id,
)
from ostiary.features.sessions.successors import open_successor, seal_successor
from ostiary.foundation.bearer import BearerSecret, InvalidBearerSecret
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from ostiary.features.audit import Audit
    from ostiary.features.challenges import Challenges
    from ostiary.features.identities import Identities
    from ostiary.features.sessions.access_tokens import AccessTokens
    from ostiary.features.sessions.model import Authentication, Ended, Lifetimes, Owned
    from ostiary.features.sessions.revocations import Revocations
    from ostiary.features.vault import Vault
    from ostiary.foundation.cache import SharedCache
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Statements, Transaction

_USER_AGENT_LENGTH: Final = 400
_FIRST_ID: Final = UUID(int=0)
_MILLISECOND: Final = timedelta(milliseconds=1)
_RECENTLY: Final = timedelta(days=7)
_CACHED: Final = "session"
# No more often is a session's last use written down.
_CACHED_FOR: Final = timedelta(minutes=1)
# What ends the session that is refreshed.
_FATAL: Final = {
    Refusal.REUSED: (EndReason.REFRESH_TOKEN_REUSED, Action.REFRESH_TOKEN_REUSED),
    Refusal.FACTOR_MISSING: (EndReason.FACTOR_MISSING, Action.SESSION_ENDED),
}


class SignInOvertaken(OstiaryError):
    """The identity was suspended, deleted or signed out everywhere while it was signing in."""

    def __init__(self) -> None:
        super().__init__("This account changed while it was signing in. Sign in again.")


class Sessions:
    """The sessions of one installation."""

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        identities: Identities,
        challenges: Challenges,
        vault: Vault,
        audit: Audit,
        revocations: Revocations,
        access_tokens: AccessTokens,
        lifetimes: Lifetimes,
        is_enough: Callable[[Rotation], bool],
        cache: SharedCache | None = None,
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._identities = identities
        self._challenges = challenges
        self._vault = vault
        self._audit = audit
        self._access_tokens = access_tokens
        self._lifetimes = lifetimes
        self._is_enough = is_enough
        self._cache = cache
        self.revocations: Final = revocations

    def start(self, tx: Transaction, authentication: Authentication, *, now: datetime) -> Tokens:
        """Start a session for a finished authentication when `tx` ends, which may be with `SignInOvertaken`."""
        self._identities.complete_sign_in(
            tx, authentication.identity_id, epoch=authentication.epoch, overtaken=SignInOvertaken(), now=now
        )
        authenticated_at = authentication.authenticated_at or now
        session_id = new_id(now, self._entropy)
        refresh_token = BearerSecret.new(REFRESH_KIND, new_id(now, self._entropy), self._entropy)
        expires_at = authentication.expires_at(now + self._lifetimes.refresh)
        user_agent = authentication.origin.user_agent
        via, follows = authentication.via, authentication.follows
        began_with = (via.account_id, via.provider_session_id) if via else (None, None)
        tx.defer(
            store.INSERT_FOLLOWING if follows else store.INSERT_SESSION,
            session_id,
            authentication.identity_id,
            authentication.origin.ip_address,
            user_agent and user_agent[:_USER_AGENT_LENGTH],
            device_label(user_agent),
            list(authentication.amr),
            authenticated_at,
            {},
            now,
            now + self._lifetimes.idle,
            expires_at,
            *((follows,) if follows else began_with),
        )
        tx.defer(
            store.INSERT_REFRESH_TOKEN, refresh_token.id, session_id, refresh_token.digest, now, expires_at
        )
        self._audit.record_login(
            tx,
            Login(
                authentication.identity_id,
                session_id,
                method=authentication.method,
                success=True,
                provider=authentication.provider,
                origin=authentication.origin,
                device=device_label(user_agent),
            ),
            owner=authentication.owner,
            now=now,
        )
        access_token, expires_in = self._access_tokens.issue(
            identity_id=authentication.identity_id,
            entity=(authentication.entity_type, authentication.entity_id),
            session_id=session_id,
            epoch=authentication.epoch,
            authenticated_at=authenticated_at,
            amr=authentication.amr,
            roles=[grant.role for grant in authentication.grants],
            permissions=permissions_of(authentication.grants),
            ends_by=(expires_at, *(grant.expires_at for grant in authentication.grants)),
            now=now,
        )
        return Tokens(
            access_token,
            expires_in,
            refresh_token.text,
            int((expires_at - now).total_seconds()),
            session_id,
        )

    async def rotate(self, presented: Secret, *, origin: Origin, now: datetime) -> Rotated | Refused:
        """Exchange a refresh token for its successor and a new access token (RFC 9700 §4.14.2).

        One statement. A retry within the grace time gets the same successor; a replay after it ends the session
        and everything under it, and so does a policy that demands more proof by now (MFA-05).
        """
        try:
            token = BearerSecret.parse(REFRESH_KIND, presented)
        except InvalidBearerSecret:
            return Refused(Refusal.MALFORMED)
        successor = BearerSecret.new(REFRESH_KIND, new_id(now, self._entropy), self._entropy)
        facts = await self._spend(token, successor, now)
        if facts is None:
            return Refused(Refusal.UNKNOWN)
        refusal = facts.refusal(grace=self._lifetimes.grace, now=now)
        if refusal is None and not self._is_enough(facts):
            refusal = Refusal.FACTOR_MISSING
        if refusal is not None and refusal in _FATAL:
            await self._end_family(facts, refusal, origin, now)
        if refusal is not None:
            return Refused(refusal)
        if facts.spent_now:
            self._forget(facts.identity_id, facts.session_id)
        else:
            successor = open_successor(token, facts.successor_sealed or b"")
        return Rotated(self._tokens(facts, successor, now))

    async def list(self, identity_id: UUID, *, now: datetime) -> Sequence[Session]:
        """Return the live sessions of an identity, the last used one first, by one statement."""
        return await self._database.fetch_all(store.LIST, identity_id, now)

    async def find(self, identity_id: UUID, session_id: UUID, *, now: datetime) -> Session | None:
        """Return what is known about a session of this identity that has not ended.

        With Redis the answer may be a minute old: it is for showing, and nothing may be decided by it (S4).
        """
        if self._cache is None:
            return await self._database.fetch_one(store.FIND, session_id, identity_id)
        cached = await self._cache.find(_CACHED, identity_id, session_id, into=Session, now=now)
        if cached is not None:
            return cached
        found = await self._database.fetch_one(store.FIND, session_id, identity_id)
        if found is not None:
            place = (_CACHED, identity_id, session_id)
            await self._cache.keep(*place, value=found, good_for=_CACHED_FOR, now=now)
        return found

    async def is_live(
        self, source: Statements, identity_id: UUID, session_id: UUID, *, now: datetime
    ) -> bool:
        """Say whether a session of this identity goes on, by the database's own word."""
        return await source.fetch_one(store.IS_LIVE, session_id, identity_id, now) is not None

    async def end(
        self, tx: Transaction, identity_id: UUID, session_id: UUID, *, reason: EndReason, now: datetime
    ) -> bool:
        """End one session of this identity with all its tokens; False when there is no such live session."""
        require(reason, sessions=Reach.NAMED)
        ended = await tx.fetch_all(store.END, identity_id, now, reason, session_id)
        if not ended:
            return False
        await self._bury(tx, identity_id, ended, reason, now)
        await self._cancel_flows(tx, identity_id, reason)
        return True

    async def end_others(
        self, tx: Transaction, identity_id: UUID, *, keep: UUID, reason: EndReason, now: datetime
    ) -> int:
        """End every session of an identity but `keep`, and return how many there were."""
        require(reason, sessions=Reach.NAMED)
        ended = await tx.fetch_all(store.END_OTHERS, identity_id, now, reason, keep)
        await self._cancel_flows(tx, identity_id, reason)
        await self._bury(tx, identity_id, ended, reason, now)
        return len(ended)

    async def end_all(
        self,
        tx: Transaction,
        identity_id: UUID,
        *,
        reason: EndReason,
        followed: UUID | None = None,
        now: datetime,
    ) -> int:
        """End every session of an identity and every token it has, and return its new token epoch.

        Raising the epoch also overtakes every sign-in that is under way. `followed` is the session that another one
        takes the place of in the same transaction.
        """
        require(reason, sessions=Reach.ALL)
        # The identity's row first: everybody who ends several sessions waits there, in one order.
        epoch = await self._raise_epoch(tx, identity_id, reason, now)
        await self._cancel_flows(tx, identity_id, reason)
        ended = await tx.fetch_all(store.END_ALL, identity_id, now, reason)
        tx.on_commit(partial(self._forget, identity_id, *(session.id for session in ended)))
        self._audit.all_sessions_ended(tx, identity_id, now=now)
        if ENDINGS[reason].linked is Linked.ERASED:
            self._vault.clear_all(tx, identity_id, now=now)
        await self._clear_unused(tx, identity_id, ended, reason, now, followed)
        return epoch

    async def end_of_account(
        self, tx: Transaction, identity_id: UUID, account_id: UUID, *, reason: EndReason, now: datetime
    ) -> int:
        """End every session of an identity that began with a linked account, and return how many there were."""
        sessions = await tx.fetch_all(store.OF_ACCOUNT, identity_id, account_id)
        for session_id in sessions:
            await self.end(tx, identity_id, session_id, reason=reason, now=now)
        return len(sessions)

    async def began_with(
        self,
        tx: Transaction,
        provider: str,
        *,
        account_id: str | None,
        session_id: str | None,
        by: datetime,
    ) -> Sequence[Owned]:
        """Return the live sessions, begun by then, of an account at a provider or of one session there, by owner."""
        return await tx.fetch_all(store.BEGAN_WITH, provider, account_id, session_id, by)

    async def end_access_tokens(
        self, tx: Transaction, identity_id: UUID, *, reason: EndReason, now: datetime
    ) -> int:
        """End every access token of an identity, and return its new epoch; its sessions can still refresh."""
        require(reason, sessions=Reach.NONE)
        return await self._raise_epoch(tx, identity_id, reason, now)

    async def _raise_epoch(self, tx: Transaction, identity_id: UUID, reason: EndReason, now: datetime) -> int:
        epoch = await self._identities.raise_epoch(tx, identity_id, now=now)
        await self.revocations.end_epochs_below(
            tx,
            format_id(IDENTITY_PREFIX, identity_id),
            of=identity_id,
            epoch=epoch,
            reason=reason,
            by=None,
            now=now,
        )
        return epoch

    async def find_by_refresh_token(
        self, tx: Transaction, identity_id: UUID, presented: Secret
    ) -> UUID | None:
        """Return the session of this identity that a refresh token belongs to, spent or not."""
        try:
            token = BearerSecret.parse(REFRESH_KIND, presented)
        except InvalidBearerSecret:
            return None
        return await tx.fetch_one(store.SESSION_OF_REFRESH_TOKEN, token.id, token.digest, identity_id)

    async def _spend(self, token: BearerSecret, successor: BearerSecret, now: datetime) -> Rotation | None:
        sealed = seal_successor(token, successor, entropy=self._entropy)
        facts = await self._database.fetch_one(
            store.ROTATE,
            token.id,
            token.digest,
            now,
            successor.id,
            successor.digest,
            sealed,
            now + self._lifetimes.idle,
            now - self._lifetimes.touch,
        )
        if facts is not None and not facts.spent_now and facts.consumed_at is None:
            # Either it may not be spent, or another caller spent it while this statement waited: look again.
            return await self._database.fetch_one(store.FACTS, token.id, token.digest, now)
        return facts

    async def _end_family(self, facts: Rotation, refusal: Refusal, origin: Origin, now: datetime) -> None:
        reason, action = _FATAL[refusal]
        async with self._database.transaction() as tx:
            await self.end(tx, facts.identity_id, facts.session_id, reason=reason, now=now)
            self._audit.record(
                tx,
                Event(
                    action,
                    NOBODY,
                    target_kind="identity",
                    target_id=format_id(IDENTITY_PREFIX, facts.identity_id),
                    session_id=facts.session_id,
                    origin=origin,
                    success=False,
                    reason=refusal,
                ),
                now=now,
            )

    async def _cancel_flows(self, tx: Transaction, identity_id: UUID, reason: EndReason) -> None:
        if ENDINGS[reason].cancels_flows:
            await self._challenges.cancel(tx, identity_id)
            await tx.execute(store.CANCEL_FLOWS, identity_id)

    async def _bury(
        self, tx: Transaction, identity_id: UUID, ended: Sequence[Ended], reason: EndReason, now: datetime
    ) -> None:
        for session in ended:
            self._audit.session_ended(tx, session.id, now=now)
            await self.revocations.end_session(
                tx, external_session_id(session.id), of=identity_id, reason=reason, by=None, now=now
            )
            tx.on_commit(partial(self._forget, identity_id, session.id))
        await self._clear_unused(tx, identity_id, ended, reason, now)

    async def _clear_unused(
        self,
        tx: Transaction,
        identity_id: UUID,
        ended: Sequence[Ended],
        reason: EndReason,
        now: datetime,
        followed: UUID | None = None,
    ) -> None:
        """Forget a provider's tokens with the last session that uses them (S4)."""
        began_elsewhere = any(session.linked_account_id for session in ended)
        if began_elsewhere and ENDINGS[reason].linked is Linked.WITH_THE_LAST_SESSION:
            await self._vault.clear_unused(tx, identity_id, followed=followed, now=now)

    def _forget(self, identity_id: UUID, *session_ids: UUID) -> None:
        if self._cache is not None:
            for session_id in session_ids:
                self._cache.forget(_CACHED, identity_id, session_id)

    def _tokens(self, facts: Rotation, successor: BearerSecret, now: datetime) -> Tokens:
        access_token, expires_in = self._access_tokens.issue(
            identity_id=facts.identity_id,
            entity=(facts.entity_type, facts.entity_id),
            session_id=facts.session_id,
            epoch=facts.token_epoch,
            authenticated_at=facts.authenticated_at,
            amr=facts.amr,
            roles=facts.roles,
            permissions=facts.permissions,
            ends_by=(facts.session_expires_at, facts.roles_expire_at),
            now=now,
        )
        refresh_expires_in = int((facts.session_expires_at - now).total_seconds())
        return Tokens(access_token, expires_in, successor.text, refresh_expires_in, facts.session_id)
