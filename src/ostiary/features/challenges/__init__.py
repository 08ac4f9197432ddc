"""Challenges: the one primitive for every one-time secret.

Owns `challenges`. A challenge knows its purpose, owner, destination and flow; it is used once, won in SQL; a newer one
supersedes it. It points at its owner by a foreign key that cascades and by nothing else: active ones are queried
here, never through the owner (S0).
"""

from ostiary.features.challenges.address_proofs import CHANGE, VERIFY, AddressProofs
from ostiary.features.challenges.model import (
    CODE_ATTEMPTS,
    TOKEN_KIND,
    Challenge,
    Consumed,
    Format,
    Purpose,
    Reissued,
    lifetime_of,
)
from ostiary.features.challenges.sending import Sending, SendingRates
from ostiary.features.challenges.service import Challenges

__all__ = [
    "CHANGE",
    "CODE_ATTEMPTS",
    "TOKEN_KIND",
    "VERIFY",
    "AddressProofs",
    "Challenge",
    "Challenges",
    "Consumed",
    "Format",
    "Purpose",
    "Reissued",
    "Sending",
    "SendingRates",
    "lifetime_of",
]
