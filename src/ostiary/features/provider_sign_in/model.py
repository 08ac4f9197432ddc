"""What comes of a way to a provider and back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from ostiary.features.federation import ArrivalRefused
from ostiary.features.provisioning import Arrival
from ostiary.features.upstream import UpstreamReason


class LinkReason(StrEnum):
    """Why an account was not linked: precise for the records."""

    SIGNED_OUT = "signed_out"
    """The session that wanted it has ended meanwhile, or its account may not sign in."""
    NOT_OFFERED = "not_offered"
    """The provider is not for this kind of account, or not for people of this domain."""
    LINKED_ELSEWHERE = "linked_elsewhere"


@dataclass(frozen=True, slots=True)
class Linked:
    """An account at a provider is linked to the one that wanted it."""

    account_id: UUID


@dataclass(frozen=True, slots=True)
class LinkRefused:
    """An account at a provider was not linked."""

    reason: LinkReason


Outcome = Arrival | ArrivalRefused | Linked | LinkRefused | UpstreamReason | None
"""What came of it; a reason of the provider's answer if that was not believed, None if the provider does not answer."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Somebody came back to the browser they left with, and what comes of it; `return_to` is where they want to go on."""

    return_to: str | None
    outcome: Outcome
