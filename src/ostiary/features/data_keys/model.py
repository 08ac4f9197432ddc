"""What a data key is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from ostiary.foundation.crypto import CannotOpen
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.foundation.key_service import KeyService


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


DATA_KEY_PREFIX: Final = "key"


def external_key_id(key_id: UUID) -> str:
    """Write a data key's id as it is shown outside, `key_…`."""
    return format_id(DATA_KEY_PREFIX, key_id)


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


class RootKeyWrong(CannotOpen):
    """A root key that is configured is not the one a data key was wrapped under."""

    def __init__(self, version: int) -> None:
        OstiaryError.__init__(
            self,
            f"The root key of version {version} that is configured here is not the one this database's keys were wrapped "
            "under, or a key in it was altered. Put the right one into OSTIARY_ROOT_KEYS, OSTIARY_ROOT_KEYS_FILE or "
            "OSTIARY_VAULT__KMS_KEYS; nothing was changed.",
        )
        self.version = version


class RootKeysMissing(OstiaryError):
    """A database of before data keys needs the root keys themselves, and there are none."""

    def __init__(self) -> None:
        super().__init__(
            "What this database holds is sealed under the root keys themselves, and none are configured here. Set "
            "OSTIARY_ROOT_KEYS as it was, beside the key service's keys, and start once more."
        )


def bound_to(key_id: UUID, purpose: Purpose, number: int) -> Mapping[str, str]:
    """Return what a wrapped key is bound to: its place, so that no key unwraps as another."""
    return {
        "domain": "ostiary",
        "table": "data_keys",
        "key": str(key_id),
        "purpose": purpose.value,
        "number": str(number),
    }


async def unwrapped(
    key_service: KeyService, key_id: UUID, purpose: Purpose, number: int, *, version: int, wrapped: bytes
) -> bytes:
    """Unwrap a data key. Raises `RootKeyWrong`, `Unavailable`."""
    try:
        return await key_service.unwrap(version, wrapped, bound_to(key_id, purpose, number))
    except CannotOpen:
        raise RootKeyWrong(version) from None
