"""Rooms: how far they may go, who may do what in them, who sees them."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.anyio

STATUSES = ("DRAFT", "ACTIVE", "COMPLETED", "CANCELLED")
WAYS = {"DRAFT": (), "ACTIVE": ("ACTIVE",), "COMPLETED": ("ACTIVE", "COMPLETED"), "CANCELLED": ("CANCELLED",)}
LEGAL = {
    ("DRAFT", "ACTIVE"),
    ("DRAFT", "CANCELLED"),
    ("ACTIVE", "COMPLETED"),
    ("ACTIVE", "CANCELLED"),
}


async def test_a_room_goes_forward_only(platform):
    """Of all sixteen moves four are allowed; the others are conflicts and change nothing."""
    await platform.app()
    olivia = await platform.person("olivia")
    seen, left = set(), []
    for start in STATUSES:
        for goal in STATUSES:
            room = await platform.draft(olivia)
            for step in WAYS[start]:
                await olivia.do("PUT", f"{room}/status", {"status": step}, status=200)
            answer = await olivia.ask("PUT", f"{room}/status", {"status": goal})
            now = (await olivia.get(room))["status"]
            if answer.status_code == 200:
                seen.add((start, now))
            else:
                left.append((answer.status_code, now == start))

    assert seen == LEGAL
    assert left == [(409, True)] * 12


async def test_what_is_no_public_room_is_there_for_those_in_it_alone(platform):
    """Drafts and private rooms look to strangers like rooms that do not exist, whatever they try; those in them see them."""
    await platform.app()
    olivia, ada, ben = await platform.people("olivia", "ada", "ben")
    draft = await platform.draft(olivia)
    private = await platform.draft(olivia, is_public=False)
    await platform.publish(olivia, private)
    await olivia.do("POST", f"{private}/participants", {"user_id": ada.id, "role": "VIEWER"})
    public = await platform.draft(olivia)
    await platform.publish(olivia, public)

    assert [await ada.refused("GET", draft), await ben.refused("GET", private)] == [404, 404]
    assert [await ben.refused("POST", f"{private}/join", {}), await ben.refused("DELETE", private)] == [
        404,
        404,
    ]
    assert (await ada.get(private))["is_public"] is False
    assert (await ben.get(public))["status"] == "ACTIVE"
    listed = (await platform.client.get("/rooms")).json()
    assert [f"/rooms/{room['id']}" for room in listed] == [public]


async def test_a_list_is_filtered_and_goes_on(platform):
    """By app and status, the newest first, page after page."""
    await platform.app()
    await platform.app("quiz")
    olivia = await platform.person("olivia")
    rooms = []
    for number in range(5):
        platform.running.move(seconds=1)
        room = await platform.draft(olivia, app_id="quiz" if number == 2 else "raffle", title=f"{number}")
        await platform.publish(olivia, room)
        rooms.append(room)
    await olivia.do("PUT", f"{rooms[0]}/status", {"status": "COMPLETED"}, status=200)

    async def titles(query):
        return [room["title"] for room in (await platform.client.get(f"/rooms?{query}")).json()]

    assert await titles("app_id=raffle") == ["4", "3", "1"]
    assert await titles("app_id=quiz&status=ACTIVE") == ["2"]
    assert await titles("status=COMPLETED") == ["0"]
    assert await titles("limit=2") == ["4", "3"]
    assert await titles(f"limit=2&before={rooms[3].removeprefix('/rooms/')}") == ["2", "1"]
    assert [room["title"] for room in await olivia.get("/rooms/mine?limit=2")] == ["4", "3"]


# What each role may do, by what is tried; PARTICIPANT and VIEWER may do none of it.
TRIED = {
    "change the room": ("PATCH", "", {"title": "New"}),
    "offer a prize": ("POST", "/prizes", {"title": "A pen"}),
    "remove a viewer": ("DELETE", "/participants/{viewer}", None),
    "make a viewer a participant": ("PATCH", "/participants/{viewer}", {"role": "PARTICIPANT"}),
    "make a viewer an organizer": ("PATCH", "/participants/{viewer}", {"role": "ORGANIZER"}),
    "remove an organizer": ("DELETE", "/participants/{organizer}", None),
    "draw": ("POST", "/prizes/{prize}/draws", {}),
    "cancel the room": ("PUT", "/status", {"status": "CANCELLED"}),
}
ALLOWED = {
    "ADMIN": set(TRIED),
    "ORGANIZER": set(TRIED) - {"make a viewer an organizer", "remove an organizer"},
    "MODERATOR": {"remove a viewer"},
    "PARTICIPANT": set(),
    "VIEWER": set(),
}


async def test_a_role_in_the_room_decides_who_may_do_what(platform):
    """Each role may do what the table says, and is told 403 for the rest."""
    olivia, otto, vera, mia, pat = await platform.people("olivia", "otto", "vera", "mia", "pat")
    done = {}
    for role in ALLOWED:
        room, prize = await platform.raffle(olivia, [pat])
        keys = {"prize": prize.rpartition("/")[2]}
        await olivia.do("POST", f"{room}/participants", {"user_id": mia.id, "role": role})
        done[role] = set()
        for what, (method, path, body) in TRIED.items():
            # Whoever was removed or made something else is what they were for the next attempt.
            for person, given in ((otto, "ORGANIZER"), (vera, "VIEWER")):
                added = await olivia.ask(
                    "POST", f"{room}/participants", {"user_id": person.id, "role": given}
                )
                if added.is_success:
                    keys[given.lower()] = added.json()["id"]
                else:
                    own = f"{room}/participants/{keys[given.lower()]}"
                    await olivia.do("PATCH", own, {"role": given}, status=200)
            answer = await mia.ask(method, room + path.format(**keys), body)
            assert answer.is_success or answer.status_code == 403, (role, what, answer.text)
            if answer.is_success:
                done[role].add(what)

    assert done == ALLOWED


async def test_only_an_admin_deletes_a_room_and_no_active_one(platform):
    """It is kept in the table, and gone for everybody."""
    olivia, otto = await platform.people("olivia", "otto")
    room, _ = await platform.raffle(olivia)
    await olivia.do("POST", f"{room}/participants", {"user_id": otto.id, "role": "ORGANIZER"})
    active = [await person.refused("DELETE", room) for person in (otto, olivia)]
    await olivia.do("PUT", f"{room}/status", {"status": "COMPLETED"}, status=200)
    await olivia.do("DELETE", room, status=204)

    assert active == [403, 409]
    assert await olivia.refused("GET", room) == 404
    assert await platform.execute("SELECT count(*) FROM rooms WHERE deleted_at IS NOT NULL") == [(1,)]


async def test_a_room_that_is_over_changes_no_more(platform):
    """Neither itself, nor its prizes, nor who is in it."""
    olivia, ada = await platform.people("olivia", "ada")
    room, prize = await platform.raffle(olivia)
    await olivia.do("PUT", f"{room}/status", {"status": "COMPLETED"}, status=200)

    assert [
        await olivia.refused("PATCH", room, {"title": "x"}),
        await olivia.refused("POST", f"{room}/prizes", {"title": "x"}),
        await olivia.refused("PATCH", prize, {"title": "x"}),
        await olivia.refused("DELETE", prize),
        await olivia.refused("POST", f"{prize}/draws", {}),
        await olivia.refused("POST", f"{room}/participants", {"user_id": ada.id, "role": "VIEWER"}),
        await ada.refused("POST", f"{room}/join", {}),
    ] == [409] * 7
