"""Registration: how an identity and its profile come to be, in one transaction.

The journey of a newcomer, at once or when their address is proven, of whoever was invited, of an operator's new
account, and of the first administrator. Either the identity, its profile, its first session, what the application's
hooks add, and the records exist afterwards, or none of them does.
"""

from ostiary.features.registration.application_records import ApplicationRecords
from ostiary.features.registration.invitations import INVITATION_PREFIX, Invitations
from ostiary.features.registration.model import (
    AwaitsProof,
    InvitationAccepted,
    NewAccount,
    RegistrationRefused,
)
from ostiary.features.registration.service import Registration
from ostiary.features.registration.verify_first import PasswordChoice, VerifyFirst

__all__ = [
    "INVITATION_PREFIX",
    "ApplicationRecords",
    "AwaitsProof",
    "InvitationAccepted",
    "Invitations",
    "NewAccount",
    "PasswordChoice",
    "Registration",
    "RegistrationRefused",
    "VerifyFirst",
]
