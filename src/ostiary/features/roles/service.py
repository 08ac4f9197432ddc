"""Granting, removing and reading roles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ostiary.features.roles import store
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from ostiary.features.roles.model import Grant
    from ostiary.foundation.entropy import Entropy
    from ostiary.foundation.storage import Statements, Transaction

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9:_.-]{0,63}")


class InvalidRoleName(OstiaryError):
    """A role's name is malformed."""

    def __init__(self) -> None:
        super().__init__("A role's name is 1 to 64 lower-case letters, digits and the characters : _ . -")


def require_name(role: str) -> None:
    """Accept the name of a role, which need not exist yet. Raises `InvalidRoleName`."""
    if _NAME.fullmatch(role) is None:
        raise InvalidRoleName


class Roles:
    """The roles of one installation."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    async def grant(
        self,
        tx: Transaction,
        identity_id: UUID,
        role: str,
        *,
        granted_by: str | None,
        expires_at: datetime | None = None,
        now: datetime,
    ) -> None:
        """Give an identity a role, made if it is new; granting again replaces the expiry.

        Raises `InvalidRoleName`.
        """
        require_name(role)
        role_id = await tx.fetch_one(store.ENSURE, new_id(now, self._entropy), role)
        await tx.execute(store.GRANT, identity_id, role_id, granted_by, now, expires_at)

    async def remove(self, tx: Transaction, identity_id: UUID, role: str) -> bool:
        """Take a role away; False when the identity did not have it."""
        return await tx.execute(store.REMOVE, identity_id, role) == 1

    async def granted(self, statements: Statements, identity_id: UUID, *, now: datetime) -> Sequence[Grant]:
        """Return the roles an identity has at `now`, by name."""
        return await statements.fetch_all(store.GRANTS_OF_IDENTITY, identity_id, now)
