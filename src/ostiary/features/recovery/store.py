"""All SQL about what does not survive the first proof of an address."""

from __future__ import annotations

from typing import Any, Final

from ostiary.foundation.storage import Query


def _disinherit(proven: str, other: str) -> Query[Any]:
    unproven = f"SELECT id FROM ostiary.identities WHERE id = $1 AND {proven}_verified_at IS NULL"
    return Query(
        postgresql=f"""
        WITH unproven AS ({unproven}), passkeys AS (
            DELETE FROM ostiary.passkeys WHERE identity_id IN (SELECT id FROM unproven)
        )
        UPDATE ostiary.identities SET {other}_verified_at = NULL, updated_at = $2
         WHERE id IN (SELECT id FROM unproven)
        """,
        sqlite=(
            f"DELETE FROM ostiary.passkeys WHERE identity_id IN ({unproven})",
            f"""
            UPDATE ostiary.identities SET {other}_verified_at = NULL, updated_at = $2
             WHERE id = $1 AND {proven}_verified_at IS NULL
            """,
        ),
    )


DISINHERIT_BY_EMAIL: Final = _disinherit("email", "phone")
DISINHERIT_BY_PHONE: Final = _disinherit("phone", "email")
