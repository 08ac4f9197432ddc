"""How far somebody has come in a flow: pure decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostiary.features.onboarding.flows import OnboardingStep
from ostiary.features.onboarding.model import DATA, SKIPPED, Row, StepState, Verification

if TYPE_CHECKING:
    from ostiary.features.identities import Identity
    from ostiary.features.onboarding.flows import OnboardingFlow


@dataclass(frozen=True, slots=True)
class StepProgress:
    """One step, and how it stands for somebody."""

    step: OnboardingStep
    state: StepState
    data: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far somebody has come in a flow."""

    row: Row
    steps: Sequence[StepProgress]
    verified: Mapping[Verification, bool]

    @property
    def missing(self) -> Sequence[StepProgress]:
        """The steps that are not done."""
        return [step for step in self.steps if not step.state.is_done]

    @property
    def data(self) -> dict[str, Mapping[str, Any]]:
        """The data of every step that was not skipped."""
        return {found.step.name: found.data for found in self.steps if found.data is not None}


def progress_of(flow: OnboardingFlow, row: Row, identity: Identity) -> Progress:
    """Say how far somebody has come. What is verified is the identity's to say, at this moment."""
    verified = {
        Verification.EMAIL: identity.email_verified_at is not None,
        Verification.PHONE: identity.phone_verified_at is not None,
    }
    steps = [_step(step, row.step_data.get(step.name), verified) for step in flow.steps]
    return Progress(row, steps, verified)


def next_step(flow: OnboardingFlow, step_data: Mapping[str, Any]) -> str | None:
    """Return the first step nothing was saved of; None when there is none."""
    return next((step.name for step in flow.steps if step.name not in step_data), None)


def _step(
    step: OnboardingStep, saved: Mapping[str, Any] | None, verified: Mapping[Verification, bool]
) -> StepProgress:
    if saved is None:
        return StepProgress(step, StepState.OPEN, None)
    if saved.get(SKIPPED):
        return StepProgress(step, StepState.SKIPPED, None)
    ready = all(verified[Verification(need)] for need in step.needs)
    return StepProgress(step, StepState.SAVED if ready else StepState.UNVERIFIED, saved.get(DATA))
