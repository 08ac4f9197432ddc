"""Registering at a provider that keeps passwords: making an account there, and confirming its address.

Nobody is made here: that happens when they sign in with what they have there, by the provider's rules.
"""

from ostiary.features.managed_registration.model import ManagedRegistrationRefused, NewManagedAccount
from ostiary.features.managed_registration.service import ManagedRegistration

__all__ = ["ManagedRegistration", "ManagedRegistrationRefused", "NewManagedAccount"]
