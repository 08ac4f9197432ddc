"""What a service credential is, and what one may be for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.ids import format_id

TOKEN_KIND: Final = "service"  # noqa: S105 - names a kind of token, and is none
CREDENTIAL_PREFIX: Final = "svc"

SCOPES: Final = {
    "revocations:read": "Follow the feed of revocations.",
    "tokens:introspect": "Ask whether any access token is live.",
    "vault:list": "List anybody's accounts at providers, without their tokens.",
    "vault:read": "Read live tokens of anybody's accounts at providers; each reading is recorded.",
}
"""What a credential can be good for, each with a word of what that is."""


class InvalidScope(OstiaryError):
    """A credential was to be for something that does not exist, or for nothing."""

    def __init__(self) -> None:
        super().__init__(f"A service credential is for one or more of: {', '.join(SCOPES)}.")


class ServiceCredentialNotFound(OstiaryError):
    """There is no such credential that could be revoked."""

    def __init__(self) -> None:
        super().__init__("There is no live service credential with this id: list them to see.")


@dataclass(frozen=True, slots=True)
class ServiceCredential:
    """A credential without its secret; `name` is what its service is called."""

    id: UUID
    identity_id: UUID
    name: str | None
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @property
    def external_id(self) -> str:
        """The id as it is shown outside, `svc_…`."""
        return format_id(CREDENTIAL_PREFIX, self.id)


@dataclass(frozen=True, slots=True)
class Service:
    """The service that presented a live credential, and what it may do."""

    credential_id: UUID
    identity_id: UUID
    scopes: list[str]
    last_used_at: datetime | None
