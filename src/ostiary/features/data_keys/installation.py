"""The keys of an installation for whoever only reads: commands that start nothing, and files that were exported."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from ostiary.features.data_keys import store
from ostiary.features.data_keys.model import Purpose, RootKeyMissing, RootKeysMissing, unwrapped
from ostiary.foundation.crypto import Keyring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.foundation.key_service import KeyService
    from ostiary.foundation.storage import Statements


class CarriedKey(msgspec.Struct, frozen=True):
    """A key of an installation, wrapped, as an exported file carries it."""

    id: UUID
    number: int
    version: int
    wrapped: bytes


async def carried_keys(source: Statements) -> Sequence[CarriedKey]:
    """Return an installation's keys, wrapped; none if it was sealed with the root keys themselves."""
    return [
        CarriedKey(row.id, row.number, row.kek_version, row.wrapped_key)
        for row in await source.fetch_all(store.ALL)
        if row.purpose is Purpose.INSTALLATION
    ]


async def installation_keyring(
    carried: Sequence[CarriedKey], key_service: KeyService, *, adopt: Mapping[int, bytes] | None
) -> Keyring:
    """Unwrap an installation's keys; where there are none, they are the root keys, `adopt`.

    Raises `RootKeyMissing`, `RootKeysMissing`, `CannotOpen`, `Unavailable`.
    """
    if not carried:
        if adopt is None:
            raise RootKeysMissing
        return Keyring(adopt)
    missing = {key.version for key in carried}.difference(key_service.versions)
    if missing:
        raise RootKeyMissing(sorted(missing))
    return Keyring(
        {
            key.number: await unwrapped(
                key_service,
                key.id,
                Purpose.INSTALLATION,
                key.number,
                version=key.version,
                wrapped=key.wrapped,
            )
            for key in carried
        }
    )
