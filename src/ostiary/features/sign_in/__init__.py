"""Signing in: prove who you are, by a password or by what is sent to an address of yours, and get a session.

A session that another system began is exchanged for one.

Every answer to a wrong proof is the same, and costs the same, whether the identifier is known, unknown or disabled
(ABU-04). The attempt is counted before anything is hashed; only a complete sign-in refills the budget (ABU-06).
"""

from ostiary.features.sign_in.attempts import Attempts
from ostiary.features.sign_in.legacy import LegacySignIn
from ostiary.features.sign_in.managed import ManagedSignIn
from ostiary.features.sign_in.messages import SignInByMessage
from ostiary.features.sign_in.model import CodeSignIn, PasswordSignIn, Refusal, Refused
from ostiary.features.sign_in.passkeys import PasskeySignIn
from ostiary.features.sign_in.service import SignIn

__all__ = [
    "Attempts",
    "CodeSignIn",
    "LegacySignIn",
    "ManagedSignIn",
    "PasskeySignIn",
    "PasswordSignIn",
    "Refusal",
    "Refused",
    "SignIn",
    "SignInByMessage",
]
