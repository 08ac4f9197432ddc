"""Handing out live tokens, and having one of all who want it refresh it."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from ostiary.features.audit import Action, Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.live_tokens.model import LiveToken, TokenReason, TokenRefused
from ostiary.features.upstream import UnknownProvider, UpstreamUnavailable
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from ostiary.features.audit import Audit
    from ostiary.features.live_tokens.model import Reader
    from ostiary.features.live_tokens.refreshes import Refreshes
    from ostiary.features.upstream import Providers
    from ostiary.features.vault import KeptToken, RefreshClaims
    from ostiary.foundation.storage import Database

_log = logging.getLogger("ostiary.upstream")
# Whoever asks for a token is answered in this time, however slow the provider is; the refresh goes on.
_PATIENCE: Final = timedelta(seconds=5)
_LOOK_EVERY: Final = 0.05
_RETRY_AFTER: Final = timedelta(seconds=2)
_BEARER: Final = "Bearer"


class LiveTokens:
    """Reads of live tokens of one installation; one whose end is within `refresh_ahead` is refreshed first."""

    def __init__(
        self,
        database: Database,
        *,
        claims: RefreshClaims,
        refreshes: Refreshes,
        providers: Providers,
        audit: Audit,
        refresh_ahead: timedelta,
    ) -> None:
        self._database = database
        self._claims = claims
        self._refreshes = refreshes
        self._providers = providers
        self._audit = audit
        self._ahead = refresh_ahead
        self._under_way: dict[UUID, asyncio.Task[None]] = {}

    async def access_token(self, account_id: UUID, *, reader: Reader, now: datetime) -> LiveToken:
        """Return an access token that is good now, and record who read it and why; unrecorded, none is returned.

        Raises `TokenRefused`; `UpstreamUnavailable` while it cannot be refreshed; `CannotOpen`.
        """
        kept = await self._kept(account_id, reader, now)
        if kept.is_due(now, self._ahead):
            kept = await self._renewed(kept, reader, now)
        return await self._hand_out(kept, reader, now)

    async def stop(self) -> None:
        """Let refreshes that are under way come to their end: what a provider answers is not to be lost."""
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))

    async def _kept(self, account_id: UUID, reader: Reader, now: datetime) -> KeptToken:
        kept = await self._claims.kept(account_id, now=now)
        if kept is None:
            raise TokenRefused(TokenReason.NO_ACCOUNT)
        reason = self._refusal(kept, reader, now)
        if reason is not None:
            raise TokenRefused(reason)
        return kept

    def _refusal(self, kept: KeptToken, reader: Reader, now: datetime) -> TokenReason | None:
        if not kept.is_in_use:
            return TokenReason.NOT_IN_USE
        if kept.needs_reconnection:
            return TokenReason.NEEDS_RECONNECTION
        if not kept.is_good(now) and not kept.can_refresh(now):
            return TokenReason.NO_TOKENS if kept.access_token is None else TokenReason.EXPIRED
        if not reader.scope <= kept.scopes:
            return TokenReason.SCOPE_NOT_GRANTED
        try:
            self._providers.get(kept.provider)
        except UnknownProvider:
            return TokenReason.PROVIDER_OFF
        return None

    async def _renewed(self, kept: KeptToken, reader: Reader, now: datetime) -> KeptToken:
        """Return what is kept once somebody has refreshed it, or as it is where nobody could and it is still good."""
        if not kept.can_refresh(now):
            return kept
        since = monotonic()
        if kept.refresh_not_before is None or kept.refresh_not_before <= now:
            # Whoever stops waiting does not stop the refresh.
            refresh = self._refresh(kept, now)
            await asyncio.wait([refresh], timeout=_PATIENCE.total_seconds())
            if refresh.done():
                refresh.result()
        moment = now + timedelta(seconds=monotonic() - since)
        kept = await self._kept(kept.id, reader, moment)
        if kept.is_good(moment):
            return kept
        wait = _RETRY_AFTER
        if kept.refresh_not_before is not None:
            wait = max(wait, kept.refresh_not_before - moment)
        raise UpstreamUnavailable(
            "The account's provider gives no new token at the moment: try again after Retry-After.",
            retry_after=wait,
        )

    def _refresh(self, kept: KeptToken, now: datetime) -> asyncio.Task[None]:
        """Return the one refresh of this account in this process, begun if need be."""
        task = self._under_way.get(kept.id)
        if task is None:
            task = asyncio.create_task(self._refresh_or_wait(kept, now))
            self._under_way[kept.id] = task
            task.add_done_callback(self._ended(kept.id))
        return task

    def _ended(self, account_id: UUID) -> Callable[[asyncio.Task[None]], None]:
        def forget(task: asyncio.Task[None]) -> None:
            del self._under_way[account_id]
            # Seen here, as everybody who waited for it may be gone.
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.warning("A token could not be refreshed: %s.", type(error).__name__)

        return forget

    async def _refresh_or_wait(self, kept: KeptToken, now: datetime) -> None:
        """Refresh it, or wait for a while until the worker that does is done."""
        since, elapsed = monotonic(), timedelta(0)
        while True:
            moment = now + elapsed
            ends_by = moment + kept.margin(self._ahead)
            claimed = await self._claims.claim(kept.id, ends_by=ends_by, now=moment)
            if claimed is not None:
                await self._refreshes.make(claimed, now=moment)
                return
            if elapsed >= _PATIENCE or not await self._claims.is_claimed(kept.id, now=moment):
                return
            await asyncio.sleep(_LOOK_EVERY)
            elapsed = timedelta(seconds=monotonic() - since)

    async def _hand_out(self, kept: KeptToken, reader: Reader, now: datetime) -> LiveToken:
        access_token = await self._claims.open(kept)
        owner = format_id(IDENTITY_PREFIX, kept.identity_id)
        metadata = {
            "account": kept.external_id,
            "provider": kept.provider,
            "scope": " ".join(sorted(reader.scope)),
        }
        event = Event(
            Action.LINKED_ACCOUNT_TOKEN_READ,
            reader.who,
            target_kind="identity",
            target_id=owner,
            metadata=metadata,
            personal={"why": reader.why},
        )
        async with self._database.transaction() as tx:
            self._claims.use(tx, kept, otherwise=TokenRefused(TokenReason.NO_TOKENS), now=now)
            self._audit.record(tx, event, now=now)
        return LiveToken(
            account_id=kept.id,
            provider=kept.provider,
            access_token=access_token,
            token_type=kept.token_type or _BEARER,
            scope=kept.scope,
            expires_at=kept.access_token_expires_at,
        )
