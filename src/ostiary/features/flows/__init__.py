"""Sign-in flows: what turns a first proof into a session, or into a flow that waits for a second factor.

Owns `sign_in_flows` and `remembered_devices`. The one place where second factors are demanded (MFA-05): everybody who
signs somebody in, by whatever proof, enters here.
"""

from ostiary.features.flows.model import (
    Factor,
    FactorFacts,
    FactorPolicy,
    FactorRequired,
    OpenFlow,
    Proof,
    SignedIn,
)
from ostiary.features.flows.service import Flows

__all__ = [
    "Factor",
    "FactorFacts",
    "FactorPolicy",
    "FactorRequired",
    "Flows",
    "OpenFlow",
    "Proof",
    "SignedIn",
]
