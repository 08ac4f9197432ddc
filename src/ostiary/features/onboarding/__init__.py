"""Onboarding: what somebody is asked after they registered, step by step, on any device.

Owns `onboarding_sessions`. A flow is declared by the application: named steps, a JSON Schema for each, which addresses must
be verified for it. A step is saved by one atomic merge, so two tabs cannot lose each other's; what is verified is looked up,
never stored.
"""

from ostiary.features.onboarding.flows import (
    InvalidFlow,
    OnboardingFlow,
    OnboardingFlows,
    OnboardingStep,
    read_flows,
)
from ostiary.features.onboarding.model import (
    ONBOARDING_PREFIX,
    Funnel,
    FunnelStep,
    OnboardingRefused,
    StepState,
    Verification,
)
from ostiary.features.onboarding.progress import Progress, StepProgress
from ostiary.features.onboarding.service import Onboarding

__all__ = [
    "ONBOARDING_PREFIX",
    "Funnel",
    "FunnelStep",
    "InvalidFlow",
    "Onboarding",
    "OnboardingFlow",
    "OnboardingFlows",
    "OnboardingRefused",
    "OnboardingStep",
    "Progress",
    "StepProgress",
    "StepState",
    "Verification",
    "read_flows",
]
