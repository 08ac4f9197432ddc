"""What ends what: one row for each event that takes access away, the revocation matrix.

`Sessions` does what the row says, in the transaction of the event, and refuses to do anything else under its name. The
reference has it as a table, and the tests try every cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class EndReason(StrEnum):
    """Why a session, or the access tokens of one, ended."""

    LOGOUT = "logout"
    LOGOUT_ELSEWHERE = "logout_elsewhere"
    LOGOUT_EVERYWHERE = "logout_everywhere"
    REAUTHENTICATED = "reauthenticated"
    EXCHANGED = "exchanged"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a reason
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTORS_RESET = "factors_reset"
    ADDRESS_CHANGE_UNDONE = "address_change_undone"
    ADDRESS_LOST = "address_lost"
    IDENTITY_SUSPENDED = "identity_suspended"
    IDENTITY_DELETED = "identity_deleted"
    ENTITY_DEACTIVATED = "entity_deactivated"
    ROLE_REMOVED = "role_removed"
    PROVIDER_UNLINKED = "provider_unlinked"
    PROVIDER_LOGOUT = "provider_logout"
    IDENTITY_MERGED = "identity_merged"
    FACTOR_MISSING = "factor_missing"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 - a reason
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - a reason
    STALE = "stale"
    OPERATOR = "operator"
    OPERATOR_NAMED = "operator_named"
    EVERYTHING = "everything"


class Reach(StrEnum):
    """Which of somebody's sessions or access tokens an event ends."""

    NONE = "none"
    NAMED = "named"
    """Those of the sessions the event is about."""
    ALL = "all"
    EVERYBODYS = "everybody's"


class Cookie(StrEnum):
    """What becomes of a browser's cookies."""

    CLEARED = "cleared"
    """The answer takes them away; copies are dead."""
    REPLACED = "replaced"
    """The answer sets those of a new session; the old ones are dead."""
    DEAD = "dead"
    """They open nothing any more."""
    REFRESHED = "refreshed"
    """The access token in them is dead, the refresh token gets another."""


class Linked(StrEnum):
    """What becomes of a linked account's tokens."""

    KEPT = "kept"
    WITH_THE_LAST_SESSION = "erased with the last session that uses them"
    ERASED = "erased"
    MOVED = "go with their account to the other one"


@dataclass(frozen=True, slots=True)
class Ending:
    """A row of the matrix. Refresh tokens always go with their sessions: nothing else keeps them alive.

    What cancels flows takes away whatever was under way: links and codes, unfinished sign-ins, remembered devices.
    """

    event: str
    sessions: Reach
    access_tokens: Reach
    cookie: Cookie
    linked: Linked
    cancels_flows: bool


_NAMED: Final = (Reach.NAMED, Reach.NAMED)
_ALL: Final = (Reach.ALL, Reach.ALL)
_LAST: Final = Linked.WITH_THE_LAST_SESSION

ENDINGS: Final[Mapping[EndReason, Ending]] = MappingProxyType(
    {
        EndReason.LOGOUT: Ending("Logout", *_NAMED, Cookie.CLEARED, _LAST, cancels_flows=False),
        EndReason.LOGOUT_ELSEWHERE: Ending(
            "Logout of other sessions", *_NAMED, Cookie.DEAD, _LAST, cancels_flows=False
        ),
        EndReason.LOGOUT_EVERYWHERE: Ending(
            "Logout everywhere", *_ALL, Cookie.CLEARED, _LAST, cancels_flows=True
        ),
        EndReason.REAUTHENTICATED: Ending(
            "Proving again who one is", *_NAMED, Cookie.REPLACED, Linked.KEPT, cancels_flows=False
        ),
        EndReason.EXCHANGED: Ending(
            "Exchanged for a session here", *_NAMED, Cookie.DEAD, Linked.KEPT, cancels_flows=False
        ),
        EndReason.PASSWORD_CHANGED: Ending(
            "Password change", *_ALL, Cookie.REPLACED, _LAST, cancels_flows=True
        ),
        EndReason.PASSWORD_RESET: Ending("Password reset", *_ALL, Cookie.DEAD, _LAST, cancels_flows=True),
        EndReason.FACTOR_ADDED: Ending(
            "Factor added: other sessions", *_NAMED, Cookie.DEAD, _LAST, cancels_flows=True
        ),
        EndReason.FACTOR_REMOVED: Ending(
            "Factor removed: other sessions", *_NAMED, Cookie.DEAD, _LAST, cancels_flows=True
        ),
        EndReason.FACTORS_RESET: Ending(
            "Lost factors removed", *_ALL, Cookie.DEAD, _LAST, cancels_flows=True
        ),
        EndReason.ADDRESS_CHANGE_UNDONE: Ending(
            "Address change undone", *_ALL, Cookie.DEAD, _LAST, cancels_flows=True
        ),
        EndReason.ADDRESS_LOST: Ending(
            "Unproven address proven by somebody else", *_ALL, Cookie.DEAD, _LAST, cancels_flows=True
        ),
        EndReason.IDENTITY_SUSPENDED: Ending("Suspension", *_ALL, Cookie.DEAD, _LAST, cancels_flows=True),
        EndReason.IDENTITY_DELETED: Ending(
            "Deletion", *_ALL, Cookie.CLEARED, Linked.ERASED, cancels_flows=True
        ),
        EndReason.ENTITY_DEACTIVATED: Ending(
            "Entity deactivated", *_ALL, Cookie.DEAD, _LAST, cancels_flows=True
        ),
        EndReason.ROLE_REMOVED: Ending(
            "Role removed", Reach.NONE, Reach.ALL, Cookie.REFRESHED, Linked.KEPT, cancels_flows=False
        ),
        EndReason.PROVIDER_UNLINKED: Ending(
            "Provider unlinked: its sessions", *_NAMED, Cookie.DEAD, Linked.ERASED, cancels_flows=False
        ),
        EndReason.PROVIDER_LOGOUT: Ending(
            "Logout at the provider: the sessions it names", *_NAMED, Cookie.DEAD, _LAST, cancels_flows=False
        ),
        EndReason.IDENTITY_MERGED: Ending(
            "Made part of another account", *_ALL, Cookie.DEAD, Linked.MOVED, cancels_flows=True
        ),
        EndReason.FACTOR_MISSING: Ending(
            "Refreshed without the second factor the policy now demands",
            *_NAMED,
            Cookie.DEAD,
            _LAST,
            cancels_flows=False,
        ),
        EndReason.REFRESH_TOKEN_REUSED: Ending(
            "Refresh token used twice", *_NAMED, Cookie.DEAD, _LAST, cancels_flows=False
        ),
        EndReason.TOKEN_REVOKED: Ending(
            "Token revoked (RFC 7009)", *_NAMED, Cookie.DEAD, _LAST, cancels_flows=False
        ),
        EndReason.STALE: Ending("Not used for long", *_NAMED, Cookie.DEAD, _LAST, cancels_flows=False),
        EndReason.OPERATOR: Ending("Operator's action", *_ALL, Cookie.DEAD, _LAST, cancels_flows=True),
        EndReason.OPERATOR_NAMED: Ending(
            "Operator's action on one session", *_NAMED, Cookie.DEAD, _LAST, cancels_flows=False
        ),
        EndReason.EVERYTHING: Ending(
            "Everything ended",
            Reach.EVERYBODYS,
            Reach.EVERYBODYS,
            Cookie.DEAD,
            Linked.KEPT,
            cancels_flows=True,
        ),
    }
)


def require(reason: EndReason, *, sessions: Reach) -> None:
    """Make sure that an event ends what its row says, and nothing else. Raises `ValueError`."""
    if ENDINGS[reason].sessions is not sessions:
        raise ValueError(
            f"{reason} ends {ENDINGS[reason].sessions} of somebody's sessions, not {sessions}: see ENDINGS."
        )
