"""Winners: drawn, shown with everything it takes to check the draw, and revoked."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, select

from ostiary.entrypoints.integrations.fastapi import REFUSALS

from .accounts import recently
from .database import Now, Session
from .draws import draw, new_seed
from .manifests import Json, check, refuse
from .prizes import offered_in, won
from .rules import Action
from .tables import IDENTITIES, PRIZE, Participant, ParticipantRole, Prize, RoomStatus, Winner
from .visits import CONFLICT, NOT_FOUND, Allowed, Looking, PrizeKey, Visit, WinnerKey

Drawing = Annotated[Visit, Depends(Allowed(Action.DRAW))]

router = APIRouter(prefix="/rooms/{room_id}", tags=["winners"], responses=REFUSALS | NOT_FOUND)


class DrawAsked(BaseModel):
    """What the app keeps with the winner."""

    metadata: Json = {}


class WinnerShown(BaseModel):
    """A winner; `metadata.draw` is the draw, for anybody to check."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    prize_id: str
    participant_id: str
    metadata: Annotated[dict[str, Any], Field(validation_alias="details")]
    drawn_at: Annotated[datetime, Field(validation_alias="created_at")]
    revoked_at: Annotated[datetime | None, Field(validation_alias="deleted_at")]


@router.get("/winners")
async def show_winners(
    visit: Looking,
    session: Session,
    prize_id: Annotated[str | None, Query(pattern=PRIZE.pattern)] = None,
) -> list[WinnerShown]:
    """Show who won in a room, in the order of the draws, and whose win was revoked."""
    winners = await session.scalars(listed(visit.room.id, prize_id))
    return [WinnerShown.model_validate(winner) for winner in winners]


def listed(room_id: str, prize_id: str | None) -> Select[Winner]:
    """Return the query for the winners of a room, which the index on room_id and prize_id serves."""
    winners = select(Winner).where(Winner.room_id == room_id)
    if prize_id is not None:
        winners = winners.where(Winner.prize_id == prize_id)
    return winners.order_by(Winner.prize_id, Winner.draw)


# Who draws has proven who they are within the last minutes: a forgotten browser gives nothing away.
@router.post(
    "/prizes/{prize_id}/draws", status_code=201, responses=CONFLICT, dependencies=[Depends(recently)]
)
async def draw_winner(prize_id: PrizeKey, asked: DrawAsked, visit: Drawing, session: Session) -> WinnerShown:
    """Draw a winner by the seed that was committed to, and commit to the next one."""
    visit.demand(RoomStatus.ACTIVE)
    prize = await offered_in(session, visit, prize_id)
    check(visit.manifest, "winner", asked.metadata)
    if "draw" in asked.metadata:
        refuse("The name `draw` is taken by the draw itself", "metadata", "draw")
    if prize.seed is None or await won(session, prize) >= prize.quantity:
        raise HTTPException(409, "There is nothing left of this prize.")
    candidates = await who_may_win(session, prize)
    if not candidates:
        raise HTTPException(409, "There is nobody left who could win this prize.")
    drawn = draw(prize.seed, prize.id, prize.draws + 1, candidates)
    winner = Winner(
        room_id=visit.room.id,
        participant_id=drawn.winner,
        prize_id=prize.id,
        draw=drawn.number,
        details=asked.metadata | {"draw": drawn.model_dump()},
    )
    session.add(winner)
    prize.draws = drawn.number
    prize.promise(new_seed())
    await session.flush()
    return WinnerShown.model_validate(winner)


@router.delete("/winners/{winner_id}", status_code=204, responses=CONFLICT, dependencies=[Depends(recently)])
async def revoke(winner_id: WinnerKey, visit: Drawing, session: Session, now: Now) -> Response:
    """Take a win back: the prize can be drawn again, and not be won by the same person."""
    visit.demand(RoomStatus.ACTIVE)
    winner = await session.get(Winner, winner_id)
    if winner is None or winner.room_id != visit.room.id or winner.deleted_at is not None:
        raise HTTPException(404, "There is no such winner in this room.")
    winner.deleted_at = now
    return Response(status_code=204)


async def who_may_win(session: Session, prize: Prize) -> list[str]:
    """Return the participants of the room, without people who won this prize if that is once, or whose win was revoked.

    People, not stays: whoever left and came again is who they were. An account that is suspended or being deleted wins nothing.
    """
    out = select(Participant.user_id).join(Winner, Winner.participant_id == Participant.id)
    out = out.where(Winner.room_id == prize.room_id, Winner.prize_id == prize.id)
    if not prize.unique_winners:
        out = out.where(Winner.deleted_at.is_not(None))
    candidates = select(Participant.id).join(IDENTITIES, IDENTITIES.c.id == Participant.user_id)
    candidates = candidates.where(
        IDENTITIES.c.status == "active",
        Participant.room_id == prize.room_id,
        Participant.role == ParticipantRole.PARTICIPANT,
        Participant.deleted_at.is_(None),
        Participant.user_id.not_in(out),
    )
    return [*await session.scalars(candidates)]
