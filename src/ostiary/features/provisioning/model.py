"""What an account is made of, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ostiary.features.flows import FactorRequired, SignedIn
from ostiary.features.identities import EmailAddress, EntityType, PhoneNumber
from ostiary.features.passwords import PasswordHash


@dataclass(frozen=True, slots=True)
class Draft:
    """An account that is about to be made, checked and hashed; `verified_at` when its addresses were proven."""

    entity_type: EntityType
    email: EmailAddress | None
    phone: PhoneNumber | None
    password: PasswordHash | None
    profile: Mapping[str, Any]
    roles: Sequence[str] = ()
    granted_by: str | None = None
    locale: str | None = None
    verified_at: datetime | None = None
    awaits_approval: bool = False


@dataclass(frozen=True, slots=True)
class AwaitsApproval:
    """A newcomer whom an operator has yet to let in."""

    identity_id: UUID


Arrival = SignedIn | FactorRequired | AwaitsApproval
"""What becomes of somebody whose account was just made."""
