"""Factors: what somebody adds to their account to prove who they are, and takes away again.

Adding or removing one takes a session that was proven with a factor the account has already, ends every other session,
and is told to the owner (MFA-06).
"""

from ostiary.features.factors.passkeys import PasskeyManagement, SecondFactorRequired

__all__ = ["PasskeyManagement", "SecondFactorRequired"]
