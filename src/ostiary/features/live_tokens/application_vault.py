"""What an application that Ostiary is embedded in reads from the vault, by its own code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.audit import APPLICATION
from ostiary.features.identities import IDENTITY_PREFIX
from ostiary.features.live_tokens.model import Reader
from ostiary.features.vault import parse_account_id
from ostiary.foundation.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ostiary.features.live_tokens.model import LiveToken
    from ostiary.features.live_tokens.service import LiveTokens
    from ostiary.features.vault import LinkedAccount, Vault
    from ostiary.foundation.clock import Clock


class ApplicationVault:
    """The vault in the hands of the application; what it reads is recorded as read by the application."""

    def __init__(self, live_tokens: LiveTokens, vault: Vault, clock: Clock) -> None:
        self._live_tokens = live_tokens
        self._vault = vault
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
