"""What every holder of root keys can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Mapping


class KeyServiceRefused(OstiaryError):
    """A key service does not do what it was asked, and will not before somebody changes something there."""


class KeyService(Protocol):
    """Wraps and unwraps keys of 32 bytes, each bound to what it is for."""

    @property
    def newest(self) -> int:
        """The version that wraps."""

    @property
    def versions(self) -> Mapping[int, str]:
        """The versions that unwrap, each with who holds it, in a few words."""

    async def wrap(self, key: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Wrap a key under the newest version; it unwraps only with the same `bound_to`.

        Raises `Unavailable`, `KeyServiceRefused`.
        """

    async def unwrap(self, version: int, wrapped: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Undo `wrap`. Raises `CannotOpen`, `Unavailable`, `KeyServiceRefused`."""

    async def close(self) -> None:
        """Let go of connections."""
