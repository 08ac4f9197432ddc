"""Managed passwords: the passwords that a provider keeps, asked for through the provider's own interface.

Owns no table. A password goes to the provider it is for, over `Outbound`, and nowhere else: what comes back are tokens, which
somebody else has yet to verify, or a reason. A refresh token goes back where it came from in the same way.
"""

from ostiary.features.managed_passwords.cognito import Cognito
from ostiary.features.managed_passwords.firebase import Firebase
from ostiary.features.managed_passwords.keycloak import Keycloak
from ostiary.features.managed_passwords.model import (
    ManagedProvider,
    ManagedReason,
    ManagedRefused,
    ManagedUnavailable,
    NotManaged,
    RefreshingProvider,
    SignedUp,
)
from ostiary.features.managed_passwords.service import ManagedPasswords

__all__ = [
    "Cognito",
    "Firebase",
    "Keycloak",
    "ManagedPasswords",
    "ManagedProvider",
    "ManagedReason",
    "ManagedRefused",
    "ManagedUnavailable",
    "NotManaged",
    "RefreshingProvider",
    "SignedUp",
]
