"""Who somebody is: everything this application has to do with authentication."""

import os
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends

from ostiary import Identity, Ostiary, Principal, Query, Transaction
from ostiary.entrypoints.integrations.fastapi import SignedIn

PORT = int(os.environ.get("PORT", "8100"))

auth = Ostiary(defaults={"public_url": f"http://127.0.0.1:{PORT}/auth"})
auth.role("app-developer", permissions=["apps:write"], description="Registers apps and changes them.")

signed_in = SignedIn(auth, entity_types=["user"])
recently = SignedIn(auth, entity_types=["user"], recent=True)
developer = SignedIn(auth, "apps:write")

User = Annotated[Principal, Depends(signed_in)]
Developer = Annotated[Principal, Depends(developer)]

TITLES = Query(
    "SELECT r.title FROM rooms r JOIN participants p ON p.room_id = r.id WHERE p.user_id = $1 ORDER BY p.id",
    into=str,
)
# Who is in a room with both accounts stays in it once, as its admin if either is; the other stay becomes history.
STEP_BACK = Query(
    """
    UPDATE participants SET deleted_at = $3 WHERE user_id = $1 AND deleted_at IS NULL AND room_id IN (
        SELECT room_id FROM participants WHERE user_id = $2 AND deleted_at IS NULL AND role = 'ADMIN'
    )
    """
)
TAKE_OVER = Query(
    """
    UPDATE participants SET user_id = $1, deleted_at = CASE WHEN deleted_at IS NULL AND room_id IN (
        SELECT room_id FROM participants WHERE user_id = $1 AND deleted_at IS NULL
    ) THEN $3 ELSE deleted_at END WHERE user_id = $2
    """
)


async def rooms_of(identity: Identity) -> Mapping[str, Any]:
    """Add the rooms somebody was in to what they export of themselves."""
    return {"rooms": await auth.services.database.fetch_all(TITLES, identity.id)}


async def take_over(tx: Transaction, survivor: Identity, absorbed: Identity) -> None:
    """Let the stays of one account be the other's, when both turn out to be one person's."""
    for statement in (STEP_BACK, TAKE_OVER):
        await tx.execute(statement, survivor.id, absorbed.id, auth.clock.now())


auth.on_export(rooms_of)
auth.on_merged(take_over)
