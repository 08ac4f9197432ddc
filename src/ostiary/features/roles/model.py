"""What roles, permissions and grants are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RESERVED: Final = "ostiary:"
"""What the names of roles begin with that administer an installation."""
OPERATOR: Final = f"{RESERVED}operator"
"""The role of whoever may administer the installation."""
OPERATORS_ARE: Final = "admin"
"""The kind of account that may, with this role."""

LONGEST_DESCRIPTION: Final = 500
ROOM_IN_A_TOKEN: Final = 1536
"""How many bytes the permissions in an access token may take, so that it still fits into a cookie of 4 KiB."""

_ROLE: Final = re.compile(r"[a-z0-9][a-z0-9:_.-]{0,63}")
_PERMISSION: Final = re.compile(r"(?=.{3,64}\Z)[a-z][a-z0-9_.-]*(?::[a-z][a-z0-9_.-]*){1,3}")
# Quotes and a comma.
_AROUND: Final = 3


@dataclass(frozen=True, slots=True)
class Grant:
    """A role somebody has, until `expires_at` if that is set, and what it allows."""

    role: str
    granted_by: str | None
    granted_at: datetime
    expires_at: datetime | None
    permissions: list[str]

    def outlives(self, moment: datetime | None) -> bool:
        """Say whether the role is held beyond `moment`; None is for ever."""
        return moment is not None and (self.expires_at is None or self.expires_at > moment)


@dataclass(frozen=True, slots=True)
class Role:
    """A role and what it allows; `declared` ones are named in configuration, and are changed there."""

    id: UUID
    name: str
    description: str | None
    declared: bool
    permissions: list[str]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A role as the configuration wants it."""

    name: str
    description: str | None
    permissions: frozenset[str]

    def is_kept_by(self, role: Role | None) -> bool:
        """Say whether the role is there as it is declared."""
        return (
            role is not None
            and role.declared
            and self.description == role.description
            and self.permissions == set(role.permissions)
        )


OPERATORS: Final = Declaration(OPERATOR, "May administer this installation.", frozenset())


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who has a role, and since when, by whom and until when."""

    identity_id: UUID
    entity_type: str
    email: str | None
    phone: str | None
    granted_by: str | None
    granted_at: datetime
    expires_at: datetime | None


def is_role_name(text: str) -> bool:
    """Say whether a role may have this name."""
    return _ROLE.fullmatch(text) is not None


def is_permission(text: str) -> bool:
    """Say whether a permission may have this name."""
    return _PERMISSION.fullmatch(text) is not None


def fit_into_token(permissions: Sequence[str]) -> bool:
    """Say whether an access token can name all of these."""
    return sum(len(name) + _AROUND for name in permissions) <= ROOM_IN_A_TOKEN


def permissions_of(grants: Iterable[Grant]) -> list[str]:
    """Return what these grants allow together, by name, each once."""
    return sorted({permission for grant in grants for permission in grant.permissions})


def for_token(permissions: Iterable[str]) -> tuple[str, ...]:
    """Return, by name, what of `permissions` an access token has room for: what is left out is not allowed."""
    fitting: list[str] = []
    room = ROOM_IN_A_TOKEN
    for permission in sorted(permissions):
        room -= len(permission) + _AROUND
        if room < 0:
            break
        fitting.append(permission)
    return tuple(fitting)
