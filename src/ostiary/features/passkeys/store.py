"""All SQL about passkeys and their ceremonies."""

from __future__ import annotations

from typing import Any, Final

from ostiary.features.passkeys.model import Descriptor, Passkey, StoredPasskey, UsedCeremony
from ostiary.foundation.storage import Query, bounded_delete

_PASSKEY: Final = """
    id, label, aaguid, transports, backup_eligible, backed_up, created_at, last_used_at, clone_suspected_at
"""

BEGIN: Query[Any] = Query(
    """
    INSERT INTO ostiary.ceremonies
           (id, kind, identity_id, session_id, flow_id, secret_digest, challenge, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    """
)

USE_UP = Query(
    # Whatever comes of it: who has seen a challenge once has no second try (PK-01). The row count decides the race.
    """
    UPDATE ostiary.ceremonies SET consumed_at = $3
     WHERE id = $1 AND secret_digest = $2 AND consumed_at IS NULL
    RETURNING kind, identity_id, session_id, flow_id, challenge, expires_at
    """,
    into=UsedCeremony,
)

ADD = Query(
    # A session that has ended meanwhile adds nothing: its passkey would outlive it.
    f"""
    INSERT INTO ostiary.passkeys
           (id, identity_id, credential_id, public_key, sign_count, aaguid, transports, backup_eligible, backed_up,
            label, created_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
     WHERE EXISTS (SELECT 1 FROM ostiary.sessions WHERE id = $12 AND identity_id = $2 AND ended_at IS NULL)
       AND (SELECT count(*) FROM ostiary.passkeys WHERE identity_id = $2) < $13
    ON CONFLICT (credential_id) DO NOTHING
    RETURNING {_PASSKEY}
    """,
    into=Passkey,
)

IS_REGISTERED = Query(
    "SELECT count(*) > 0 FROM ostiary.passkeys WHERE credential_id = $1",
    into=bool,
)

FIND_PRESENTED = Query(
    """
    SELECT passkey.id, passkey.identity_id, passkey.public_key, passkey.backup_eligible,
           passkey.clone_suspected_at, identity.status = 'active' AND identity.deleted_at IS NULL AS is_active,
           identity.email, identity.phone, identity.locale
      FROM ostiary.passkeys AS passkey JOIN ostiary.identities AS identity ON identity.id = passkey.identity_id
     WHERE passkey.credential_id = $1
    """,
    into=StoredPasskey,
)

USE: Query[Any] = Query(
    # The counter is compared where it is written, so of two copies at once one is behind (WebAuthn §7.2, step 22).
    """
    UPDATE ostiary.passkeys SET sign_count = $2, backed_up = $3, last_used_at = $4
     WHERE id = $1 AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0))
    """
)

SUSPECT: Query[Any] = Query(
    "UPDATE ostiary.passkeys SET clone_suspected_at = COALESCE(clone_suspected_at, $2) WHERE id = $1"
)

USE_IN_SPITE: Query[Any] = Query(
    # The higher of the two counters stays: it is the one the next assertion has to beat.
    """
    UPDATE ostiary.passkeys
       SET backed_up = $2, last_used_at = $3, clone_suspected_at = COALESCE(clone_suspected_at, $3)
     WHERE id = $1
    """
)

DESCRIPTORS = Query(
    "SELECT credential_id, transports FROM ostiary.passkeys WHERE identity_id = $1 ORDER BY id",
    into=Descriptor,
)

LIST = Query(f"SELECT {_PASSKEY} FROM ostiary.passkeys WHERE identity_id = $1 ORDER BY id", into=Passkey)

COUNT = Query("SELECT count(*) FROM ostiary.passkeys WHERE identity_id = $1", into=int)

RENAME = Query(
    f"UPDATE ostiary.passkeys SET label = $3 WHERE id = $1 AND identity_id = $2 RETURNING {_PASSKEY}",
    into=Passkey,
)

REMOVE: Query[Any] = Query("DELETE FROM ostiary.passkeys WHERE id = $1 AND identity_id = $2")

REMOVE_ALL: Query[Any] = Query("DELETE FROM ostiary.passkeys WHERE identity_id = $1")

PURGE: Query[Any] = bounded_delete(
    "ceremonies", key="id", where="expires_at <= $1", order="expires_at", limit="$2"
)
