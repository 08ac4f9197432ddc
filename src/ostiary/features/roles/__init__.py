"""Roles: named sets of permissions, granted to identities, perhaps for a time.

Owns `roles`, `role_permissions` and `role_grants`. The names of roles and permissions travel in access tokens; what a
change must kill is the business of the journey that makes it. Roles that the configuration names are changed there.
"""

from ostiary.features.roles.errors import (
    InvalidDescription,
    InvalidPermission,
    InvalidRoleName,
    LastOperator,
    RoleDeclared,
    RoleExists,
    RoleNotFound,
    TooManyPermissions,
)
from ostiary.features.roles.model import (
    OPERATOR,
    OPERATORS,
    OPERATORS_ARE,
    RESERVED,
    Declaration,
    Grant,
    Holder,
    Role,
    for_token,
    permissions_of,
)
from ostiary.features.roles.service import Roles, declaration, require_name

__all__ = [
    "OPERATOR",
    "OPERATORS",
    "OPERATORS_ARE",
    "RESERVED",
    "Declaration",
    "Grant",
    "Holder",
    "InvalidDescription",
    "InvalidPermission",
    "InvalidRoleName",
    "LastOperator",
    "Role",
    "RoleDeclared",
    "RoleExists",
    "RoleNotFound",
    "Roles",
    "TooManyPermissions",
    "declaration",
    "for_token",
    "permissions_of",
    "require_name",
]
