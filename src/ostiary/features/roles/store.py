"""All SQL about roles and grants."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ostiary.features.roles.model import Grant
from ostiary.foundation.storage import Query

ENSURE = Query(
    # DO UPDATE rather than DO NOTHING, so that the row is returned (and locked) whoever made it.
    """
    INSERT INTO ostiary.roles (id, name) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name
    RETURNING id
    """,
    into=UUID,
)

GRANT: Query[Any] = Query(
    """
    INSERT INTO ostiary.role_grants (identity_id, role_id, granted_by, granted_at, expires_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (identity_id, role_id) DO UPDATE
       SET granted_by = excluded.granted_by, granted_at = excluded.granted_at, expires_at = excluded.expires_at
    """
)

REMOVE: Query[Any] = Query(
    """
    DELETE FROM ostiary.role_grants
     WHERE identity_id = $1 AND role_id = (SELECT id FROM ostiary.roles WHERE name = $2)
    """
)

GRANTS_OF_IDENTITY = Query(
    """
    SELECT role.name AS role, held.granted_by, held.granted_at, held.expires_at
      FROM ostiary.role_grants AS held JOIN ostiary.roles AS role ON role.id = held.role_id
     WHERE held.identity_id = $1 AND (held.expires_at IS NULL OR held.expires_at > $2)
     ORDER BY role.name
    """,
    into=Grant,
)
