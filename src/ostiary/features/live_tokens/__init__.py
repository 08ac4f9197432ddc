"""Live tokens: an access token of a provider that is good now, refreshed if need be, and every reading of it recorded.

Of all who want the same token refreshed one asks the provider, in this process and among the workers (VLT-04). What it
answers is committed before anybody is given it. docs/decisions/0029-live-tokens.md says what outlives which crash.
"""

from ostiary.features.live_tokens.application_vault import ApplicationVault
from ostiary.features.live_tokens.model import InvalidReason, LiveToken, Reader, TokenReason, TokenRefused
from ostiary.features.live_tokens.refreshes import Refreshes
from ostiary.features.live_tokens.service import LiveTokens

__all__ = [
    "ApplicationVault",
    "InvalidReason",
    "LiveToken",
    "LiveTokens",
    "Reader",
    "Refreshes",
    "TokenReason",
    "TokenRefused",
]
