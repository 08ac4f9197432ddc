"""All SQL about roles, permissions and grants."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ostiary.features.roles.model import Grant, Holder, Role
from ostiary.foundation.storage import Query

FIRST_ID: Final = UUID(int=0)

ENSURE = Query(
    # DO UPDATE rather than DO NOTHING, so that the row is returned (and locked) whoever made it.
    """
    INSERT INTO ostiary.roles (id, name) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name
    RETURNING id
    """,
    into=UUID,
)

# Grants of one role do not wait for each other; who changes what it allows waits for them, and they for it. So
# nobody comes to hold a role while the tokens of its holders are being ended.
HOLD = Query(
    postgresql="SELECT id FROM ostiary.roles WHERE name = $1 FOR SHARE",
    sqlite="SELECT id FROM ostiary.roles WHERE name = $1",
    into=UUID,
)

INSERT = Query(
    """
    INSERT INTO ostiary.roles (id, name, description) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING id
    """,
    into=UUID,
)

DESCRIBE: Query[Any] = Query("UPDATE ostiary.roles SET description = $2, declared = $3 WHERE id = $1")

DELETE: Query[Any] = Query("DELETE FROM ostiary.roles WHERE id = $1")


def _allowed(role: str) -> tuple[str, str]:
    """Return what a role allows as a list, in each dialect."""
    which = f"FROM ostiary.role_permissions AS allowed WHERE allowed.role_id = {role}.id"
    return (
        f"(SELECT coalesce(jsonb_agg(allowed.permission ORDER BY allowed.permission), '[]'::jsonb) {which})",
        f"(SELECT json_group_array(permission) FROM (SELECT allowed.permission {which} ORDER BY allowed.permission))",
    )


def _roles(where: str, *, lock: bool = False) -> Query[Role]:
    def text(permissions: str) -> str:
        return f"""
    SELECT role.id, role.name, role.description, role.declared, {permissions} AS permissions
      FROM ostiary.roles AS role WHERE {where}"""

    postgresql, sqlite = map(text, _allowed("role"))
    return Query(
        postgresql=f"{postgresql} FOR UPDATE OF role" if lock else postgresql, sqlite=sqlite, into=Role
    )


FIND = _roles("role.name = $1")
LIST = _roles("role.name > $1 ORDER BY role.name LIMIT $2")
DECLARED = _roles("role.declared ORDER BY role.name")

# Locked first and read after: what it allows is seen as it is once nobody else changes it.
LOCK = Query(
    postgresql="SELECT id FROM ostiary.roles WHERE name = $1 FOR UPDATE",
    sqlite="SELECT id FROM ostiary.roles WHERE name = $1",
    into=UUID,
)

ALLOW = Query(
    postgresql="""
    INSERT INTO ostiary.role_permissions (role_id, permission)
    SELECT $1, given.permission FROM jsonb_array_elements_text($2) AS given(permission)
    ON CONFLICT DO NOTHING RETURNING permission
    """,
    sqlite="""
    INSERT INTO ostiary.role_permissions (role_id, permission) SELECT $1, value FROM json_each($2) WHERE TRUE
    ON CONFLICT DO NOTHING RETURNING permission
    """,
    into=str,
)

DENY = Query(
    postgresql="""
    DELETE FROM ostiary.role_permissions
     WHERE role_id = $1 AND permission IN (SELECT jsonb_array_elements_text($2)) RETURNING permission
    """,
    sqlite="""
    DELETE FROM ostiary.role_permissions
     WHERE role_id = $1 AND permission IN (SELECT value FROM json_each($2)) RETURNING permission
    """,
    into=str,
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


def _grants_of_identity(permissions: str) -> str:
    return f"""
    SELECT role.name AS role, held.granted_by, held.granted_at, held.expires_at, {permissions} AS permissions
      FROM ostiary.role_grants AS held JOIN ostiary.roles AS role ON role.id = held.role_id
     WHERE held.identity_id = $1 AND (held.expires_at IS NULL OR held.expires_at > $2)
     ORDER BY role.name
    """


GRANTS_OF_IDENTITY = Query(
    postgresql=_grants_of_identity(_allowed("role")[0]),
    sqlite=_grants_of_identity(_allowed("role")[1]),
    into=Grant,
)

HOLDERS = Query(
    """
    SELECT held.identity_id, identity.entity_type, identity.email, identity.phone,
           held.granted_by, held.granted_at, held.expires_at
      FROM ostiary.role_grants AS held JOIN ostiary.identities AS identity ON identity.id = held.identity_id
     WHERE held.role_id = (SELECT id FROM ostiary.roles WHERE name = $1) AND held.identity_id > $2
       AND (held.expires_at IS NULL OR held.expires_at > $3) AND identity.deleted_at IS NULL
     ORDER BY held.identity_id LIMIT $4
    """,
    into=Holder,
)

COUNT_HOLDERS = Query(
    """
    SELECT count(*) FROM (
        SELECT 1 FROM ostiary.role_grants WHERE role_id = $1 AND (expires_at IS NULL OR expires_at > $2) LIMIT $3
    ) AS held
    """,
    into=int,
)

# Whether somebody else who can sign in as $1 holds the role $2 for as long as $3 does. $4 is now.
HAS_ANOTHER_OPERATOR = Query(
    """
    SELECT EXISTS (
        SELECT 1 FROM ostiary.role_grants AS other
          JOIN ostiary.identities AS identity ON identity.id = other.identity_id
          JOIN ostiary.roles AS role ON role.id = other.role_id
          LEFT JOIN ostiary.role_grants AS own ON own.role_id = other.role_id AND own.identity_id = $3
         WHERE role.name = $2 AND other.identity_id <> $3
           AND identity.entity_type = $1 AND identity.status = 'active' AND identity.deleted_at IS NULL
           AND (other.expires_at IS NULL OR (other.expires_at > $4 AND other.expires_at >= own.expires_at))
    )
    """,
    into=bool,
)
