"""Passkeys: proof by a key that never leaves its owner's device (WebAuthn Level 3).

Owns `passkeys` and `ceremonies`. A ceremony lives for five minutes, belongs to one session, sign-in flow or browser, and
is used up by either outcome, so refusals are returned. What an authenticator says is believed only after every check of
WebAuthn §7.1 and §7.2; which user verification is asked for is the server's choice alone.
"""

from ostiary.features.passkeys.model import (
    PASSKEY_PREFIX,
    Bound,
    Ceremony,
    Owner,
    Passkey,
    Proven,
    Refusal,
    Refused,
    RelyingParty,
    TooManyPasskeys,
    external_passkey_id,
    parse_passkey_id,
)
from ostiary.features.passkeys.service import Passkeys

__all__ = [
    "PASSKEY_PREFIX",
    "Bound",
    "Ceremony",
    "Owner",
    "Passkey",
    "Passkeys",
    "Proven",
    "Refusal",
    "Refused",
    "RelyingParty",
    "TooManyPasskeys",
    "external_passkey_id",
    "parse_passkey_id",
]
