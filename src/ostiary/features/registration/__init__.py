"""Registration: how an identity and its profile come to be, in one transaction.

The journey of a newcomer, of an operator's new account, and of the first administrator. Either the identity, its
profile, its first session and the records exist afterwards, or none of them does.
"""

from ostiary.features.registration.model import NewAccount, RegistrationRefused
from ostiary.features.registration.service import Registration

__all__ = ["NewAccount", "Registration", "RegistrationRefused"]
