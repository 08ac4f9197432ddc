"""Root keys in several places, numbered across all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.foundation.crypto import CannotOpen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.foundation.key_service.protocol import KeyService


class SeveralServices:
    """As one service: whoever holds the newest version wraps, and each version is unwrapped by its holder.

    Raises `ValueError` when two hold the same version, or there is none.
    """

    def __init__(self, services: Sequence[KeyService]) -> None:
        numbers = [number for service in services for number in service.versions]
        if not numbers or len(set(numbers)) < len(numbers):
            raise ValueError("Root keys are numbered across all that hold them, each number once.")
        self._services = tuple(services)
        self._holders = {number: service for service in services for number in service.versions}

    @property
    def newest(self) -> int:
        """The version that wraps."""
        return max(self._holders)

    @property
    def versions(self) -> Mapping[int, str]:
        """The versions that unwrap, each with who holds it."""
        return {number: service.versions[number] for number, service in sorted(self._holders.items())}

    async def wrap(self, key: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Wrap a key under the newest version. Raises `Unavailable`, `KeyServiceRefused`."""
        return await self._holders[self.newest].wrap(key, bound_to)

    async def unwrap(self, version: int, wrapped: bytes, bound_to: Mapping[str, str]) -> bytes:
        """Undo `wrap`. Raises `CannotOpen`, `Unavailable`, `KeyServiceRefused`."""
        if version not in self._holders:
            raise CannotOpen
        return await self._holders[version].unwrap(version, wrapped, bound_to)

    async def close(self) -> None:
        """Let go of connections."""
        for service in self._services:
            await service.close()
