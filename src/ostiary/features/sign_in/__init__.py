"""Signing in: prove who you are, and get a session.

Every answer to a wrong proof is the same, and costs the same, whether the identifier is known, unknown or disabled
(ABU-04). The attempt is counted before anything is hashed; only a complete sign-in refills the budget (ABU-06).
"""

from ostiary.features.sign_in.model import PasswordSignIn, Refusal, Refused, SignedIn
from ostiary.features.sign_in.passkeys import PasskeySignIn
from ostiary.features.sign_in.service import SignIn

__all__ = ["PasskeySignIn", "PasswordSignIn", "Refusal", "Refused", "SignIn", "SignedIn"]
