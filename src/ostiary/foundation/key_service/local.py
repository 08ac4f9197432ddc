"""Root keys in this process, from the settings or a file."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from ostiary.foundation.crypto import KEY_SIZE, CannotOpen, Keyring, associated_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.foundation.entropy import Entropy


class LocalKeys:
    """A keyring of root keys."""

    def __init__(self, keyring: Keyring, entropy: Entropy) -> None:
        self.keyring = keyring
        self._entropy = entropy

    @property
    def newest(self) -> int:
        """The version that wraps."""
        return self.keyring.newest

    @property
    def versions(self) -> Mapping[int, str]:
        """The versions that unwrap, each with who holds it."""
        return dict.fromkeys(self.keyring.versions, "this installation")

    async def wrap(self, key: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Wrap a key under the newest version; it unwraps only with the same `bound_to`."""
        return self.keyring.wrap(key, _context(bound_to), entropy=self._entropy)

    async def unwrap(self, version: int, wrapped: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Undo `wrap`. Raises `CannotOpen`."""
        key = self.keyring.unwrap(wrapped, _context(bound_to))
        # The version is told twice, in front of the sealed key and beside it; who changes one must not go unnoticed.
        if self.keyring.version_of(wrapped) != version or len(key) != KEY_SIZE:
            raise CannotOpen
        return key

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def _context(bound_to: Mapping[str, str]) -> bytes:
    return associated_data(*chain.from_iterable(sorted(bound_to.items())))
