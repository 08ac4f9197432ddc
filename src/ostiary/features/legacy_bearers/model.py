"""What a legacy bearer is known by, and what it stands for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from ostiary.foundation.crypto import associated_data, mac

if TYPE_CHECKING:
    from ostiary.foundation.secret import Secret


class Form(StrEnum):
    """How the other system kept its tokens."""

    PLAIN = "plain"
    SHA256 = "sha256"
    """SHA-256 of the token, in hexadecimal digits of either case."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """What was just used up: of whom, and of which session or challenge.

    Of neither, when a newer challenge took the place of the one it was for.
    """

    identity_id: UUID
    session_id: UUID | None
    challenge_id: UUID | None


def digests_of(key: bytes, presented: Secret) -> list[bytes]:
    """Return what a presented token may be kept under: one digest for each form, in the order of `Form`.

    The form is part of what is digested, so a digest that leaked from the other system is no token here.
    """
    token = presented.reveal()
    kept = {Form.PLAIN: token, Form.SHA256: hashlib.sha256(token.encode()).hexdigest()}
    return [digest_of_stored(key, kept[form], form) for form in Form]


def digest_of_stored(key: bytes, stored: str, form: Form) -> bytes:
    """Return what a token is kept under here, from what the other system kept of it (HMAC-SHA256, RFC 2104).

    `key` is 32 bytes that the installation derives for this alone: a guess at a token cannot be tried without it.
    """
    return mac(key, associated_data(form, stored.lower() if form == Form.SHA256 else stored))
