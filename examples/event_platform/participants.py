"""Participants: people join and leave rooms, and are given roles in them. Whoever left is kept as history."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, func, select

from ostiary.entrypoints.integrations.fastapi import REFUSALS

from .database import Now, Session
from .manifests import Json, check
from .rules import OPEN, Action, stands_above
from .tables import IDENTITIES, IDENTITY, PARTICIPANT, Participant, ParticipantRole, RoomStatus
from .visits import (
    CONFLICT,
    NOT_FOUND,
    Allowed,
    Changing,
    Looking,
    ParticipantKey,
    Visit,
)

Adding = Annotated[Visit, Depends(Allowed(Action.ADD_PEOPLE))]
Removing = Annotated[Visit, Depends(Allowed(Action.REMOVE_PEOPLE))]

router = APIRouter(prefix="/rooms/{room_id}", tags=["participants"], responses=REFUSALS | NOT_FOUND)


class Joining(BaseModel):
    """As what somebody comes by themselves."""

    role: Literal[ParticipantRole.PARTICIPANT, ParticipantRole.VIEWER] = ParticipantRole.PARTICIPANT
    metadata: Json = {}


class Added(BaseModel):
    """Who is added, as what."""

    user_id: Annotated[str, Field(pattern=IDENTITY.pattern)]
    role: ParticipantRole
    metadata: Json = {}


class RoleGiven(BaseModel):
    """What somebody is from now on."""

    role: ParticipantRole


class ParticipantShown(BaseModel):
    """Somebody's stay in a room."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    user_id: str
    role: ParticipantRole
    metadata: Annotated[dict[str, Any], Field(validation_alias="details")]
    joined_at: Annotated[datetime, Field(validation_alias="created_at")]
    left_at: Annotated[datetime | None, Field(validation_alias="deleted_at")]


@router.get("/participants")
async def show_participants(
    visit: Looking,
    session: Session,
    role: ParticipantRole | None = None,
    after: Annotated[str | None, Query(pattern=PARTICIPANT.pattern)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[ParticipantShown]:
    """Show who is in a room, in the order they came."""
    people = await session.scalars(listed(visit.room.id, role, after, limit))
    return [ParticipantShown.model_validate(participant) for participant in people]


def listed(room_id: str, role: ParticipantRole | None, after: str | None, limit: int) -> Select[Participant]:
    """Return the query for who is in a room, which the index on room_id and role serves."""
    people = select(Participant).where(Participant.room_id == room_id, Participant.deleted_at.is_(None))
    if role is not None:
        people = people.where(Participant.role == role)
    if after is not None:
        people = people.where(Participant.id > after)
    return people.order_by(Participant.id).limit(limit)


@router.post("/join", status_code=201, responses=CONFLICT)
async def join(joining: Joining, visit: Changing, session: Session) -> ParticipantShown:
    """Join an active room."""
    visit.demand(RoomStatus.ACTIVE)
    added = Added(user_id=visit.user_id, role=joining.role, metadata=joining.metadata)
    return await come_in(added, visit, session)


@router.post("/participants", status_code=201, responses=CONFLICT)
async def add(added: Added, visit: Adding, session: Session) -> ParticipantShown:
    """Add somebody, also to a room that is private or a draft."""
    visit.demand(*OPEN)
    if not stands_above(visit.member.role, added.role):
        raise HTTPException(403, f"Being {visit.member.role} is not enough to make somebody {added.role}.")
    return await come_in(added, visit, session)


@router.patch("/participants/{participant_id}", responses=CONFLICT)
async def give_role(
    participant_id: ParticipantKey, given: RoleGiven, visit: Adding, session: Session
) -> ParticipantShown:
    """Give somebody another role."""
    participant = await present(session, visit, participant_id)
    if not stands_above(visit.member.role, given.role):
        raise HTTPException(403, f"Being {visit.member.role} is not enough to make somebody {given.role}.")
    await keep_an_admin(session, participant)
    participant.role = given.role
    return ParticipantShown.model_validate(participant)


@router.delete("/participants/{participant_id}", status_code=204, responses=CONFLICT)
async def remove(participant_id: ParticipantKey, visit: Removing, session: Session, now: Now) -> Response:
    """Make somebody leave."""
    participant = await present(session, visit, participant_id)
    await keep_an_admin(session, participant)
    participant.deleted_at = now
    return Response(status_code=204)


@router.post("/leave", status_code=204, responses=CONFLICT)
async def leave(visit: Changing, session: Session, now: Now) -> Response:
    """Leave a room."""
    await keep_an_admin(session, visit.member)
    visit.member.deleted_at = now
    return Response(status_code=204)


async def come_in(added: Added, visit: Visit, session: Session) -> ParticipantShown:
    """Let somebody in who is not. Raises `HTTPException`."""
    check(visit.manifest, "participant", added.metadata)
    is_in = select(Participant.id).where(
        Participant.room_id == visit.room.id,
        Participant.user_id == added.user_id,
        Participant.deleted_at.is_(None),
    )
    if await session.scalar(is_in) is not None:
        raise HTTPException(409, "They are in this room already.")
    if await session.scalar(select(IDENTITIES.c.id).where(IDENTITIES.c.id == added.user_id)) is None:
        raise HTTPException(404, "There is nobody of this user_id.")
    participant = Participant(
        room_id=visit.room.id, user_id=added.user_id, role=added.role, details=added.metadata
    )
    session.add(participant)
    await session.flush()
    return ParticipantShown.model_validate(participant)


async def present(session: Session, visit: Visit, participant_id: str) -> Participant:
    """Return somebody in the room whom the visitor stands above. Raises `HTTPException`."""
    participant = await session.get(Participant, participant_id)
    if participant is None or participant.room_id != visit.room.id or participant.deleted_at is not None:
        raise HTTPException(404, "There is nobody of this key in the room.")
    if not stands_above(visit.member.role, participant.role):
        raise HTTPException(
            403, f"Being {visit.member.role} is not enough to decide about {participant.role}."
        )
    return participant


async def keep_an_admin(session: Session, leaving: Participant) -> None:
    """Refuse to lose the last admin of a room. Raises `HTTPException`, 409."""
    admins = select(func.count()).where(
        Participant.room_id == leaving.room_id,
        Participant.role == ParticipantRole.ADMIN,
        Participant.deleted_at.is_(None),
    )
    if leaving.role is ParticipantRole.ADMIN and await session.scalar(admins) == 1:
        raise HTTPException(409, "This is the room's last admin: make somebody else one first.")
