"""Administration: what an operator does to somebody else's account, and about messages.

Each change is one transaction with the sessions it must end and the audit row that names the operator.
"""

from ostiary.features.administration.approvals import Approvals, NotPending
from ostiary.features.administration.messaging import Messaging
from ostiary.features.administration.restore_guard import RestoreGuard
from ostiary.features.administration.service import Administration

__all__ = ["Administration", "Approvals", "Messaging", "NotPending", "RestoreGuard"]
