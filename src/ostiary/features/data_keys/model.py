"""What a data key is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from ostiary.foundation.errors import OstiaryError


class Purpose(StrEnum):
    """What a data key is for."""

    INSTALLATION = "installation"
    """Everything of an installation that is not in the vault is derived from these."""
    VAULT = "vault"
    """What linked accounts' tokens are sealed under."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key in the clear, which never leaves this process's memory."""

    id: UUID
    number: int
    secret: bytes = field(repr=False)


class RootKeyMissing(OstiaryError):
    """Data keys are wrapped under root keys that are not configured here."""

    def __init__(self, versions: list[int]) -> None:
        named = ", ".join(map(str, versions))
        super().__init__(
            f"This database needs root keys that are not configured here, of version {named}: keys in it are still "
            "wrapped under them. Put them back into OSTIARY_ROOT_KEYS (or OSTIARY_VAULT__KMS_KEYS); with both old and "
            "new ones there, `ostiary vault rotate-kek` wraps everything under the newest, and `ostiary vault status` "
            "says which may be removed."
        )
        self.versions = versions


class RootKeysMissing(OstiaryError):
    """A database of before data keys needs the root keys themselves, and there are none."""

    def __init__(self) -> None:
        super().__init__(
            "What this database holds is sealed under the root keys themselves, and none are configured here. Set "
            "OSTIARY_ROOT_KEYS as it was, beside the key service's keys, and start once more."
        )
