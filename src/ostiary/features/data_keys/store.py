"""All SQL about data keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ostiary.features.data_keys.model import Purpose
from ostiary.foundation.storage import Query


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A stored key as it is stored, wrapped."""

    id: UUID
    purpose: Purpose
    number: int
    wrapped_key: bytes = field(repr=False)
    kek_version: int
    created_at: datetime
    retired_at: datetime | None


_COLUMNS: Final = "id, purpose, number, wrapped_key, kek_version, created_at, retired_at"

ALL = Query(f"SELECT {_COLUMNS} FROM ostiary.data_keys ORDER BY purpose, number", into=WrappedKey)

ONE = Query(f"SELECT {_COLUMNS} FROM ostiary.data_keys WHERE id = $1", into=WrappedKey)

# Both facts in one snapshot: a worker that is just making the first keys makes signing keys after them.
IS_OLDER = Query(
    """
    SELECT EXISTS (SELECT 1 FROM ostiary.signing_keys)
           AND NOT EXISTS (SELECT 1 FROM ostiary.data_keys WHERE purpose = 'installation')
    """,
    into=bool,
)

# Of several that make a key of the same number, one does.
ADD: Query[Any] = Query(
    f"""
    INSERT INTO ostiary.data_keys ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, NULL)
    ON CONFLICT (purpose, number) DO NOTHING
    """
)

# Whoever did the same at the same time was first, or the key is gone: either way there is nothing left to do.
REWRAP: Query[Any] = Query(
    "UPDATE ostiary.data_keys SET wrapped_key = $3, kek_version = $4 WHERE id = $1 AND kek_version = $2"
)
