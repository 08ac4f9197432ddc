"""Challenges: the one primitive for every one-time secret.

Owns `challenges`. A challenge knows its purpose, owner and destination; it is used once, won in SQL; a newer one
supersedes it. It points at its owner by a foreign key that cascades and by nothing else: active ones are queried
here, never through the owner (S0).
"""

from ostiary.features.challenges.model import Challenge, Consumed, Purpose
from ostiary.features.challenges.service import Challenges

__all__ = ["Challenge", "Challenges", "Consumed", "Purpose"]
