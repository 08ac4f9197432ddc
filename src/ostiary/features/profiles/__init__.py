"""Profiles: who somebody is, apart from how they sign in.

Owns `users`, `admins` and `services`, the built-in profile tables. A profile knows no credential and no token; its
`.email` and `.phone` come from the identity in the same one query. Deleting a profile row deletes its identity,
by a trigger of the database.
"""

from ostiary.features.profiles.model import PROFILE_TYPES, Profile, ProfileChange, ProfileType
from ostiary.features.profiles.service import (
    InvalidProfile,
    ProfileNotFound,
    Profiles,
    change_to,
    check_fields,
    read_as,
)

__all__ = [
    "PROFILE_TYPES",
    "InvalidProfile",
    "Profile",
    "ProfileChange",
    "ProfileNotFound",
    "ProfileType",
    "Profiles",
    "change_to",
    "check_fields",
    "read_as",
]
