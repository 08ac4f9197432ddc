"""A first app, a room in it, and people: something to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from .accounts import auth
from .database import sessions
from .draws import new_seed
from .tables import App, Participant, ParticipantRole, Prize, Room, RoomStatus

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

PEOPLE: dict[str, list[str]] = {"olivia": ["app-developer"], "ada": [], "ben": [], "cleo": []}
PASSWORD = "everybody knows this phrase"  # noqa: S105 - it is in the README
MANIFEST: dict[str, Any] = {
    "name": "Raffle",
    "schemas": {
        "room_settings": {
            "type": "object",
            "properties": {"motto": {"type": "string", "maxLength": 80}},
            "additionalProperties": False,
        },
        "participant": {
            "type": "object",
            "properties": {"table": {"type": "integer", "minimum": 1}},
            "additionalProperties": False,
        },
        "prize": {
            "type": "object",
            "properties": {"colour": {"enum": ["red", "green", "blue"]}},
            "additionalProperties": False,
        },
        "winner": {
            "type": "object",
            "properties": {"note": {"type": "string", "maxLength": 200}},
            "additionalProperties": False,
        },
    },
}


async def seed() -> bool:
    """Fill an empty platform; return whether it was empty."""
    async with auth:
        async with sessions() as session:
            if await session.scalar(select(App.id).limit(1)) is not None:
                return False
        organizer, *guests = [
            await auth.accounts.create(email=f"{name}@example.org", password=PASSWORD, roles=roles)
            for name, roles in PEOPLE.items()
        ]
        async with sessions.begin() as session:
            await open_raffle(session, organizer, guests)
    return True


async def open_raffle(session: AsyncSession, organizer: str, guests: list[str]) -> None:
    """Make a room with two prizes, and bring everybody in."""
    session.add(App(app_id="raffle", manifest=MANIFEST))
    room = Room(
        app_id="raffle", title="Summer raffle", status=RoomStatus.ACTIVE, is_public=True, app_settings={}
    )
    await session.flush()
    session.add(room)
    await session.flush()
    roles = dict.fromkeys(guests, ParticipantRole.PARTICIPANT) | {organizer: ParticipantRole.ADMIN}
    session.add_all(
        Participant(room_id=room.id, user_id=person, role=role, details={}) for person, role in roles.items()
    )
    for title, quantity in (("A red bicycle", 1), ("A pen", 2)):
        prize = Prize(
            room_id=room.id, title=title, quantity=quantity, unique_winners=True, draws=0, details={}
        )
        prize.promise(new_seed())
        session.add(prize)
