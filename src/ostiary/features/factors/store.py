"""The SQL of resets that belongs to no single kind of factor."""

from __future__ import annotations

from typing import Any

from ostiary.foundation.storage import Query

REMOVE_PASSKEYS: Query[Any] = Query("DELETE FROM ostiary.passkeys WHERE identity_id = $1")
