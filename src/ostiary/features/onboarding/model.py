"""What an onboarding is as it is stored, what may be refused, and what operators count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ostiary.foundation.errors import OstiaryError

if TYPE_CHECKING:
    from collections.abc import Mapping

ONBOARDING_PREFIX: Final = "onb"
DATA: Final = "data"
SKIPPED: Final = "skipped"


class Verification(StrEnum):
    """What may have to be verified."""

    EMAIL = "email"
    PHONE = "phone"


class StepState(StrEnum):
    """How a step stands."""

    OPEN = "open"
    SAVED = "saved"
    SKIPPED = "skipped"
    UNVERIFIED = "unverified"
    """Saved, but an address it needs is not verified yet."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is missing."""
        return self in {StepState.SAVED, StepState.SKIPPED}


class OnboardingRefused(OstiaryError):
    """A wish about onboarding was refused; `fields` says of which fields, if it was about data."""

    class Reason(StrEnum):
        """Why."""

        NO_SUCH_FLOW = "no_such_flow"
        NO_SUCH_STEP = "no_such_step"
        NOT_STARTED = "not_started"
        ANOTHER_UNDER_WAY = "another_under_way"
        OVER = "over"
        INVALID_DATA = "invalid_data"
        NOT_SKIPPABLE = "not_skippable"
        INCOMPLETE = "incomplete"

    def __init__(self, reason: Reason, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason
        self.fields = fields or {}


_MESSAGES: Final[Mapping[OnboardingRefused.Reason, str]] = {
    OnboardingRefused.Reason.NO_SUCH_FLOW: "There is no onboarding of this name for this kind of account.",
    OnboardingRefused.Reason.NO_SUCH_STEP: "The onboarding has no such step.",
    OnboardingRefused.Reason.NOT_STARTED: "No onboarding is under way: start one, the last one may have expired.",
    OnboardingRefused.Reason.ANOTHER_UNDER_WAY: "Another onboarding is under way: complete it first.",
    OnboardingRefused.Reason.OVER: "This onboarding is complete: it can no longer be changed.",
    OnboardingRefused.Reason.INVALID_DATA: "The step does not take this data.",
    OnboardingRefused.Reason.NOT_SKIPPABLE: "This step cannot be skipped.",
    OnboardingRefused.Reason.INCOMPLETE: "Some steps are missing, or an address is not verified yet.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """An onboarding as it is stored."""

    id: UUID
    identity_id: UUID
    flow: str
    current_step: str | None
    step_data: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    completed_at: datetime | None

    def is_over(self, now: datetime) -> bool:
        """Say whether it was abandoned for too long."""
        return self.completed_at is None and now >= self.expires_at


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """How many saved or skipped a step, and how many stand at it now."""

    name: str
    saved: int
    skipped: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many began a flow, completed it, gave it up, or are on their way."""

    flow: str
    started: int
    completed: int
    abandoned: int
    under_way: int
    steps: list[FunnelStep]
