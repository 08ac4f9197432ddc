"""Sealing what a message says, bound to its row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ostiary.foundation.crypto import CannotOpen, associated_data, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from ostiary.foundation.entropy import Entropy


def sealed(key: bytes, row_id: UUID, content: Mapping[str, Any], *, entropy: Entropy) -> bytes:
    """Seal the content of a row of the outbox."""
    return seal(key, msgspec.json.encode(content), _place(row_id), entropy=entropy)


def opened(key: bytes, row_id: UUID, payload_sealed: bytes | None) -> dict[str, Any]:
    """Open what `sealed` made. Raises `CannotOpen`, also for what was erased."""
    if payload_sealed is None:
        raise CannotOpen
    content: dict[str, Any] = msgspec.json.decode(unseal(key, payload_sealed, _place(row_id)))
    return content


def _place(row_id: UUID) -> bytes:
    return associated_data("outbox", "payload_sealed", row_id)
