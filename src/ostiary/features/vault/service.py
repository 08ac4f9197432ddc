"""Linked accounts and their tokens: kept, read, cleared, moved and unlinked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ostiary.features.vault import store
from ostiary.features.vault.model import LinkedAccount, LinkedBy, UpstreamTokens
from ostiary.features.vault.resealing import Resealing
from ostiary.features.vault.sealing import (
    OpenTokens,
    SealedTokens,
    open_tokens,
    seal_tokens,
    unseal_tokens,
)
from ostiary.features.vault.store import VaultFigures
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.data_keys import DataKeys
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Database, Statements, Transaction


class Vault:
    """The accounts at providers that are linked here. Tokens are sealed with `keys`."""

    def __init__(self, database: Database, entropy: Entropy, *, keys: DataKeys) -> None:
        self._database = database
        self._entropy = entropy
        self._keys = keys
        self.resealing = Resealing(database, entropy, keys=keys)

    def link(
        self,
        tx: Transaction,
        *,
        identity_id: UUID,
        entity_type: str,
        provider: str,
        provider_account_id: str,
        profile: Mapping[str, Any],
        linked_by: LinkedBy,
        tokens: UpstreamTokens | None,
        now: datetime,
    ) -> UUID:
        """Link an account as the transaction ends, and return its id.

        If it is linked already, the end of the transaction raises a `UniqueViolation` of `AlreadyLinked.CONSTRAINT`.
        """
        account_id = new_id(now, self._entropy)
        given = tokens or UpstreamTokens()
        key_id, sealed = self.sealed(account_id, identity_id, open_tokens(given))
        tx.defer(
            store.LINK,
            account_id,
            identity_id,
            entity_type,
            provider,
            provider_account_id,
            dict(profile),
            linked_by,
            *sealed,
            key_id,
            given.access_token_expires_at,
            given.refresh_token_expires_at,
            given.scope,
            given.token_type,
            now,
        )
        return account_id

    def keep(
        self,
        tx: Transaction,
        account_id: UUID,
        identity_id: UUID,
        tokens: UpstreamTokens | None,
        *,
        profile: Mapping[str, Any] | None = None,
        linked_by: LinkedBy | None = None,
        now: datetime,
    ) -> None:
        """Keep the newest tokens of an account as the transaction ends; what else is given is changed, too.

        A token that the provider did not repeat stays. The account need not be connected again, and a refresh
        that is under way may write nothing any more. With no tokens at all, those it has stay.
        """
        given = None if profile is None else dict(profile)
        if tokens is None or not any(open_tokens(tokens)):
            tx.defer(store.SEEN, account_id, identity_id, given, linked_by, now)
            return
        key_id, sealed = self.sealed(account_id, identity_id, open_tokens(tokens))
        tx.defer(
            store.KEEP,
            account_id,
            identity_id,
            *sealed,
            key_id,
            tokens.access_token_expires_at,
            tokens.refresh_token_expires_at,
            tokens.scope,
            tokens.token_type,
            given,
            linked_by,
            now,
        )

    async def find(self, source: Statements, account_id: UUID) -> LinkedAccount | None:
        """Return an account without its tokens."""
        return await source.fetch_one(store.FIND, account_id)

    async def find_by_provider_account(
        self, source: Statements, entity_type: str, provider: str, provider_account_id: str
    ) -> LinkedAccount | None:
        """Return the account that is this one at its provider, for this kind of identity."""
        return await source.fetch_one(
            store.FIND_BY_PROVIDER_ACCOUNT, entity_type, provider, provider_account_id
        )

    async def list(self, identity_id: UUID) -> Sequence[LinkedAccount]:
        """Return the accounts of an identity, the oldest first."""
        return await self._database.fetch_all(store.LIST, identity_id)

    async def tokens(self, source: Statements, account_id: UUID) -> UpstreamTokens | None:
        """Return an account's tokens in the clear, or None if there is no such account. Raises `CannotOpen`."""
        row = await source.fetch_one(store.TOKENS, account_id)
        if row is None:
            return None
        opened = await self.opened(
            source, row.id, row.identity_id, SealedTokens(row.access_token, row.refresh_token, row.id_token)
        )
        return UpstreamTokens(
            *opened,
            access_token_expires_at=row.access_token_expires_at,
            refresh_token_expires_at=row.refresh_token_expires_at,
            scope=row.scope,
            token_type=row.token_type,
        )

    def clear(self, tx: Transaction, account_id: UUID, *, now: datetime) -> None:
        """Forget an account's tokens as the transaction ends; it stays linked."""
        tx.defer(store.CLEAR, account_id, now)

    def clear_all(self, tx: Transaction, identity_id: UUID, *, now: datetime) -> None:
        """Forget the tokens of every account of an identity as the transaction ends; they stay linked."""
        tx.defer(store.CLEAR_ALL, identity_id, now)

    async def clear_unused(
        self, tx: Transaction, identity_id: UUID, *, followed: UUID | None = None, now: datetime
    ) -> None:
        """Forget the tokens of this identity's accounts that no live session uses, `tx` having ended some.

        Those of accounts that were linked on purpose stay, and that of a session which is `followed` by another one.
        """
        if await tx.fetch_all(store.LOCK_CLEARABLE, identity_id):
            await tx.execute(store.CLEAR_UNUSED, identity_id, now, followed)

    async def unlink(self, tx: Transaction, identity_id: UUID, account_id: UUID) -> LinkedAccount | None:
        """Delete an account with its tokens, and return what it was; None if this identity has no such account."""
        return await tx.fetch_one(store.UNLINK, identity_id, account_id)

    async def move(
        self, tx: Transaction, from_identity: UUID, *, to_identity: UUID, now: datetime
    ) -> Sequence[UUID]:
        """Give every account of an identity to another one of the same kind, and return which they were.

        Their tokens are sealed to the new owner. Raises `CannotOpen`.
        """
        accounts = await tx.fetch_all(store.IDS, from_identity)
        for account_id in accounts:
            await self._move(tx, account_id, to_identity, now)
        return accounts

    async def _move(self, tx: Transaction, account_id: UUID, to_identity: UUID, now: datetime) -> None:
        row = await tx.fetch_one(store.LOCK_TOKENS, account_id)
        if row is None:
            return
        sealed = SealedTokens(row.access_token, row.refresh_token, row.id_token)
        opened = await self.opened(tx, row.id, row.identity_id, sealed)
        key_id, sealed = self.sealed(row.id, to_identity, opened)
        await tx.execute(store.MOVE, account_id, to_identity, *sealed, key_id, now)

    async def clear_expired_use(
        self, tx: Transaction, *, after: UUID | None, limit: int, now: datetime
    ) -> tuple[int, UUID | None]:
        """Look at up to `limit` accounts, and forget the tokens of those whose last session has expired.

        Returns how many were forgotten, and after which account to go on; None at the end.
        """
        looked_at = await tx.fetch_all(store.WALK, after or store.FIRST_ID, now, limit)
        cleared = 0
        for account in looked_at:
            if account.is_unused and await tx.fetch_one(store.LOCK_ONE, account.id) is not None:
                cleared += await tx.execute(store.CLEAR_ONE_UNUSED, account.id, now)
        return cleared, looked_at[-1].id if len(looked_at) == limit else None

    async def figures(self, source: Statements) -> VaultFigures:
        """Count the accounts: the linked, those with tokens, and those that must be connected again."""
        return await source.fetch_one(store.FIGURES) or VaultFigures(0, 0, 0)

    async def opened(
        self, source: Statements, account_id: UUID, identity_id: UUID, sealed: SealedTokens
    ) -> OpenTokens:
        """Open an account's sealed columns. Raises `CannotOpen`."""
        keys = await self._keys.named(source, sealed.named_keys())
        return unseal_tokens(keys, account_id, identity_id, sealed)

    def sealed(
        self, account_id: UUID, identity_id: UUID, tokens: OpenTokens
    ) -> tuple[UUID | None, SealedTokens]:
        """Return the columns of an account's tokens, sealed, and the data key that opens them; nothing of nothing."""
        if not any(tokens):
            return None, SealedTokens()
        key = self._keys.current
        return key.id, seal_tokens(key, account_id, identity_id, tokens, entropy=self._entropy)
