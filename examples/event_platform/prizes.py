"""Prizes: what can be won in a room, and how often."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select

from ostiary.entrypoints.integrations.fastapi import REFUSALS

from .database import Now, Session
from .draws import new_seed
from .manifests import Json, check
from .rooms import Title
from .rules import OPEN, Action
from .tables import Prize, RoomStatus, Winner
from .visits import CONFLICT, NOT_FOUND, Allowed, Looking, PrizeKey, Visit

Managing = Annotated[Visit, Depends(Allowed(Action.MANAGE_PRIZES))]
Quantity = Annotated[int, Field(ge=1, le=1000)]

router = APIRouter(prefix="/rooms/{room_id}/prizes", tags=["prizes"], responses=REFUSALS | NOT_FOUND)


class PrizeOffered(BaseModel):
    """What a prize is made of."""

    title: Title
    quantity: Quantity = 1
    unique_winners: bool = True
    metadata: Json = {}


class PrizeChanged(BaseModel):
    """What changes; the rest stays."""

    title: Title | None = None
    quantity: Quantity | None = None
    metadata: Json | None = None


class PrizeShown(BaseModel):
    """A prize; with `unique_winners` nobody wins it twice. `commitment` is the SHA-256 of the next draw's seed."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    title: str
    quantity: int
    unique_winners: bool
    draws: int
    commitment: str | None
    metadata: Annotated[dict[str, Any], Field(validation_alias="details")]


@router.get("")
async def show_prizes(visit: Looking, session: Session) -> list[PrizeShown]:
    """Show the prizes of a room."""
    prizes = (
        select(Prize).where(Prize.room_id == visit.room.id, Prize.deleted_at.is_(None)).order_by(Prize.id)
    )
    return [PrizeShown.model_validate(prize) for prize in await session.scalars(prizes)]


@router.post("", status_code=201, responses=CONFLICT)
async def offer(offered: PrizeOffered, visit: Managing, session: Session) -> PrizeShown:
    """Offer a prize."""
    visit.demand(*OPEN)
    check(visit.manifest, "prize", offered.metadata)
    prize = Prize(
        room_id=visit.room.id,
        draws=0,
        details=offered.metadata,
        **offered.model_dump(exclude={"metadata"}),
    )
    if visit.room.status is RoomStatus.ACTIVE:
        prize.promise(new_seed())
    session.add(prize)
    await session.flush()
    return PrizeShown.model_validate(prize)


@router.patch("/{prize_id}", responses=CONFLICT)
async def change_prize(
    prize_id: PrizeKey, changed: PrizeChanged, visit: Managing, session: Session
) -> PrizeShown:
    """Change a prize; there are never fewer than were won."""
    visit.demand(*OPEN)
    prize = await offered_in(session, visit, prize_id)
    if changed.quantity is not None and changed.quantity < await won(session, prize):
        raise HTTPException(409, "More than that were won already: revoke a winner first.")
    if changed.metadata is not None:
        check(visit.manifest, "prize", changed.metadata)
        prize.details = changed.metadata
    for name, value in changed.model_dump(exclude_none=True, exclude={"metadata"}).items():
        setattr(prize, name, value)
    return PrizeShown.model_validate(prize)


@router.delete("/{prize_id}", status_code=204, responses=CONFLICT)
async def withdraw(prize_id: PrizeKey, visit: Managing, session: Session, now: Now) -> Response:
    """Withdraw a prize nobody has won."""
    visit.demand(*OPEN)
    prize = await offered_in(session, visit, prize_id)
    if await won(session, prize) > 0:
        raise HTTPException(409, "This prize has winners: revoke them first.")
    prize.deleted_at = now
    return Response(status_code=204)


async def offered_in(session: Session, visit: Visit, prize_id: str) -> Prize:
    """Return a prize of the room. Raises `HTTPException`, 404."""
    prize = await session.get(Prize, prize_id)
    if prize is None or prize.room_id != visit.room.id or prize.deleted_at is not None:
        raise HTTPException(404, "There is no such prize in this room.")
    return prize


async def won(session: Session, prize: Prize) -> int:
    """Return how many of a prize are won and not revoked."""
    winners = select(func.count()).where(
        Winner.room_id == prize.room_id, Winner.prize_id == prize.id, Winner.deleted_at.is_(None)
    )
    return await session.scalar(winners) or 0
