"""What is refused about roles."""

from __future__ import annotations

from ostiary.features.roles.model import LONGEST_DESCRIPTION, ROOM_IN_A_TOKEN
from ostiary.foundation.errors import OstiaryError


class InvalidRoleName(OstiaryError):
    """A role's name is malformed."""

    def __init__(self) -> None:
        super().__init__("A role's name is 1 to 64 lower-case letters, digits and the characters : _ . -")


class InvalidPermission(OstiaryError):
    """A permission's name is malformed."""

    def __init__(self) -> None:
        super().__init__(
            "A permission is written as reports:read: two to four parts of lower-case letters, digits and the "
            "characters _ . -, each beginning with a letter, and at most 64 characters in all."
        )


class InvalidDescription(OstiaryError):
    """A role's description is too long."""

    def __init__(self) -> None:
        super().__init__(f"A role is described in at most {LONGEST_DESCRIPTION} characters.")


class TooManyPermissions(OstiaryError):
    """A role would allow more than an access token can say."""

    def __init__(self) -> None:
        super().__init__(
            f"The permissions of a role may take {ROOM_IN_A_TOKEN} bytes in an access token, about 80 of them: divide "
            "the role, or let one permission stand for several."
        )


class RoleNotFound(OstiaryError):
    """There is no role of this name."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such role: `ostiary role list` shows them, `ostiary role create` makes one."
        )


class RoleExists(OstiaryError):
    """There is a role of this name already."""

    def __init__(self) -> None:
        super().__init__("There is a role of this name already: change its permissions with allow and deny.")


class RoleDeclared(OstiaryError):
    """A role is named in configuration, and not changed by hand."""

    def __init__(self) -> None:
        super().__init__(
            "This role is declared in the configuration: change it there, and start the application again."
        )


class LastOperator(OstiaryError):
    """Nobody would be left who may administer the installation."""

    def __init__(self) -> None:
        super().__init__(
            "Nobody else would be left with the role ostiary:operator for as long: give it to another administrator "
            "first, then repeat this."
        )
