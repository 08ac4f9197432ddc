"""All SQL about the installation itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ostiary.foundation.storage import Query


@dataclass(frozen=True, slots=True)
class KnownDatabase:
    """Which database this was when it was last looked at."""

    fingerprint: str
    seen_at: datetime


KNOWN_DATABASE = Query(
    "SELECT fingerprint, seen_at FROM ostiary.restore_guard WHERE id = 1", into=KnownDatabase
)

REMEMBER_DATABASE: Query[Any] = Query(
    "INSERT INTO ostiary.restore_guard (id, fingerprint, seen_at) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING"
)

SEEN: Query[Any] = Query(
    "UPDATE ostiary.restore_guard SET seen_at = $2 WHERE id = 1 AND fingerprint = $1 AND seen_at < $2"
)

RECOGNISE: Query[Any] = Query(
    "UPDATE ostiary.restore_guard SET fingerprint = $1, seen_at = $2 WHERE id = 1 AND fingerprint = $3"
)
