"""The rules of a room: how far it may go, and who may do what in it."""

from __future__ import annotations

from enum import Enum, auto

from .tables import ParticipantRole, RoomStatus

NEXT: dict[RoomStatus, frozenset[RoomStatus]] = {
    RoomStatus.DRAFT: frozenset({RoomStatus.ACTIVE, RoomStatus.CANCELLED}),
    RoomStatus.ACTIVE: frozenset({RoomStatus.COMPLETED, RoomStatus.CANCELLED}),
    RoomStatus.COMPLETED: frozenset(),
    RoomStatus.CANCELLED: frozenset(),
}
OPEN = frozenset({RoomStatus.DRAFT, RoomStatus.ACTIVE})


class Action(Enum):
    """What somebody may do in a room."""

    LOOK = auto()
    REMOVE_PEOPLE = auto()
    ADD_PEOPLE = auto()
    MANAGE_PRIZES = auto()
    DRAW = auto()
    MANAGE_ROOM = auto()
    DELETE_ROOM = auto()


_LOOKING = frozenset({Action.LOOK})
_MODERATING = _LOOKING | {Action.REMOVE_PEOPLE}
MAY: dict[ParticipantRole, frozenset[Action]] = {
    ParticipantRole.ADMIN: frozenset(Action),
    ParticipantRole.ORGANIZER: frozenset(Action) - {Action.DELETE_ROOM},
    ParticipantRole.MODERATOR: _MODERATING,
    ParticipantRole.PARTICIPANT: _LOOKING,
    ParticipantRole.VIEWER: _LOOKING,
}


def stands_above(one: ParticipantRole, other: ParticipantRole) -> bool:
    """Say whether one may give the other's role, or take it away: an admin any, everybody else what may do less."""
    return one is ParticipantRole.ADMIN or MAY[other] < MAY[one]
