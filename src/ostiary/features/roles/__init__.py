"""Roles: named sets of permissions, granted to identities, perhaps for a time.

Owns `roles`, `role_permissions` and `role_grants`. Role names travel in access tokens; what a grant's end must
kill is the business of the journey that ends it.
"""

from ostiary.features.roles.model import OPERATOR, Grant
from ostiary.features.roles.service import InvalidRoleName, Roles, require_name

__all__ = ["OPERATOR", "Grant", "InvalidRoleName", "Roles", "require_name"]
