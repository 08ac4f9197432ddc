"""What is read over there and made here: rows and their owners, records, findings, decisions, states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec

from ostiary.features.legacy.rows.reasons import Reason
from ostiary.features.passwords import plain_text
from ostiary.foundation.errors import OstiaryError
from ostiary.foundation.foreign import Key, Row


class ExitCode:
    """How the commands end."""

    DONE: Final = 0
    FAILED: Final = 1
    REFUSED: Final = 2
    DRIFT: Final = 3
    MISMATCH: Final = 4
    INTERRUPTED: Final = 5
    IRREVERSIBLE: Final = 6


class LegacyError(OstiaryError):
    """A migration cannot go on like this; `exit_code` is how a command ends that meets it."""

    def __init__(self, message: str, exit_code: int = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class State(StrEnum):
    """How far a migration is. Every step but the last can be taken back."""

    EXPANDED = "expanded"
    CAPTURING = "capturing"
    BACKFILLING = "backfilling"
    BACKFILLED = "backfilled"
    VERIFIED = "verified"
    SOAKING = "soaking"
    CONTRACTED = "contracted"


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration as it is kept."""

    id: UUID
    plan: dict[str, Any]
    state: State
    fence: int
    holder: str | None
    leased_until: datetime | None
    checkpoint: dict[str, Any]
    verification: dict[str, Any] | None
    started_at: datetime
    verified_at: datetime | None
    cut_over_at: datetime | None
    contracted_at: datetime | None
    archive_until: datetime | None


class Duplicates(StrEnum):
    """Who keeps what two owners claim: nobody may go on until it is decided, the first, or the first while others wait."""

    FIRST = "first"
    HOLD = "hold"


class Decisions(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What people decided about what a plan found."""

    hash_schemes: Mapping[str, str] = {}
    """By `table.column`."""
    duplicates: Duplicates | None = None
    phone_region: str | None = None
    """The country whose numbers are written without its code, as ISO 3166 has it."""


@dataclass(slots=True, eq=False)
class SourceRow:
    """A row over there, and the row it belongs to."""

    table: str
    key: str
    """Its key as text: the value, or a JSON array of several."""
    values: Row = field(repr=False)
    parent: SourceRow | None = field(default=None, repr=False)


@dataclass(slots=True, eq=False)
class Aggregate:
    """An owner over there with all rows that belong to them, as of one moment."""

    key: Key = field(repr=False)
    text: str
    """The key as text."""
    version: int
    """How often any of it was changed since capture began."""
    rows: dict[str, list[SourceRow]] = field(repr=False)
    """By table, the root's own first; a table without rows is left out."""


@dataclass(slots=True)
class MadeIdentity:
    """An identity as it is to be here. `profile` is None where the application has a table of its own for them."""

    id: UUID
    entity_type: str
    entity_id: str
    email: str | None = None
    email_normalized: str | None = None
    email_verified_at: datetime | None = None
    phone: str | None = None
    phone_verified_at: datetime | None = None
    password_hash: str | None = field(default=None, repr=False)
    password_scheme: str | None = None
    status: str = "active"
    failed_login_attempts: int = 0
    locked_until: datetime | None = None
    last_login_at: datetime | None = None
    locale: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    profile: dict[str, Any] | None = None

    @property
    def open_password(self) -> str | None:
        """The password itself, if it lies over there as it is."""
        if self.password_hash is None or self.password_scheme is None:
            return None
        return plain_text(self.password_scheme, self.password_hash)


@dataclass(slots=True)
class MadeAccount:
    """A linked account with its tokens in the clear."""

    id: UUID
    identity_id: UUID
    entity_type: str
    provider: str
    provider_account_id: str
    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    access_token_expires_at: datetime | None = None
    refresh_token_expires_at: datetime | None = None
    scope: str | None = None
    token_type: str | None = None
    profile: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    issued_at: datetime | None = None


@dataclass(slots=True)
class MadeSession:
    """A session, and the tokens over there that may be exchanged for it: how each is kept there, and its text."""

    id: UUID
    identity_id: UUID
    linked_account_id: UUID | None
    provider_session_id: str | None
    ip_address: str | None
    user_agent: str | None
    device_label: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    tokens: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(slots=True)
class MadeChallenge:
    """A live one-time token, to be exchanged for one of ours."""

    id: UUID
    identity_id: UUID
    purpose: str
    destination: str
    created_at: datetime
    expires_at: datetime
    token: tuple[str, str] = field(repr=False)


@dataclass(slots=True)
class MadeTotp:
    """An authenticator app."""

    id: UUID
    identity_id: UUID
    secret: bytes = field(repr=False)
    label: str
    created_at: datetime
    confirmed_at: datetime | None


@dataclass(slots=True)
class MadePasskey:
    """A passkey."""

    id: UUID
    identity_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    transports: list[str]
    backup_eligible: bool
    backed_up: bool
    label: str
    created_at: datetime


@dataclass(slots=True)
class MadeLogin:
    """A session that is over, as the login history has it."""

    id: UUID
    identity_id: UUID
    session_id: UUID
    occurred_at: datetime
    ended_at: datetime
    provider: str
    ip_address: str | None
    user_agent: str | None


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Something about a row over there; never a value of it. There are several of most owners."""

    reason: Reason
    table: str
    key: str
    column: str | None = None
    claim: bytes | None = None

    def __repr__(self) -> str:
        return f"Finding({self.reason}, {self.table}, {self.column})"


@dataclass(slots=True)
class RowCounts:
    """What became of the rows of a table."""

    mapped: int = 0
    quarantined: int = 0
    dropped: int = 0

    @property
    def total(self) -> int:
        """How many there are."""
        return self.mapped + self.quarantined + self.dropped


@dataclass(slots=True)
class Derived:
    """Everything an owner over there becomes here."""

    identities: list[MadeIdentity] = field(default_factory=list)
    roles: list[tuple[UUID, str]] = field(default_factory=list)
    accounts: list[MadeAccount] = field(default_factory=list)
    sessions: list[MadeSession] = field(default_factory=list)
    challenges: list[MadeChallenge] = field(default_factory=list)
    totps: list[MadeTotp] = field(default_factory=list)
    passkeys: list[MadePasskey] = field(default_factory=list)
    logins: list[MadeLogin] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, RowCounts] = field(default_factory=dict)
