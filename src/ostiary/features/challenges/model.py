"""What a challenge is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

TOKEN_KIND: Final = "challenge"  # noqa: S105 - names a kind of token, and is none


class Purpose(StrEnum):
    """What a challenge proves; one minted for one purpose is nothing for another."""

    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A live challenge, without its secret."""

    id: UUID
    identity_id: UUID | None
    purpose: Purpose
    destination: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Consumed:
    """What a challenge that was just used up stood for."""

    id: UUID
    identity_id: UUID | None
    destination: str
