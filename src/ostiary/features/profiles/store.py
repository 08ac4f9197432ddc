"""All SQL about the built-in profile tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ostiary.features.profiles.model import PROFILE_TYPES, Profile, ProfileType
from ostiary.foundation.storage import Query

FIELDS: Final = ("display_name", "given_name", "family_name", "locale", "time_zone", "avatar_url", "metadata")
_LISTED: Final = ", ".join(FIELDS)


@dataclass(frozen=True, slots=True)
class ProfileQueries:
    """The statements of one profile table."""

    insert: Query[Any]
    find: Query[Profile]
    lock: Query[Profile]
    update: Query[Any]
    soft_delete: Query[Any]
    restore: Query[Any]


def _queries(kind: ProfileType) -> ProfileQueries:
    # One query answers the profile with its addresses (S1), and touches neither credential nor token (S0).
    find = f"""
        SELECT profile.id, profile.identity_id, identity.email, identity.email_verified_at, identity.phone,
               identity.phone_verified_at, {", ".join(f"profile.{name}" for name in FIELDS)},
               profile.created_at, profile.updated_at
          FROM ostiary.{kind.table} AS profile JOIN ostiary.identities AS identity ON identity.id = profile.identity_id
         WHERE profile.identity_id = $1 AND profile.deleted_at IS NULL
        """
    return ProfileQueries(
        insert=Query(
            f"""
            INSERT INTO ostiary.{kind.table} (id, identity_id, {_LISTED}, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
            """
        ),
        find=Query(find, into=Profile),
        lock=Query(postgresql=f"{find} FOR UPDATE OF profile", sqlite=find, into=Profile),
        update=Query(
            f"""
            UPDATE ostiary.{kind.table}
               SET display_name = $2, given_name = $3, family_name = $4, locale = $5, time_zone = $6,
                   avatar_url = $7, metadata = $8, updated_at = $9
             WHERE identity_id = $1 AND deleted_at IS NULL
            """
        ),
        soft_delete=Query(
            f"""
            UPDATE ostiary.{kind.table} SET deleted_at = $2, updated_at = $2
             WHERE identity_id = $1 AND deleted_at IS NULL
            """
        ),
        restore=Query(
            f"UPDATE ostiary.{kind.table} SET deleted_at = NULL, updated_at = $2 WHERE identity_id = $1"
        ),
    )


QUERIES: Final = {kind.entity_type: _queries(kind) for kind in PROFILE_TYPES}
