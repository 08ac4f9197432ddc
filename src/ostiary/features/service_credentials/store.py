"""All SQL about service credentials."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ostiary.features.service_credentials.model import Service, ServiceCredential
from ostiary.foundation.storage import Query

ADD: Query[Any] = Query(
    """
    INSERT INTO ostiary.service_credentials (id, identity_id, secret_digest, scopes, created_at, created_by, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    """
)

AUTHENTICATE = Query(
    """
    SELECT credential.id AS credential_id, credential.identity_id, credential.scopes, credential.last_used_at
      FROM ostiary.service_credentials AS credential
      JOIN ostiary.identities AS identity ON identity.id = credential.identity_id
     WHERE credential.id = $1 AND credential.secret_digest = $2 AND credential.revoked_at IS NULL
       AND (credential.expires_at IS NULL OR credential.expires_at > $3)
       AND identity.status = 'active' AND identity.deleted_at IS NULL
    """,
    into=Service,
)

USED: Query[Any] = Query("UPDATE ostiary.service_credentials SET last_used_at = $2 WHERE id = $1")

_CREDENTIAL: Final = """
    SELECT credential.id, credential.identity_id, service.display_name AS name, credential.scopes,
           credential.created_at, credential.expires_at, credential.revoked_at, credential.last_used_at
      FROM ostiary.service_credentials AS credential
      LEFT JOIN ostiary.services AS service ON service.identity_id = credential.identity_id"""

LIST = Query(
    f"{_CREDENTIAL} WHERE credential.id > $1 ORDER BY credential.id LIMIT $2", into=ServiceCredential
)

REVOKE = Query(
    """
    UPDATE ostiary.service_credentials SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING identity_id
    """,
    into=UUID,
)
