"""Participants come, go, come again, and are given roles."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

pytestmark = pytest.mark.anyio


async def test_whoever_left_may_come_again_and_is_history_before(platform):
    """Both stays are in the table, one of them over; nobody is in twice, whoever asks the database itself."""
    olivia, ada = await platform.people("olivia", "ada")
    room, _ = await platform.raffle(olivia, [ada])
    twice = await ada.refused("POST", f"{room}/join", {})
    await ada.do("POST", f"{room}/leave", status=204)
    gone = await ada.refused("POST", f"{room}/leave")
    back = await ada.do("POST", f"{room}/join", {"role": "VIEWER"})
    ended = await platform.execute("SELECT count(*) FROM participants WHERE deleted_at IS NOT NULL")
    with pytest.raises(IntegrityError):
        await platform.execute("UPDATE participants SET deleted_at = NULL")

    assert (twice, gone, back["role"], ended) == (409, 403, "VIEWER", [(1,)])
    assert len(await ada.get(f"{room}/participants")) == 2


async def test_nobody_makes_themselves_more_than_they_may(platform):
    """People join as participants or viewers; an organizer makes nobody what they are themselves."""
    olivia, otto, ada = await platform.people("olivia", "otto", "ada")
    room, _ = await platform.raffle(olivia, [ada])
    await olivia.do("POST", f"{room}/participants", {"user_id": otto.id, "role": "ORGANIZER"})
    people = {
        one["user_id"]: f"{room}/participants/{one['id']}" for one in await ada.get(f"{room}/participants")
    }

    assert [
        await ada.refused("POST", f"{room}/join", {"role": "ADMIN"}),
        await ada.refused("PATCH", people[ada.id], {"role": "ADMIN"}),
        await otto.refused("PATCH", people[otto.id], {"role": "ADMIN"}),
        await otto.refused("PATCH", people[ada.id], {"role": "ORGANIZER"}),
        await otto.refused("DELETE", people[olivia.id]),
    ] == [422, 403, 403, 403, 403]
    assert (await otto.do("PATCH", people[ada.id], {"role": "MODERATOR"}, status=200))["role"] == "MODERATOR"


async def test_the_last_admin_stays(platform):
    """They neither leave, nor are removed, nor become less; with another admin they may."""
    olivia, otto = await platform.people("olivia", "otto")
    room, _ = await platform.raffle(olivia)
    own = f"{room}/participants/{(await olivia.get(f'{room}/participants'))[0]['id']}"
    stuck = [
        await olivia.refused("POST", f"{room}/leave"),
        await olivia.refused("DELETE", own),
        await olivia.refused("PATCH", own, {"role": "VIEWER"}),
    ]
    await olivia.do("POST", f"{room}/participants", {"user_id": otto.id, "role": "ADMIN"})
    await olivia.do("POST", f"{room}/leave", status=204)

    assert stuck == [409] * 3
    assert [one["user_id"] for one in await otto.get(f"{room}/participants?role=ADMIN")] == [otto.id]


async def test_what_belongs_to_another_room_is_not_there(platform):
    """Keys of participants, prizes and winners of one room are unknown in another, also to its admin; so are made-up ones."""
    olivia, ada = await platform.people("olivia", "ada")
    _, prize = await platform.raffle(olivia, [ada])
    winner = await olivia.do("POST", f"{prize}/draws", {})
    other = await platform.draft(ada)
    await platform.publish(ada, other)
    nobody = platform.running.auth.new_id("idn")

    assert [
        await ada.refused("DELETE", f"{other}/participants/{winner['participant_id']}"),
        await ada.refused("PATCH", f"{other}/prizes/{winner['prize_id']}", {"title": "Mine"}),
        await ada.refused("POST", f"{other}/prizes/{winner['prize_id']}/draws", {}),
        await ada.refused("DELETE", f"{other}/winners/{winner['id']}"),
        await ada.refused("POST", f"{other}/participants", {"user_id": nobody, "role": "VIEWER"}),
        await ada.refused("POST", "/rooms", {"app_id": "nothing", "title": "x"}),
    ] == [404] * 6
    assert [
        await ada.refused("GET", "/rooms/room_1"),
        await ada.refused("GET", f"/rooms/{winner['id']}"),
        await ada.refused("DELETE", f"{other}/winners/x"),
    ] == [422] * 3
