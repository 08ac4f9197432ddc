"""What is sealed, opened: tokens, secrets of authenticator apps, archives; each has to be what is over there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.features.legacy.model import LegacyError
from ostiary.features.legacy.rows.aggregates import encode_rows
from ostiary.features.legacy.running.strays import stray_of
from ostiary.features.legacy.store import packed
from ostiary.features.legacy.verifying import observing_store as rows
from ostiary.features.passwords import PasswordHash
from ostiary.features.vault import SealedTokens
from ostiary.foundation.crypto import CannotOpen, mac
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from ostiary.features.legacy.model import Aggregate, Derived, MadeAccount
    from ostiary.features.legacy.verifying.verification import Verification
    from ostiary.features.legacy.work import Work

VAULT: Final = "vault"
ARCHIVES: Final = "archives"
FACTORS: Final = "authenticator apps"
PLAIN: Final = "passwords that were open"
_TOKENS: Final = ("access_token", "refresh_token", "id_token")


class Opening:
    """Opens whatever a migration has sealed."""

    def __init__(self, work: Work, result: Verification) -> None:
        self._work = work
        self._result = result

    async def check(self, derived: Mapping[str, Derived]) -> None:
        """Open the tokens and the secrets of some owners, and try the passwords that lay open."""
        await self._check_tokens(derived)
        await self._check_factors(derived)
        await self._check_passwords(derived)

    async def check_archives(self, aggregates: Sequence[Aggregate], *, changed: set[str]) -> None:
        """Open the archives of some owners; of those that have `changed` over there only whether they open."""
        database, migration_id = self._work.tools.database, self._work.migration.id
        keys = [one.text for one in aggregates]
        sealed = {
            row.root_key: row.archive for row in await database.fetch_all(rows.ARCHIVES, migration_id, keys)
        }
        for aggregate in aggregates:
            archive = sealed.get(aggregate.text)
            if archive is None:
                continue
            self._result.check(ARCHIVES).total += 1
            name, wanted = next(iter(aggregate.rows.items()))
            try:
                opened = self._work.opened(aggregate.text, archive)
            except LegacyError:
                self._result.differ(ARCHIVES, name, wanted[0].key, "its archive does not open")
                continue
            if aggregate.text not in changed and opened != encode_rows(aggregate, self._work.owners.shapes):
                self._result.differ(ARCHIVES, name, wanted[0].key, "its archive holds other rows")

    async def check_kept(self, known: Sequence[rows.KnownRoot]) -> None:
        """Open the archives of some owners: each has to hold what its digest was made of."""
        database, migration_id = self._work.tools.database, self._work.migration.id
        digests = {root.root_key: root.digest for root in known if root.digest is not None}
        for row in await database.fetch_all(rows.ARCHIVES, migration_id, list(digests)):
            self._result.check(ARCHIVES).total += 1
            table, key = stray_of(row.root_key) or (self._work.plan.profile.root, row.root_key)
            try:
                opened = self._work.opened(row.root_key, row.archive or b"")
            except LegacyError:
                self._result.differ(ARCHIVES, table, key, "its archive does not open")
                continue
            if mac(self._work.digest_key, opened) != digests[row.root_key]:
                self._result.differ(ARCHIVES, table, key, "its archive holds other rows")

    async def _check_tokens(self, derived: Mapping[str, Derived]) -> None:
        made = {
            account.id: (key, account)
            for key, one in derived.items()
            for account in one.accounts
            if any(getattr(account, name) is not None for name in _TOKENS)
        }
        if not made:
            return
        found = await self._work.tools.database.fetch_all(
            rows.SEALED_ACCOUNTS, *packed(one.bytes for one in made)
        )
        for row in found:
            key, account = made[row.id]
            self._result.check(VAULT).total += 1
            what = await self._open(row, account)
            if what is not None:
                self._result.differ(VAULT, "linked_accounts", key, what)

    async def _open(self, row: rows.SealedAccount, account: MadeAccount) -> str | None:
        """Say what is wrong with the tokens of an account."""
        sealed = SealedTokens(row.access_token, row.refresh_token, row.id_token)
        try:
            opened = await self._work.tools.vault.opened(
                self._work.tools.database, row.id, row.identity_id, sealed
            )
        except CannotOpen:
            return "a token does not open"
        for name, token in zip(_TOKENS, opened, strict=True):
            if (None if token is None else token.reveal()) != getattr(account, name):
                return f"{name} is another"
        return None

    async def _check_factors(self, derived: Mapping[str, Derived]) -> None:
        made = {totp.id: (key, totp.secret) for key, one in derived.items() for totp in one.totps}
        if not made:
            return
        for row in await self._work.tools.database.fetch_all(
            rows.SEALED_TOTPS, *packed(one.bytes for one in made)
        ):
            key, secret = made[row.id]
            self._result.check(FACTORS).total += 1
            what = self._open_secret(row.id, row.secret_sealed, secret)
            if what is not None:
                self._result.differ(FACTORS, "totp_factors", key, what)

    def _open_secret(self, factor_id: UUID, sealed: bytes, secret: bytes) -> str | None:
        try:
            opened = self._work.tools.second_factors.opened(factor_id, sealed)
        except CannotOpen:
            return "a secret does not open"
        return None if opened == secret else "a secret is another"

    async def _check_passwords(self, derived: Mapping[str, Derived]) -> None:
        """A password that lay open has a hash of our own, which only a trial tells to be its."""
        made = {
            identity.id: (key, password)
            for key, one in derived.items()
            for identity in one.identities
            if (password := identity.open_password) is not None
        }
        if not made:
            return
        tools = self._work.tools
        for row in await tools.database.fetch_all(
            rows.BY_ID["identities"], *packed(one.bytes for one in made)
        ):
            key, password = made[row.id]
            self._result.check(PLAIN).total += 1
            stored = PasswordHash.stored(row.password_hash, row.password_scheme)
            if not (await tools.passwords.verify(Secret(password), stored)).valid:
                self._result.differ(PLAIN, "identities", key, "the password is refused")
