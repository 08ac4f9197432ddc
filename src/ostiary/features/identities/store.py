"""All SQL about identities, but for their failure budget, which is in `budget_store.py`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final
from uuid import UUID

from ostiary.features.identities.addresses import Channel
from ostiary.features.identities.model import Credentials, Identity, Raised
from ostiary.foundation.storage import Query

_IDENTITY: Final = """
    id, entity_type, entity_id, email, email_verified_at, phone, phone_verified_at, status, must_change_password,
    failed_login_attempts, locked_until, last_login_at, locale, token_epoch, created_at, updated_at
"""
# What a password check needs to know; the failure budget hands it out too.
CREDENTIALS: Final = """
    id, entity_type, entity_id, status, token_epoch, must_change_password, email, phone, locale, password_hash,
    password_scheme, shadow_scheme, shadow_hash
"""


INSERT: Query[Any] = Query(
    """
    INSERT INTO ostiary.identities
           (id, entity_type, entity_id, email, email_normalized, phone, password_hash, password_scheme,
            password_changed_at, status, must_change_password, failed_login_attempts, token_epoch,
            created_at, updated_at, email_verified_at, phone_verified_at, locale)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, FALSE, 0, 0, $11, $11, $12, $13, $14)
    """
)

POINT_AT_PROFILE: Query[Any] = Query("UPDATE ostiary.identities SET entity_id = $2 WHERE id = $1")

FIND = Query(
    f"SELECT {_IDENTITY} FROM ostiary.identities WHERE id = $1 AND deleted_at IS NULL", into=Identity
)

FIND_BY_EMAIL = Query(
    f"""
    SELECT {_IDENTITY} FROM ostiary.identities
     WHERE entity_type = $1 AND email_normalized = $2 AND deleted_at IS NULL
    """,
    into=Identity,
)

FIND_BY_PHONE = Query(
    f"""
    SELECT {_IDENTITY} FROM ostiary.identities
     WHERE entity_type = $1 AND phone = $2 AND deleted_at IS NULL
    """,
    into=Identity,
)

# Searches. $1 the id to go on behind, $2 the first id that is too late, $3 how many; what is looked for follows. Each
# combination is a statement of its own, so that each is planned by the index that fits it.
SEARCHED_BY: Final = {
    **{name: f"{name} = {{}}" for name in ("email_normalized", "phone", "entity_type", "status")},
    "rare_status": "status = {} AND status <> 'active'",
}


def _search(names: tuple[str, ...]) -> Query[Identity]:
    asked = "".join(f" AND {SEARCHED_BY[name].format(f'${n}')}" for n, name in enumerate(names, start=4))
    found = f"deleted_at IS NULL AND id > $1 AND id < $2{asked} ORDER BY id LIMIT $3"
    return Query(f"SELECT {_IDENTITY} FROM ostiary.identities WHERE {found}", into=Identity)


SEARCHES: Final = {names: _search(names) for size in range(5) for names in combinations(SEARCHED_BY, size)}

COUNT_OF_TYPE = Query(
    "SELECT count(*) FROM ostiary.identities WHERE entity_type = $1 AND deleted_at IS NULL", into=int
)

LOCK_FOR_CHANGE = Query(
    # A plain read inside SQLite's write transaction is already alone.
    postgresql=f"SELECT {CREDENTIALS} FROM ostiary.identities WHERE id = $1 AND deleted_at IS NULL FOR UPDATE",
    sqlite=f"SELECT {CREDENTIALS} FROM ostiary.identities WHERE id = $1 AND deleted_at IS NULL",
    into=Credentials,
)

LOCK = Query(
    postgresql=f"SELECT {_IDENTITY} FROM ostiary.identities WHERE id = $1 AND deleted_at IS NULL FOR UPDATE",
    sqlite=f"SELECT {_IDENTITY} FROM ostiary.identities WHERE id = $1 AND deleted_at IS NULL",
    into=Identity,
)


@dataclass(frozen=True, slots=True)
class AddressQueries:
    """The statements about one kind of address."""

    verify: Query[Any]
    replace: Query[Any]
    release: Query[UUID]


def _addresses(column: str, compared: str) -> AddressQueries:
    columns = dict.fromkeys((column, compared))
    spelling = "" if column == compared else f", {column} = $5"
    return AddressQueries(
        # Only the address that was proven: the identity may have another one by now.
        verify=Query(
            f"""
            UPDATE ostiary.identities SET {column}_verified_at = coalesce({column}_verified_at, $3), updated_at = $3
             WHERE id = $1 AND {compared} = $2 AND deleted_at IS NULL
            """
        ),
        replace=Query(
            f"""
            UPDATE ostiary.identities
               SET {compared} = $2, {column}_verified_at = $3, updated_at = $4{spelling}
             WHERE id = $1 AND deleted_at IS NULL
            """
        ),
        # Whoever proved it keeps it; the row's lock decides between a proof and this.
        release=Query(
            f"""
            UPDATE ostiary.identities SET {", ".join(f"{name} = NULL" for name in columns)}, updated_at = $3
             WHERE entity_type = $1 AND {compared} = $2 AND {column}_verified_at IS NULL AND deleted_at IS NULL
            RETURNING id
            """,
            into=UUID,
        ),
    )


ADDRESSES: Final = {
    Channel.EMAIL: _addresses("email", "email_normalized"),
    Channel.PHONE: _addresses("phone", "phone"),
}

DECIDE: Query[Any] = Query(
    """
    UPDATE ostiary.identities SET status = $2, updated_at = $3
     WHERE id = $1 AND status = 'pending_verification' AND deleted_at IS NULL
    """
)

COMPLETE_SIGN_IN: Query[Any] = Query(
    """
    UPDATE ostiary.identities
       SET failed_login_attempts = 0, locked_until = NULL, last_login_at = $3, updated_at = $3
     WHERE id = $1 AND token_epoch = $2 AND status = 'active' AND deleted_at IS NULL
    """
)

SET_PASSWORD: Query[Any] = Query(
    """
    UPDATE ostiary.identities
       SET password_hash = $2, password_scheme = $3, password_changed_at = $4, must_change_password = FALSE,
           shadow_hash = $5, updated_at = $4
     WHERE id = $1 AND deleted_at IS NULL
    """
)

REHASH_PASSWORD: Query[Any] = Query(  # only the one that was verified: one changed meanwhile stays
    """
    UPDATE ostiary.identities
       SET password_hash = $3, password_scheme = $4, updated_at = $5,
           shadow_hash = CASE WHEN shadow_hash IS NULL AND password_scheme = shadow_scheme THEN password_hash
                              ELSE shadow_hash END
     WHERE id = $1 AND password_hash = $2
    """
)

ADOPT_PASSWORD: Query[Any] = Query(  # where there is none: one that was set here meanwhile stays
    """
    UPDATE ostiary.identities
       SET password_hash = $2, password_scheme = $3, password_changed_at = $4, shadow_hash = NULL, updated_at = $4
     WHERE id = $1 AND password_hash IS NULL AND deleted_at IS NULL AND (email_normalized = $5 OR phone = $5)
    """
)

REQUIRE_PASSWORD_CHANGE: Query[Any] = Query(
    "UPDATE ostiary.identities SET must_change_password = TRUE, updated_at = $2"
    " WHERE id = $1 AND deleted_at IS NULL"
)

RAISE_EPOCH = Query(
    """
    UPDATE ostiary.identities SET token_epoch = token_epoch + 1, updated_at = $2
     WHERE id = $1
    RETURNING token_epoch
    """,
    into=int,
)

# The next $4 holders of the role $1 behind the identity $2, whose grants live at $3; locked in the order of their ids, as
# everybody does who locks several. The roles' own feature owns the grants; read here so that one statement raises many.
_NEXT_HOLDERS: Final = """
    SELECT held.identity_id FROM ostiary.role_grants AS held
     WHERE held.role_id = $1 AND held.identity_id > $2 AND (held.expires_at IS NULL OR held.expires_at > $3)
     ORDER BY held.identity_id LIMIT $4"""
RAISE_EPOCHS_OF_HOLDERS = Query(
    postgresql=f"""
    WITH locked AS (
        SELECT id FROM ostiary.identities WHERE id = ANY (ARRAY({_NEXT_HOLDERS})) ORDER BY id FOR UPDATE
    ), raised AS (
        UPDATE ostiary.identities AS identity SET token_epoch = identity.token_epoch + 1, updated_at = $3
          FROM locked WHERE identity.id = locked.id
        RETURNING identity.id, identity.token_epoch AS epoch
    )
    SELECT id, epoch FROM raised ORDER BY id
    """,
    sqlite=f"""
    UPDATE ostiary.identities SET token_epoch = token_epoch + 1, updated_at = $3 WHERE id IN ({_NEXT_HOLDERS})
    RETURNING id, token_epoch AS epoch
    """,
    into=Raised,
)

SET_STATUS: Query[Any] = Query(
    "UPDATE ostiary.identities SET status = $2, updated_at = $3"
    " WHERE id = $1 AND deleted_at IS NULL AND status <> $2"
)

UNLOCK: Query[Any] = Query(
    """
    UPDATE ostiary.identities SET failed_login_attempts = 0, locked_until = NULL, updated_at = $2
     WHERE id = $1 AND deleted_at IS NULL
    """
)

SOFT_DELETE: Query[Any] = Query(
    """
    UPDATE ostiary.identities
       SET status = 'deleted', deleted_at = $2, updated_at = $2, password_hash = NULL, password_scheme = NULL,
           shadow_hash = NULL
     WHERE id = $1 AND deleted_at IS NULL
    """
)

# What is deleted and not erased yet.
FIND_DELETED = Query(
    f"SELECT {_IDENTITY} FROM ostiary.identities WHERE id = $1 AND deleted_at IS NOT NULL", into=Identity
)
RESTORE: Query[Any] = Query(
    """
    UPDATE ostiary.identities SET status = $2, deleted_at = NULL, updated_at = $3
     WHERE id = $1 AND deleted_at IS NOT NULL
    """
)
ERASE: Query[Any] = Query("DELETE FROM ostiary.identities WHERE id = $1 AND deleted_at IS NOT NULL")
