"""Visits: somebody at a room, and what they may do there."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Path
from sqlalchemy import select

from .accounts import User
from .database import Session
from .rules import MAY, Action
from .tables import (
    PARTICIPANT,
    PRIZE,
    ROOM,
    WINNER,
    App,
    Participant,
    Room,
    RoomStatus,
)

RoomKey = Annotated[str, Path(pattern=ROOM.pattern)]
ParticipantKey = Annotated[str, Path(pattern=PARTICIPANT.pattern)]
PrizeKey = Annotated[str, Path(pattern=PRIZE.pattern)]
WinnerKey = Annotated[str, Path(pattern=WINNER.pattern)]

NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is nothing of this key for you."}}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "This cannot be done as things are."}}


@dataclass
class Visit:
    """Somebody at a room; `me` is their stay, if they are in it."""

    user_id: str
    room: Room
    manifest: dict[str, Any]
    me: Participant | None

    @property
    def member(self) -> Participant:
        """The stay of whoever is in the room. Raises `HTTPException`, 403."""
        if self.me is None:
            raise HTTPException(403, "You are not in this room: join it first.")
        return self.me

    def demand(self, *statuses: RoomStatus) -> None:
        """Refuse what a room in none of these statuses allows. Raises `HTTPException`, 409."""
        if self.room.status not in statuses:
            raise HTTPException(
                409, f"The room is {self.room.status}, and this needs it to be {' or '.join(statuses)}."
            )


async def arrive(session: Session, room_id: str, user_id: str, *, to_change: bool) -> Visit:
    """Return a visit. Rooms that are drafts or not public are there for those in them only. Raises 404.

    Whoever is going to change something waits here for their turn at the room, so that no two are at it at once.
    """
    wanted = (
        select(Room, App.manifest)
        .join(App, App.app_id == Room.app_id)
        .where(Room.id == room_id, Room.deleted_at.is_(None))
    )
    found = (await session.execute(wanted.with_for_update(of=Room) if to_change else wanted)).one_or_none()
    stay = select(Participant).where(
        Participant.room_id == room_id, Participant.user_id == user_id, Participant.deleted_at.is_(None)
    )
    me = await session.scalar(stay)
    is_hidden = found is not None and (not found.Room.is_public or found.Room.status is RoomStatus.DRAFT)
    if found is None or (is_hidden and me is None):
        raise HTTPException(404, "There is no such room, or it is not for you.")
    return Visit(user_id, found.Room, found.manifest, me)


async def looking(room_id: RoomKey, user: User, session: Session) -> Visit:
    """Let whoever may see a room look at it."""
    return await arrive(session, room_id, user.identity_id, to_change=False)


async def changing(room_id: RoomKey, user: User, session: Session) -> Visit:
    """Let whoever may see a room change what is their own in it."""
    return await arrive(session, room_id, user.identity_id, to_change=True)


Looking = Annotated[Visit, Depends(looking)]
Changing = Annotated[Visit, Depends(changing)]


class Allowed:
    """A dependency: whoever asks may do this in the room. Raises `HTTPException`, 403."""

    def __init__(self, action: Action) -> None:
        self._action = action

    async def __call__(self, visit: Changing) -> Visit:
        """Return the visit of whoever may."""
        if self._action not in MAY[visit.member.role]:
            raise HTTPException(403, f"Being {visit.member.role} in this room is not enough for this.")
        return visit
