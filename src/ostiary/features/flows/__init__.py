"""Sign-in flows: what turns a first proof into a session, or into a flow that waits for a second factor.

Owns `sign_in_flows` and `remembered_devices`. The one place where second factors are demanded (MFA-05): everybody who
signs somebody in, by whatever proof, enters here.
"""

from ostiary.features.flows.devices import Devices
from ostiary.features.flows.model import (
    MULTI_FACTOR,
    REMEMBERED,
    Device,
    Factor,
    FactorFacts,
    FactorPolicy,
    FactorRequired,
    NewDevice,
    OpenFlow,
    Proof,
    Shown,
    SignedIn,
    Step,
    StepRefusal,
    StepRefused,
    parse_device_id,
)
from ostiary.features.flows.proofs import FactorProofs
from ostiary.features.flows.service import Flows
from ostiary.features.flows.steps import FactorSteps

__all__ = [
    "MULTI_FACTOR",
    "REMEMBERED",
    "Device",
    "Devices",
    "Factor",
    "FactorFacts",
    "FactorPolicy",
    "FactorProofs",
    "FactorRequired",
    "FactorSteps",
    "Flows",
    "NewDevice",
    "OpenFlow",
    "Proof",
    "Shown",
    "SignedIn",
    "Step",
    "StepRefusal",
    "StepRefused",
    "parse_device_id",
]
