"""Administration: what an operator does to somebody else's account, to roles, to the installation, and about messages.

Each change is one transaction with the sessions and tokens it must end and the audit row that names the operator. No
operator can leave the installation without one.
"""

from ostiary.features.administration.approvals import Approvals, Decision, DecisionHook, NotPending, OnDecided
from ostiary.features.administration.changes import Changes
from ostiary.features.administration.errors import (
    ExpiryPassed,
    NoAddress,
    NotSuspended,
    OwnAccount,
)
from ostiary.features.administration.key_care import (
    DataKeyStatus,
    KeyCare,
    KeyStatus,
    Reencrypted,
    RootKeyStatus,
)
from ostiary.features.administration.messaging import Messaging
from ostiary.features.administration.restore_guard import RestoreGuard
from ostiary.features.administration.roles import RoleAdministration
from ostiary.features.administration.service import Administration

__all__ = [
    "Administration",
    "Approvals",
    "Changes",
    "DataKeyStatus",
    "Decision",
    "DecisionHook",
    "ExpiryPassed",
    "KeyCare",
    "KeyStatus",
    "Messaging",
    "NoAddress",
    "NotPending",
    "NotSuspended",
    "OnDecided",
    "OwnAccount",
    "Reencrypted",
    "RestoreGuard",
    "RoleAdministration",
    "RootKeyStatus",
]
