"""Verification: that an address is its owner's, that it becomes another one, and that it becomes the old one again.

A journey of the signed-in and of whoever opens a link. An address counts as somebody's only after it has proven itself;
the old one hears of its end before and after, and can undo it for a week.
"""

from ostiary.features.verification.model import NotTheirs, NotVerified, VerificationRefused
from ostiary.features.verification.service import Verification

__all__ = ["NotTheirs", "NotVerified", "Verification", "VerificationRefused"]
