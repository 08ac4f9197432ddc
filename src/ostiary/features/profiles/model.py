"""What a built-in profile holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec


@dataclass(frozen=True, slots=True)
class ProfileType:
    """A built-in profile table and the prefix of its ids."""

    entity_type: str
    prefix: str
    table: str


PROFILE_TYPES: Final = (
    ProfileType("user", "usr", "users"),
    ProfileType("admin", "adm", "admins"),
    ProfileType("service", "svc", "services"),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as its owner sees it; the addresses are the identity's."""

    id: UUID
    identity_id: UUID
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    display_name: str | None
    given_name: str | None
    family_name: str | None
    locale: str | None
    time_zone: str | None
    avatar_url: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class ProfileChange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The fields a person may set about themselves; what is absent stays as it is."""

    display_name: str | msgspec.UnsetType | None = msgspec.UNSET
    given_name: str | msgspec.UnsetType | None = msgspec.UNSET
    family_name: str | msgspec.UnsetType | None = msgspec.UNSET
    locale: str | msgspec.UnsetType | None = msgspec.UNSET
    time_zone: str | msgspec.UnsetType | None = msgspec.UNSET
    avatar_url: str | msgspec.UnsetType | None = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET

    def applied_to(self, current: dict[str, Any]) -> dict[str, Any]:
        """Return the field values after the change; `metadata` keys are merged, and null removes one."""
        changed = {
            name: value for name, value in msgspec.structs.asdict(self).items() if value is not msgspec.UNSET
        }
        metadata = current["metadata"] | changed.pop("metadata", {})
        return (
            current
            | changed
            | {"metadata": {key: value for key, value in metadata.items() if value is not None}}
        )
