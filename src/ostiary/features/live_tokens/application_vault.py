"""What an application that Ostiary is embedded in reads from the vault, by its own code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import APPLICATION, Action, Event
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.live_tokens.model import Reader, TokenReason, TokenRefused
from ostiary.features.vault import parse_account_id
from ostiary.foundation.ids import format_id, parse_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.features.audit import Audit
    from ostiary.features.live_tokens.model import LiveToken
    from ostiary.features.live_tokens.service import LiveTokens
    from ostiary.features.vault import LinkedAccount, Vault
    from ostiary.foundation.clock import Clock
    from ostiary.foundation.storage import Database


class ApplicationVault:
    """The vault in the hands of the application; what it reads is recorded as read by the application."""

    def __init__(
        self, database: Database, *, live_tokens: LiveTokens, vault: Vault, audit: Audit, clock: Clock
    ) -> None:
        self._database = database
        self._live_tokens = live_tokens
        self._vault = vault
        self._audit = audit
        self._clock = clock

    async def access_token(self, account_id: str, *, reason: str, scope: str = "") -> LiveToken:
        """Return a live token of the account `acc_…`, refreshed if need be; `scope` is what it must be good for.

        Raises `InvalidId`, `InvalidReason`, `TokenRefused`, and `UpstreamUnavailable` while it cannot be refreshed.
        """
        reader = Reader(APPLICATION, reason, frozenset(scope.split()))
        return await self._live_tokens.access_token(
            parse_account_id(account_id), reader=reader, now=self._clock.now()
        )

    async def accounts(self, identity_id: str) -> Sequence[LinkedAccount]:
        """Return the accounts of the identity `idn_…`, the oldest first, without tokens. Raises `InvalidId`."""
        return await self._vault.list(parse_id(IDENTITY_PREFIX, identity_id))

    async def clear(self, account_id: str) -> None:
        """Erase the tokens of the account `acc_…`, which stays linked. Raises `InvalidId`, `TokenRefused`."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            account = await self._vault.find(tx, parse_account_id(account_id))
            if account is None:
                raise TokenRefused(TokenReason.NO_ACCOUNT)
            self._vault.clear(tx, account.id, now=now)
            event = Event(
                Action.LINKED_ACCOUNT_CLEARED,
                APPLICATION,
                target_kind="identity",
                target_id=format_id(IDENTITY_PREFIX, account.identity_id),
                metadata={"account": account.external_id, "provider": account.provider},
            )
            self._audit.record(tx, event, now=now)
