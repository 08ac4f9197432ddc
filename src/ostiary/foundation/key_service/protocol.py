"""What every holder of root keys can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class KeyService(Protocol):
    """Wraps and unwraps keys of 32 bytes, each bound to what it is for."""

    @property
    def newest(self) -> int:
        """The version that wraps."""

    @property
    def versions(self) -> Collection[int]:
        """The versions that unwrap."""

    async def wrap(self, key: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Wrap a key under the newest version; it unwraps only with the same `bound_to`. Raises `Unavailable`."""

    async def unwrap(self, version: int, wrapped: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Undo `wrap`. Raises `CannotOpen`, `Unavailable`."""

    async def close(self) -> None:
        """Let go of connections."""
