"""All SQL about how a migration stands, what was found about rows, and what is decided on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ostiary.features.legacy.rows.reasons import Reason
from ostiary.foundation.storage import Query


@dataclass(frozen=True, slots=True)
class Figures:
    """How a migration stands, in numbers."""

    identities: int
    with_password: int
    not_rehashed: int
    changed_password: int
    with_shadow: int


# Without a shadow, as after contracting, a password is as it was unless it is in the scheme that is written here.
FIGURES = Query(
    """
    SELECT count(*) AS identities, count(held.password_hash) AS with_password,
           count(CASE WHEN held.password_scheme = held.shadow_scheme AND held.shadow_hash IS NULL THEN 1
                      WHEN held.shadow_scheme IS NULL AND held.password_scheme <> 'argon2id' THEN 1 END) AS not_rehashed,
           count(held.password_changed_at) AS changed_password,
           count(CASE WHEN held.password_changed_at IS NOT NULL
                       AND (held.shadow_hash IS NOT NULL OR held.password_scheme = held.shadow_scheme) THEN 1 END)
             AS with_shadow
      FROM ostiary.legacy_identities AS known JOIN ostiary.identities AS held ON held.id = known.identity_id
     WHERE known.migration_id = $1
    """,
    into=Figures,
)


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many rows were found for one reason."""

    reason: str
    severity: str
    rows: int


FINDINGS_BY_REASON = Query(
    """
    SELECT reason, severity, count(*) AS rows FROM ostiary.legacy_findings
     WHERE migration_id = $1 GROUP BY reason, severity ORDER BY reason
    """,
    into=ReasonCount,
)


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row over there, and what was found about it."""

    source_table: str
    source_key: str
    reason: str
    severity: str
    column_name: str
    root_key: str | None
    found_at: datetime

    @property
    def meaning(self) -> str:
        """What was found, in a few words."""
        return Reason(self.reason).meaning

    @property
    def fix(self) -> str:
        """What to do about it."""
        return Reason(self.reason).fix


_FOUND: Final = """
    SELECT source_table, source_key, reason, severity, column_name, root_key, found_at FROM ostiary.legacy_findings
     WHERE migration_id = $1
"""

FINDINGS = Query(
    f"""
    {_FOUND} AND ($2 = '' OR reason = $2) AND ($3 = '' OR source_table = $3) AND ($4 = '' OR source_key = $4)
     ORDER BY source_table, source_key, reason LIMIT $5
    """,
    into=FoundRow,
)

FOUND_ROOTS = Query(
    """
    SELECT DISTINCT root_key FROM ostiary.legacy_findings
     WHERE migration_id = $1 AND ($2 = '' OR reason = $2) AND ($3 = '' OR source_table = $3)
       AND ($4 = '' OR source_key = $4) AND root_key IS NOT NULL
    """,
    into=str,
)

DECIDE: Query[Any] = Query(
    "UPDATE ostiary.legacy_migrations SET plan = $3, checkpoint = $4 WHERE id = $1 AND fence = $2"
)

PURGE_ARCHIVES: Query[Any] = Query(
    """
    DELETE FROM ostiary.legacy_roots
     WHERE (migration_id, root_key) IN (
           SELECT root.migration_id, root.root_key FROM ostiary.legacy_roots AS root
             JOIN ostiary.legacy_migrations AS migration ON migration.id = root.migration_id
            WHERE migration.archive_until <= $1 AND migration.contracted_at IS NOT NULL LIMIT $2)
    """
)
