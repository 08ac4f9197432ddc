"""The providers of one installation that keep passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.features.managed_passwords.model import NotManaged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.managed_passwords.model import ManagedProvider


class ManagedPasswords:
    """The providers that keep passwords, by name; those that are turned off are not among them (FED-08)."""

    def __init__(self, providers: Mapping[str, ManagedProvider]) -> None:
        self._providers = dict(providers)

    def for_provider(self, name: str) -> ManagedProvider:
        """Return a provider. Raises `NotManaged`."""
        found = self._providers.get(name)
        if found is None:
            raise NotManaged
        return found
