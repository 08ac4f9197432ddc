"""Refreshing a provider's tokens: ask, and keep what it answers.

Whoever is here holds the claim of the account. The provider is asked outside any transaction; what it gives is kept in one,
and tried again until it is, because a refresh token that was replaced is worth nothing any more.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.audit import SYSTEM, Action, Event
from ostiary.features.identities import IDENTITY_PREFIX, IdentityNotFound
from ostiary.features.outbox import Template
from ostiary.features.upstream import UpstreamReason, UpstreamRefused
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from datetime import datetime

    from ostiary.features.audit import Audit
    from ostiary.features.identities import Identities
    from ostiary.features.outbox import Outbox
    from ostiary.features.upstream import Upstream
    from ostiary.features.vault import ClaimedRefresh, RefreshClaims, UpstreamTokens, Vault
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database

_log = logging.getLogger("ostiary.upstream")
# Within the life of a claim, with time left to keep the answer.
_LONGEST_CALL: Final = timedelta(seconds=20)
_LONGEST_PAUSE: Final = timedelta(minutes=5)
_FIRST_PAUSE: Final = timedelta(seconds=1)
_MOST_DOUBLINGS: Final = 9
# Seconds between attempts to keep an answer: for about as long as a database takes to fail over.
_KEEP_AGAIN_AFTER: Final = (0.1, 0.5, 1, 2, 4, 8, 8)
_INTERRUPTED: Final = "refresh_interrupted"


def pause_after(failures: int, entropy: Entropy) -> timedelta:
    """Return how long a provider is left alone after one more failure than `failures`.

    Twice as long each time, up to five minutes, less up to half, as chance has it.
    """
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures, _MOST_DOUBLINGS))
    milliseconds = longest // timedelta(milliseconds=1)
    return timedelta(milliseconds=milliseconds - entropy.below(milliseconds // 2))


class Refreshes:
    """The refreshes of one installation; what becomes of each is kept with its account."""

    def __init__(
        self,
        database: Database,
        entropy: Entropy,
        *,
        vault: Vault,
        claims: RefreshClaims,
        upstream: Upstream,
        identities: Identities,
        audit: Audit,
        outbox: Outbox,
    ) -> None:
        self._database = database
        self._entropy = entropy
        self._vault = vault
        self._claims = claims
        self._upstream = upstream
        self._identities = identities
        self._audit = audit
        self._outbox = outbox

    async def make(self, claimed: ClaimedRefresh, *, now: datetime) -> None:
        """Ask the provider for new tokens, and keep them, or why there are none.

        Raises `Unavailable` if the database cannot be reached.
        """
        try:
            async with asyncio.timeout(_LONGEST_CALL.total_seconds()):
                tokens = await self._upstream.refresh(
                    claimed.provider,
                    claimed.refresh_token,
                    account_id=claimed.provider_account_id,
                    now=now,
                )
        except UpstreamRefused as refused:
            if refused.reason is UpstreamReason.GRANT_ENDED:
                await self._end_grant(claimed, now)
            else:
                await self._record(claimed, Action.LINKED_ACCOUNT_REFRESH_REFUSED, refused.reason, now)
                await self._put_off(claimed, now)
        except Unavailable as unavailable:
            await self._put_off(claimed, now, least=unavailable.retry_after)
        except TimeoutError:
            await self._put_off(claimed, now)
        except Exception:
            # Whatever it is, the next one is not to run into it at once.
            await self._put_off(claimed, now)
            raise
        else:
            await self._keep(claimed, tokens, now)

    async def _put_off(
        self, claimed: ClaimedRefresh, now: datetime, *, least: timedelta = timedelta(0)
    ) -> None:
        pause = max(pause_after(claimed.failures, self._entropy), min(least, _LONGEST_PAUSE))
        await self._claims.put_off(claimed, until=now + pause)

    async def _keep(self, claimed: ClaimedRefresh, tokens: UpstreamTokens, now: datetime) -> None:
        """Commit new tokens. Once it is unknown whether they were, the next attempt finds out."""
        for pause in _KEEP_AGAIN_AFTER:
            with suppress(Unavailable):
                await self._keep_once(claimed, tokens, now)
                return
            await asyncio.sleep(pause)
        await self._keep_once(claimed, tokens, now)

    async def _keep_once(self, claimed: ClaimedRefresh, tokens: UpstreamTokens, now: datetime) -> None:
        async with self._database.transaction() as tx:
            owner = await self._claims.settle(tx, claimed, now=now)
            if owner is not None:
                self._vault.keep(tx, claimed.account_id, owner, tokens, now=now)

    async def _end_grant(self, claimed: ClaimedRefresh, now: datetime) -> None:
        """Mark that the account has to be connected again, and tell its owner, once."""
        recipient = None
        with suppress(IdentityNotFound):
            recipient = (await self._identities.get(claimed.identity_id)).recipient
        reason = _INTERRUPTED if claimed.was_interrupted else UpstreamReason.GRANT_ENDED.value
        provider = self._upstream.providers.get(claimed.provider)
        async with self._database.transaction() as tx:
            if not await self._claims.end_grant(tx, claimed, now=now):
                return
            event = self._event(claimed, Action.LINKED_ACCOUNT_GRANT_ENDED, reason)
            self._audit.record(tx, event, now=now)
            if recipient is not None:
                values = {"provider": provider.label}
                self._outbox.notify(tx, recipient, Template.ACCOUNT_NEEDS_RECONNECTION, values, now=now)

    async def _record(self, claimed: ClaimedRefresh, action: Action, reason: str, now: datetime) -> None:
        async with self._database.transaction() as tx:
            self._audit.record(tx, self._event(claimed, action, reason), now=now)

    def _event(self, claimed: ClaimedRefresh, action: Action, reason: str) -> Event:
        return Event(
            action,
            SYSTEM,
            target_kind="identity",
            target_id=format_id(IDENTITY_PREFIX, claimed.identity_id),
            success=False,
            reason=reason,
            metadata={"account": claimed.external_id, "provider": claimed.provider},
        )
