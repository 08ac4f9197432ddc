"""Identities: who can sign in, of which entity type, with what credentials and in what state.

Owns `identities` and `unknown_identifiers`. An address belongs to one identity per entity type; a profile is
pointed at and never read from here. Failed attempts are counted in the statement that hands out the password
hash, so no two guesses share one place in the budget.
"""

from ostiary.features.identities.addresses import (
    Address,
    Channel,
    EmailAddress,
    InvalidAddress,
    PhoneNumber,
    parse_address,
    parse_email,
    parse_identifier,
    parse_phone,
)
from ostiary.features.identities.entity_types import (
    CheckProfile,
    CreateProfile,
    EntityType,
    EntityTypes,
    NewIdentity,
    OnRegistered,
    UnknownEntityType,
)
from ostiary.features.identities.model import (
    IDENTITY_PREFIX,
    Attempt,
    Credentials,
    Identity,
    IdentityFilter,
    Lockout,
    NewPassword,
    Raised,
    Status,
)
from ostiary.features.identities.service import (
    IdentifierTaken,
    Identities,
    IdentityNotFound,
    ShadowMissing,
)

__all__ = [
    "IDENTITY_PREFIX",
    "Address",
    "Attempt",
    "Channel",
    "CheckProfile",
    "CreateProfile",
    "Credentials",
    "EmailAddress",
    "EntityType",
    "EntityTypes",
    "IdentifierTaken",
    "Identities",
    "Identity",
    "IdentityFilter",
    "IdentityNotFound",
    "InvalidAddress",
    "Lockout",
    "NewIdentity",
    "NewPassword",
    "OnRegistered",
    "PhoneNumber",
    "Raised",
    "ShadowMissing",
    "Status",
    "UnknownEntityType",
    "parse_address",
    "parse_email",
    "parse_identifier",
    "parse_phone",
]
