"""Therapists: whom clients find, and what therapists see of themselves."""

from datetime import datetime
from typing import Annotated

from examples.practice.accounts import TherapistSignedIn
from examples.practice.database import Session
from examples.practice.tables import IDENTITIES, Therapist
from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from ostiary.entrypoints.integrations.fastapi import REFUSALS
from ostiary.schema import TypedId

router = APIRouter(prefix="/therapists", tags=["Therapists"])


class TherapistCard(BaseModel):
    """What clients read of a therapist."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    display_name: str
    bio_short: str | None
    specializations: list[str]
    languages_spoken: list[str]


class Verification(BaseModel):
    """How far the verification of a licence has come; `is_approved` is null until somebody decided."""

    model_config = ConfigDict(from_attributes=True)

    license_number: str
    requested_at: datetime
    decided_at: datetime | None
    is_approved: bool | None
    reason: str | None


class OwnCard(TherapistCard):
    """What a therapist sees of themselves."""

    verification: Verification


def active_therapists(*, after: str | None, limit: int) -> Select[Therapist]:
    """Select therapists who are let in and whose e-mail address and phone number are proven, the newest last.

    Whoever has a row here is a therapist: only registering as one makes it.
    """
    found = (
        select(Therapist)
        .join(IDENTITIES, IDENTITIES.c.id == Therapist.id)
        .where(
            IDENTITIES.c.status == "active",
            IDENTITIES.c.email_verified_at.is_not(None),
            IDENTITIES.c.phone_verified_at.is_not(None),
        )
        .order_by(Therapist.id)
        .limit(limit)
    )
    return found if after is None else found.where(Therapist.id > after)


@router.get("")
async def list_therapists(
    session: Session,
    after: Annotated[str | None, Query(pattern=TypedId("thp").pattern)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[TherapistCard]:
    """List the active therapists; `after` is the last id of the page before."""
    found = await session.scalars(active_therapists(after=after, limit=limit))
    return [TherapistCard.model_validate(therapist) for therapist in found]


@router.get("/me", responses={**REFUSALS, 404: {"description": "There is no such therapist."}})
async def read_own_card(principal: TherapistSignedIn, session: Session) -> OwnCard:
    """Return what a therapist is shown as, and how far their verification has come."""
    found = await session.get(Therapist, principal.entity_id, options=[joinedload(Therapist.verification)])
    if found is None:
        raise HTTPException(404, "You are no therapist here any more.")
    return OwnCard.model_validate(found)
