"""Entity types: what an identity can be the identity of.

`user`, `admin` and `service` are built in; an application registers its own, each with the hook that makes its
profile row inside the registration transaction.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.storage import Transaction

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PREFIX: Final = re.compile(r"[a-z]{2,8}")


class UnknownEntityType(OstiaryError):
    """No entity type of this name is registered."""

    def __init__(self) -> None:
        super().__init__("No entity type of this name is registered here.")


@dataclass(frozen=True, slots=True)
class NewIdentity:
    """The identity a creation hook makes a profile for; its row exists already in the hook's transaction."""

    id: UUID
    entity_type: str
    email: str | None
    phone: str | None


CreateProfile = Callable[[Transaction, NewIdentity, Mapping[str, Any]], Awaitable[str | int | UUID]]
"""Makes the profile row and returns its key; a UUID is shown outside with the type's prefix. Raw SQL through the transaction only, and no outgoing I/O."""


CheckProfile = Callable[[Mapping[str, Any]], object]
"""Raises `InvalidProfile` for fields no profile could be made of, before anything is sent or made."""

OnRegistered = Callable[[Transaction, NewIdentity, Mapping[str, Any]], Awaitable[None]]
"""Makes what else belongs to a new account, in the transaction that makes it; whatever it raises unmakes all of it."""


@dataclass(frozen=True, slots=True)
class EntityType:
    """One kind of identity. `open_registration` says whether anybody may register as one over HTTP.

    With `needs_approval` whoever registers by themselves waits until an operator approves.
    """

    name: str
    prefix: str
    create: CreateProfile
    open_registration: bool = True
    needs_approval: bool = False
    check: CheckProfile | None = None

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None or _PREFIX.fullmatch(self.prefix) is None:
            raise ValueError(
                "An entity type's name is a lower-case word of at most 32 characters, its prefix 2 to 8 letters."
            )


@dataclass(frozen=True, slots=True)
class _Hook:
    run: OnRegistered
    entity_type: str | None
    role: str | None

    def concerns(self, entity_type: str, roles: Iterable[str]) -> bool:
        return self.entity_type in {None, entity_type} and (self.role is None or self.role in roles)


class EntityTypes:
    """The entity types of one installation, by name, and what is to happen when somebody becomes one of them."""

    def __init__(self) -> None:
        self._by_name: dict[str, EntityType] = {}
        self._hooks: list[_Hook] = []

    def on_registered(self, hook: OnRegistered, *, entity_type: str | None, role: str | None) -> None:
        """Run `hook` for every new identity, or for those of a type or with a role only."""
        self._hooks.append(_Hook(hook, entity_type, role))

    def hooks_for(self, entity_type: str, roles: Iterable[str]) -> Iterator[OnRegistered]:
        """Return the hooks that concern a new identity, in the order they were added."""
        names = frozenset(roles)
        return (hook.run for hook in self._hooks if hook.concerns(entity_type, names))

    def register(self, entity_type: EntityType) -> None:
        """Add a type. Raises `ValueError` when its name or prefix is taken."""
        if any(known.name == entity_type.name or known.prefix == entity_type.prefix for known in self):
            raise ValueError(f"The entity type {entity_type.name!r} or its prefix is registered already.")
        self._by_name[entity_type.name] = entity_type

    def get(self, name: str) -> EntityType:
        """Return the type called `name`. Raises `UnknownEntityType`."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownEntityType from None

    def __iter__(self) -> Iterator[EntityType]:
        return iter(tuple(self._by_name.values()))
