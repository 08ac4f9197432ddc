"""Clients: what they see of themselves."""

from examples.practice.accounts import ClientSignedIn
from examples.practice.database import Session
from examples.practice.tables import Client
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict

from ostiary.entrypoints.integrations.fastapi import REFUSALS

router = APIRouter(prefix="/clients", tags=["Clients"], responses={**REFUSALS})


class ClientCard(BaseModel):
    """What a client sees of themselves."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    display_name: str | None


@router.get("/me", responses={404: {"description": "There is no such client."}})
async def read_own_card(principal: ClientSignedIn, session: Session) -> ClientCard:
    """Return what the practice knows of a client; addresses, sessions and sign-ins are at `/auth/v1/me`."""
    found = await session.get(Client, principal.entity_id)
    if found is None:
        raise HTTPException(404, "You are no client here any more.")
    return ClientCard.model_validate(found)
