"""Draws: who wins follows from a seed that was promised before, and anybody can compute it again.

1. When a prize can be won, a seed of 32 random bytes is made, and its SHA-256 is published: the commitment.
2. A draw ranks everybody who may win by HMAC-SHA256(seed, "<prize>:<number of the draw>:<participant>"), written as hex.
   The lowest wins.
3. The draw publishes the seed with all that was ranked. The next draw has another seed, whose commitment is published then.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable


class Draw(BaseModel):
    """Everything there is to know about a draw."""

    algorithm: Literal["hmac-sha256-lowest"] = "hmac-sha256-lowest"
    commitment: str
    seed: str
    prize_id: str
    number: int
    candidates: list[str]
    winner: str


def new_seed() -> str:
    """Return a seed nobody can guess, as hex."""
    return secrets.token_hex(32)


def commitment_to(seed: str) -> str:
    """Return what is published of a seed before it is used."""
    return sha256(bytes.fromhex(seed)).hexdigest()


def ranked(seed: str, prize_id: str, number: int, candidates: Iterable[str]) -> list[str]:
    """Return the candidates, each once, the winner first."""
    key = bytes.fromhex(seed)

    def rank(candidate: str) -> str:
        return hmac.digest(key, f"{prize_id}:{number}:{candidate}".encode(), sha256).hex()

    return sorted(set(candidates), key=rank)


def draw(seed: str, prize_id: str, number: int, candidates: Iterable[str]) -> Draw:
    """Draw one of the candidates. Raises `IndexError` if there are none."""
    order = ranked(seed, prize_id, number, candidates)
    return Draw(
        commitment=commitment_to(seed),
        seed=seed,
        prize_id=prize_id,
        number=number,
        candidates=sorted(order),
        winner=order[0],
    )


def problem_of(told: Draw, commitment: str) -> str | None:
    """Say why a draw is not what was promised by a commitment noted before it, or None if it is."""
    try:
        again = draw(told.seed, told.prize_id, told.number, told.candidates)
    except (ValueError, IndexError):
        return "The seed is no hex, or there is nobody to draw from."
    if again.commitment != commitment:
        return "The seed is not the one that was committed to."
    if again.winner != told.winner:
        return "The seed makes somebody else win."
    return None
