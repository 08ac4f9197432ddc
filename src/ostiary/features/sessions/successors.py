"""What a spent refresh token keeps of its successor: sealed under the spent token's own secret, for a client that retries."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from ostiary.features.sessions.model import REFRESH_KIND
from ostiary.foundation.bearer import SECRET_SIZE, BearerSecret
from ostiary.foundation.crypto import associated_data, derive_key, seal, unseal

if TYPE_CHECKING:
    from ostiary.foundation.entropy import Entropy


def seal_successor(token: BearerSecret, successor: BearerSecret, *, entropy: Entropy) -> bytes:
    """Seal a successor so that only whoever holds `token` can read it."""
    return seal(_key(token), successor.id.bytes + successor.secret, _place(token), entropy=entropy)


def open_successor(token: BearerSecret, sealed: bytes) -> BearerSecret:
    """Undo `seal_successor`."""
    opened = unseal(_key(token), sealed, _place(token))
    return BearerSecret(REFRESH_KIND, UUID(bytes=opened[:-SECRET_SIZE]), opened[-SECRET_SIZE:])


def _key(token: BearerSecret) -> bytes:
    return derive_key(token.secret, "refresh token successor")


def _place(token: BearerSecret) -> bytes:
    return associated_data("refresh_tokens", "successor_sealed", token.id)
