"""First data: a client, a therapist whom clients find, one who waits to be let in, and the operator who decides."""

from __future__ import annotations

import httpx2
from examples.practice.accounts import auth
from examples.practice.app import app
from examples.practice.database import sessions
from examples.practice.tables import IDENTITIES, Client, Therapist
from sqlalchemy import func, select

PASSWORD = "a phrase for trying this out"  # noqa: S105 - the README tells it


async def seed() -> bool:
    """Fill an empty practice, and say whether it was empty; Ostiary has to be running."""
    async with sessions() as session:
        counts = [
            await session.scalar(select(func.count()).select_from(kind)) for kind in (Client, Therapist)
        ]
    if any(counts):
        return False
    await auth.accounts.create(
        "admin", email="operator@example.org", password=PASSWORD, roles=["ostiary:operator"]
    )
    await auth.accounts.create(
        "client", email="cleo@example.org", password=PASSWORD, profile={"display_name": "Cleo Costa"}
    )
    grace = await auth.accounts.create(
        "therapist",
        email="grace@example.org",
        phone="+12025550101",
        password=PASSWORD,
        profile={"display_name": "Grace Green", "license_number": "PSY-1001"},
        are_addresses_proven=True,
    )
    async with sessions.begin() as session:
        hers = (
            select(Therapist)
            .join(IDENTITIES, IDENTITIES.c.id == Therapist.id)
            .where(IDENTITIES.c.id == grace)
        )
        therapist = (await session.scalars(hers)).one()
        therapist.bio_short = "Listens first."
        therapist.specializations, therapist.languages_spoken = ["anxiety", "grief"], ["en", "pt"]
    await _apply()
    return True


async def _apply() -> None:
    """Apply as a therapist, as anybody does: over HTTP."""
    account = {
        "entity_type": "therapist",
        "email": "theo@example.org",
        "phone": "+12025550102",
        "password": PASSWORD,
        "profile": {"display_name": "Theo Thorn", "license_number": "PSY-1002"},
    }
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=auth.settings.public_url) as applicant:
        (await applicant.post("/v1/register", json=account)).raise_for_status()
