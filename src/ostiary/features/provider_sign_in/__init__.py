"""Signing in at a provider: going there, coming back, and being signed out by it.

The journeys of whoever leaves for a provider and returns with a proof, to sign in or to link an account to the one they
have, and of applications that were at the provider themselves.
"""

from ostiary.features.provider_sign_in.model import Linked, LinkReason, LinkRefused, Outcome, Returned
from ostiary.features.provider_sign_in.service import ProviderSignIn

__all__ = ["LinkReason", "LinkRefused", "Linked", "Outcome", "ProviderSignIn", "Returned"]
