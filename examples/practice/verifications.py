"""The queue of licences to look at, for operators; they decide at Ostiary's own routes, and the queue follows."""

from datetime import datetime

from examples.practice.accounts import OperatorSignedIn
from examples.practice.database import Session
from examples.practice.tables import IDENTITIES, Therapist, TherapistVerification
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select

from ostiary.entrypoints.integrations.fastapi import REFUSALS

router = APIRouter(prefix="/verifications", tags=["Verifications"], responses={**REFUSALS})
LONGEST_PAGE = 100


class Waiting(BaseModel):
    """A therapist who waits: approve or reject `identity_id`."""

    identity_id: str
    display_name: str
    email: str | None
    license_number: str
    requested_at: datetime


@router.get("")
async def list_waiting(_operator: OperatorSignedIn, session: Session) -> list[Waiting]:
    """List the therapists who wait for a decision, the longest wait first.

    `POST /auth/v1/admin/identities/{identity_id}/approve`, or `…/reject` with a reason, decides.
    """
    found = await session.execute(
        select(
            IDENTITIES.c.id.label("identity_id"),
            Therapist.display_name,
            IDENTITIES.c.email,
            TherapistVerification.license_number,
            TherapistVerification.requested_at,
        )
        .join(TherapistVerification.therapist)
        .join(IDENTITIES, IDENTITIES.c.id == Therapist.id)
        .where(TherapistVerification.decided_at.is_(None), IDENTITIES.c.status == "pending_verification")
        .order_by(TherapistVerification.requested_at)
        .limit(LONGEST_PAGE)
    )
    return [Waiting(**row) for row in found.mappings()]
