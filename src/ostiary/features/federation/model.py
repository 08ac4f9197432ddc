"""What is known here of whoever arrives, and the pure decision what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ostiary.features.audit import Origin
from ostiary.features.identities import Credentials, Status
from ostiary.foundation.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.features.upstream import UpstreamIdentity

_LONGEST_TEXT: Final = 500
# What OpenID Connect Core §5.1 calls it, and how it is called in a profile here.
_PROFILE_FIELDS: Final = {
    "name": "display_name",
    "given_name": "given_name",
    "family_name": "family_name",
    "locale": "locale",
    "zoneinfo": "time_zone",
    "picture": "avatar_url",
}


class ArrivalReason(StrEnum):
    """Why somebody a provider vouches for is not let in: precise for the records."""

    LINK_ONLY = "link_only"
    """The provider is there to be linked, not to sign in with (FED-08)."""
    NOT_OFFERED = "not_offered"
    """The provider is not for this kind of account."""
    DOMAIN_NOT_ALLOWED = "domain_not_allowed"
    NOT_ACTIVE = "not_active"
    SIGN_IN_FIRST = "sign_in_first"
    """An account here has the address: its owner signs in, and links then."""
    ADDRESS_TAKEN = "address_taken"
    NOT_KNOWN = "not_known"
    """Nobody here is linked to it, and nobody is made."""
    HAS_PASSWORD = "has_password"  # noqa: S105 - a reason
    """They have a password of their own here, and came with the one that the provider keeps."""


@dataclass(frozen=True, slots=True)
class ArrivalRefused:
    """Somebody proved who they are at a provider, and is not let in."""

    reason: ArrivalReason


@dataclass(frozen=True, slots=True)
class Visit:
    """What somebody who arrives wants to be here, and where from they come."""

    entity_type: str
    origin: Origin
    method: str = "provider"
    device: Secret | None = None
    locale: str | None = None
    is_in_place_of_password: bool = False
    """Whether they come with a password that the provider keeps for us: it opens no account that has one here."""


@dataclass(frozen=True, slots=True)
class Known:
    """An identity that is linked to an account at a provider, or has the address the provider names.

    `account_id` is None for the latter. `profile` is what the provider said of the account the last time.
    """

    account_id: UUID | None
    profile: dict[str, Any] | None = field(repr=False)
    email_verified_at: datetime | None
    deleted_at: datetime | None
    id: UUID
    entity_type: str
    entity_id: str
    status: Status
    token_epoch: int
    must_change_password: bool
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    locale: str | None
    password_hash: str | None = field(repr=False)
    password_scheme: str | None
    shadow_scheme: str | None
    shadow_hash: str | None = field(repr=False)

    @property
    def is_active(self) -> bool:
        """Whether they may sign in."""
        return self.status is Status.ACTIVE and self.deleted_at is None

    @property
    def awaits_approval(self) -> bool:
        """Whether an operator has yet to let them in."""
        return self.status is Status.PENDING_VERIFICATION and self.deleted_at is None

    @property
    def credentials(self) -> Credentials:
        """Who this is, as sign-ins know it."""
        return Credentials(
            id=self.id,
            entity_type=self.entity_type,
            entity_id=self.entity_id,
            status=self.status,
            token_epoch=self.token_epoch,
            must_change_password=self.must_change_password,
            email=self.email,
            phone=self.phone,
            locale=self.locale,
            password_hash=self.password_hash,
            password_scheme=self.password_scheme,
            shadow_scheme=self.shadow_scheme,
            shadow_hash=self.shadow_hash,
        )


class Course(StrEnum):
    """What is to be done with somebody nobody here is linked to."""

    CREATE = "create"
    CREATE_AND_TAKE_ADDRESS = "create_and_take_address"
    """The address is with somebody who never proved it: the newcomer, who has, gets it."""
    LINK = "link"


@dataclass(frozen=True, slots=True)
class LinkingPolicy:
    """The rules of a provider that decide about somebody nobody here is linked to."""

    creates: bool
    links_known_address: bool
    asks_to_sign_in_first: bool

    def course(self, arrived: UpstreamIdentity, holder: Known | None) -> Course | ArrivalReason:
        """Say what becomes of them; `holder` has the address that the provider says is theirs (FED-02).

        Linking by an address needs three things: the provider says it is proven, and is the authority for its domain; it
        is proven here as well; and the rules want it. Whoever prepared an account with somebody else's address, and
        never proved it, loses the address and is joined by nobody.
        """
        if holder is None:
            return Course.CREATE if self.creates else ArrivalReason.NOT_KNOWN
        if holder.email_verified_at is None:
            if not arrived.is_authoritative:
                return self._otherwise()
            return Course.CREATE_AND_TAKE_ADDRESS if self.creates else ArrivalReason.NOT_KNOWN
        if not (self.links_known_address and arrived.is_authoritative):
            return self._otherwise()
        return Course.LINK if holder.status is Status.ACTIVE else ArrivalReason.NOT_ACTIVE

    def _otherwise(self) -> ArrivalReason:
        return ArrivalReason.SIGN_IN_FIRST if self.asks_to_sign_in_first else ArrivalReason.ADDRESS_TAKEN


def profile_fields(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return what a profile here may take over of what a provider says (FED-09): texts that fit, and nothing else."""
    said = {_PROFILE_FIELDS[name]: value for name, value in claims.items() if name in _PROFILE_FIELDS}
    return {
        name: value
        for name, value in said.items()
        if isinstance(value, str) and value.isprintable() and 0 < len(value) <= _LONGEST_TEXT
    }
