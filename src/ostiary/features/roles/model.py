"""What a grant is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

OPERATOR: Final = "ostiary:operator"
"""The role of whoever may administer the installation."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role somebody has, until `expires_at` if that is set."""

    role: str
    granted_by: str | None
    granted_at: datetime
    expires_at: datetime | None

    def outlives(self, moment: datetime | None) -> bool:
        """Say whether the role is held beyond `moment`; None is for ever."""
        return moment is not None and (self.expires_at is None or self.expires_at > moment)
