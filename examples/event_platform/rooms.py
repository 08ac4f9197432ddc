"""Rooms: drafted, published, completed or cancelled, and listed."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, select

from ostiary.entrypoints.integrations.fastapi import REFUSALS

from .accounts import User
from .apps import APP_ID, registered
from .database import Now, Session
from .draws import new_seed
from .manifests import Json, check
from .rules import NEXT, OPEN, Action
from .tables import ROOM, Participant, ParticipantRole, Prize, Room, RoomStatus
from .visits import CONFLICT, NOT_FOUND, Allowed, Looking, Visit

Title = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Published = Literal[RoomStatus.ACTIVE, RoomStatus.COMPLETED, RoomStatus.CANCELLED]
Managing = Annotated[Visit, Depends(Allowed(Action.MANAGE_ROOM))]
Deleting = Annotated[Visit, Depends(Allowed(Action.DELETE_ROOM))]


class RoomDrafted(BaseModel):
    """What a room is made of."""

    app_id: Annotated[str, Field(pattern=APP_ID)]
    title: Title
    is_public: bool = True
    app_settings: Json = {}


class RoomChanged(BaseModel):
    """What changes; the rest stays."""

    title: Title | None = None
    is_public: bool | None = None
    app_settings: Json | None = None


class RoomMoved(BaseModel):
    """How far the room is from now on."""

    status: RoomStatus


class RoomShown(BaseModel):
    """A room."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    app_id: str
    title: str
    status: RoomStatus
    is_public: bool
    app_settings: dict[str, Any]


Before = Annotated[str | None, Query(pattern=ROOM.pattern, description="The last room seen: go on after it.")]
Limit = Annotated[int, Query(ge=1, le=100)]

public = APIRouter(prefix="/rooms", tags=["rooms"])
router = APIRouter(prefix="/rooms", tags=["rooms"], responses=REFUSALS)
one = APIRouter(prefix="/rooms/{room_id}", tags=["rooms"], responses=REFUSALS | NOT_FOUND)


@public.get("")
async def list_rooms(
    session: Session,
    app_id: Annotated[str | None, Query(pattern=APP_ID)] = None,
    status: Published = RoomStatus.ACTIVE,
    before: Before = None,
    limit: Limit = 50,
) -> list[RoomShown]:
    """List public rooms that were published, the newest first."""
    return [
        RoomShown.model_validate(room)
        for room in await session.scalars(listed(app_id, status, before, limit))
    ]


def listed(app_id: str | None, status: RoomStatus, before: str | None, limit: int) -> Select[Room]:
    """Return the query for a list, which the index on status, is_public and app_id serves."""
    rooms = select(Room).where(Room.status == status, Room.is_public.is_(True), Room.deleted_at.is_(None))
    if app_id is not None:
        rooms = rooms.where(Room.app_id == app_id)
    if before is not None:
        rooms = rooms.where(Room.id < before)
    return rooms.order_by(Room.id.desc()).limit(limit)


@router.get("/mine")
async def my_rooms(user: User, session: Session, before: Before = None, limit: Limit = 50) -> list[RoomShown]:
    """List the rooms that whoever asks is in, the newest first."""
    rooms = (
        select(Room)
        .join(Participant, Participant.room_id == Room.id)
        .where(
            Participant.user_id == user.identity_id,
            Participant.deleted_at.is_(None),
            Room.deleted_at.is_(None),
        )
    )
    if before is not None:
        rooms = rooms.where(Room.id < before)
    found = await session.scalars(rooms.order_by(Room.id.desc()).limit(limit))
    return [RoomShown.model_validate(room) for room in found]


@router.post("", status_code=201, responses=NOT_FOUND | CONFLICT)
async def draft(drafted: RoomDrafted, user: User, session: Session) -> RoomShown:
    """Draft a room; whoever does is its admin."""
    app = await registered(session, drafted.app_id)
    check(app.manifest, "room_settings", drafted.app_settings)
    room = Room(status=RoomStatus.DRAFT, **drafted.model_dump())
    session.add(room)
    await session.flush()
    session.add(
        Participant(room_id=room.id, user_id=user.identity_id, role=ParticipantRole.ADMIN, details={})
    )
    return RoomShown.model_validate(room)


@one.get("")
async def show_room(visit: Looking) -> RoomShown:
    """Show a room."""
    return RoomShown.model_validate(visit.room)


@one.patch("", responses=CONFLICT)
async def change_room(changed: RoomChanged, visit: Managing) -> RoomShown:
    """Change a room that is not over."""
    visit.demand(*OPEN)
    if changed.app_settings is not None:
        check(visit.manifest, "room_settings", changed.app_settings)
    for name, value in changed.model_dump(exclude_none=True).items():
        setattr(visit.room, name, value)
    return RoomShown.model_validate(visit.room)


@one.put("/status", responses=CONFLICT)
async def move_room(moved: RoomMoved, visit: Managing, session: Session) -> RoomShown:
    """Publish, complete or cancel a room. With its publication every prize has the commitment to its first draw."""
    room = visit.room
    if moved.status not in NEXT[room.status]:
        raise HTTPException(409, f"A room that is {room.status} does not become {moved.status}.")
    room.status = moved.status
    if room.status is RoomStatus.ACTIVE:
        for prize in await session.scalars(select(Prize).where(Prize.room_id == room.id)):
            prize.promise(new_seed())
    return RoomShown.model_validate(room)


@one.delete("", status_code=204, responses=CONFLICT)
async def remove_room(visit: Deleting, now: Now) -> Response:
    """Remove a room that is not active. It is kept, and shown to nobody."""
    visit.demand(*(status for status in RoomStatus if status is not RoomStatus.ACTIVE))
    visit.room.deleted_at = now
    return Response(status_code=204)
