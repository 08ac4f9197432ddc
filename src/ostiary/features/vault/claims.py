"""Who may replace a token, and with what right its replacement is kept.

A refresh is claimed in the row before the provider is asked, so that of all workers one asks, and whoever comes after a
crash knows that one was begun. The claim ends by itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.features.vault import claim_store as store
from ostiary.features.vault.claim_model import ClaimedRefresh, KeptToken
from ostiary.features.vault.sealing import SealedTokens
from ostiary.foundation.crypto import CannotOpen
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.vault.service import Vault
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.secret import Secret
    from ostiary.foundation.storage import Database, Transaction

CLAIM_LIFETIME: Final = timedelta(seconds=30)
"""How long nobody else asks the provider; whoever claims must be done with asking by then."""


class RefreshClaims:
    """Reading the tokens of linked accounts, and replacing them one at a time."""

    def __init__(self, database: Database, entropy: Entropy, *, vault: Vault) -> None:
        self._database = database
        self._entropy = entropy
        self._vault = vault

    async def kept(self, account_id: UUID, *, now: datetime) -> KeptToken | None:
        """Return what is kept of an account, its access token sealed."""
        return await self._database.fetch_one(store.KEPT, account_id, now)

    async def open(self, kept: KeptToken) -> Secret:
        """Open an access token. Raises `CannotOpen`, also for one that is not there."""
        sealed = SealedTokens(access_token=kept.access_token)
        access_token, *_ = await self._vault.opened(self._database, kept.id, kept.identity_id, sealed)
        if access_token is None:
            raise CannotOpen
        return access_token

    def use(self, tx: Transaction, kept: KeptToken, *, otherwise: Exception, now: datetime) -> None:
        """Note that a token is handed out, when `tx` ends; raises `otherwise` there if it was taken away meanwhile."""
        tx.defer(store.USED, kept.id, kept.identity_id, now, otherwise=otherwise)

    async def claim(self, account_id: UUID, *, ends_by: datetime, now: datetime) -> ClaimedRefresh | None:
        """Win the right to refresh an access token that ends by then, by one statement; None if there is none to win.

        Raises `CannotOpen` when the refresh token does not open; the claim then ends by itself.
        """
        claim = new_id(now, self._entropy)
        row = await self._database.fetch_one(
            store.CLAIM, account_id, now, claim, now + CLAIM_LIFETIME, ends_by
        )
        if row is None:
            return None
        sealed = SealedTokens(refresh_token=row.refresh_token)
        _, refresh_token, _ = await self._vault.opened(self._database, account_id, row.identity_id, sealed)
        if refresh_token is None:
            raise CannotOpen
        return ClaimedRefresh(
            account_id=account_id,
            identity_id=row.identity_id,
            provider=row.provider,
            provider_account_id=row.provider_account_id,
            refresh_token=refresh_token,
            claim=claim,
            begun_at=row.refresh_begun_at,
            was_interrupted=row.refresh_begun_at < now,
            failures=row.refresh_failures,
        )

    async def is_claimed(self, account_id: UUID, *, now: datetime) -> bool:
        """Say whether somebody is refreshing it at the moment."""
        return await self._database.fetch_one(store.IS_CLAIMED, account_id, now) is not None

    async def settle(self, tx: Transaction, claimed: ClaimedRefresh, *, now: datetime) -> UUID | None:
        """End a claim whose refresh succeeded, and return whose the account is now; its tokens are to be kept in `tx`.

        None if the answer is of no use any more: the tokens were replaced or cleared, or the account is gone.
        """
        return await tx.fetch_one(store.SETTLE, claimed.account_id, claimed.begun_at, now)

    async def put_off(self, claimed: ClaimedRefresh, *, until: datetime) -> None:
        """End a claim whose refresh failed; the next may try then."""
        await self._database.execute(store.PUT_OFF, claimed.account_id, claimed.claim, until)

    async def end_grant(self, tx: Transaction, claimed: ClaimedRefresh, *, now: datetime) -> bool:
        """Mark that the account has to be connected again; False if that is known, or no longer so."""
        parameters = (claimed.account_id, claimed.claim, claimed.identity_id, now)
        return await tx.execute(store.END_GRANT, *parameters) == 1
