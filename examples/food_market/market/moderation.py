"""What moderators do: see who the vendors are, keep one out, let them back in."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import select

from ostiary.entrypoints.integrations.fastapi import REFUSALS

from .accounts import Moderator, auth
from .database import Session, sessions
from .shapes import NOT_FOUND, PAGE, After, PathKey, StoreView, found
from .tables import Vendor

router = APIRouter(prefix="/moderation/stores", tags=["Moderation"], responses=REFUSALS)


class AccountView(StoreView):
    """A store, how to reach its vendor, and whether they may sign in."""

    email: str | None
    phone: str | None
    status: str


@router.get("", response_model=list[AccountView])
async def list_accounts(_moderator: Moderator, session: Session, after: After = 0) -> Sequence[Vendor]:
    """List the stores with their vendors' addresses, in the order they were opened."""
    page = select(Vendor).where(Vendor.id > after).order_by(Vendor.id).limit(PAGE)
    return (await session.scalars(page)).all()


async def vendor_of(store: PathKey, _moderator: Moderator) -> str:
    """Return whose store it is; our transaction ends before Ostiary's begins, as SQLite has one at a time."""
    async with sessions.begin() as session:
        return found(await session.scalar(select(Vendor.identity_id).where(Vendor.id == store)), "store")


@router.post("/{store}/suspend", status_code=204, responses=NOT_FOUND)
async def suspend(vendor: Annotated[str, Depends(vendor_of)], moderator: Moderator) -> None:
    """Keep a vendor out from their next request on, and their store closed."""
    await auth.accounts.suspend(vendor, by=moderator)


@router.post("/{store}/reactivate", status_code=204, responses=NOT_FOUND)
async def reactivate(vendor: Annotated[str, Depends(vendor_of)], moderator: Moderator) -> None:
    """Let a vendor sign in again, and open their store."""
    await auth.accounts.reactivate(vendor, by=moderator)
