"""What can go wrong with linked accounts."""

from __future__ import annotations

from typing import Final

from ostiary.foundation.errors import OstiaryError


class AlreadyLinked(OstiaryError):
    """The account at the provider is linked already, here or with somebody else."""

    CONSTRAINT: Final = "uq_linked_accounts_provider_provider_account_id_entity_type"
    """What a `UniqueViolation` at the end of the transaction names when `Vault.link` came second."""

    def __init__(self) -> None:
        super().__init__(
            "This account at the provider is linked already. Sign in with it, or unlink it there first."
        )
