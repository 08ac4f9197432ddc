"""The signed-in account: what somebody may do to themselves.

Changing the password, proving oneself again and leaving end what they must in the transaction of the change, and
hand the caller a new session where one goes on.
"""

from ostiary.features.account.model import ProofRefused
from ostiary.features.account.service import Account

__all__ = ["Account", "ProofRefused"]
