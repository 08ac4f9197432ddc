"""Manifests say what the JSON fields hold; what does not fit is refused, and changes nothing."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.anyio

COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
RED, PINK = {"colour": "red"}, {"colour": "pink"}


async def test_every_json_field_fits_what_the_manifest_declares(platform):
    """Settings of rooms, and the metadata of participants, prizes and winners: each by its own schema."""
    await platform.app(room_settings=COLOUR, participant=COLOUR, prize=COLOUR, winner=COLOUR)
    olivia, ada = await platform.people("olivia", "ada")
    drafted = {"app_id": "raffle", "title": "A raffle"}
    room = await platform.draft(olivia, app_settings=RED)
    prize = await olivia.do("POST", f"{room}/prizes", {"title": "A pen", "metadata": RED})
    path = f"{room}/prizes/{prize['id']}"
    await platform.publish(olivia, room)
    refused = [
        await olivia.refused("POST", "/rooms", drafted | {"app_settings": PINK}),
        await olivia.refused("POST", "/rooms", drafted),
        await olivia.refused("PATCH", room, {"app_settings": PINK}),
        await ada.refused("POST", f"{room}/join", {"metadata": PINK}),
        await olivia.refused(
            "POST", f"{room}/participants", {"user_id": ada.id, "role": "VIEWER", "metadata": PINK}
        ),
        await olivia.refused("POST", f"{room}/prizes", {"title": "A cup", "metadata": PINK}),
        await olivia.refused("PATCH", path, {"metadata": PINK}),
        await olivia.refused("POST", f"{path}/draws", {"metadata": PINK}),
    ]
    await ada.do("POST", f"{room}/join", {"metadata": RED})
    winner = await olivia.do("POST", f"{path}/draws", {"metadata": RED})

    assert refused == [422] * 8
    assert winner["metadata"]["colour"] == "red"
    assert [await platform.count(table) for table in ("rooms", "participants", "prizes", "winners")] == [
        1,
        2,
        1,
        1,
    ]
    assert (await olivia.get(room))["app_settings"] == RED


async def test_what_is_not_declared_is_not_kept(platform):
    """A manifest without a schema for something takes nothing there."""
    await platform.app()
    olivia = await platform.person("olivia")

    answer = await olivia.ask("POST", "/rooms", {"app_id": "raffle", "title": "x", "app_settings": RED})
    assert answer.status_code == 422
    assert "room_settings" in answer.json()["detail"][0]["msg"]
    assert "red" not in answer.text


NO_MANIFESTS = [
    {},
    {"name": "x", "more": 1},
    {"name": "x", "schemas": {"rooms": {}}},
    {"name": "x", "schemas": {"prize": {"type": "objekt"}}},
    {"name": "x", "schemas": {"prize": {"pattern": "("}}},
    {"name": "x", "schemas": {"prize": {"$ref": "http://127.0.0.1:1/schema"}}},
    {"name": "x", "schemas": {"prize": {"properties": {"a": {"$ref": "#"}}}}},
    {"name": "x", "schemas": {"prize": {"description": "\x00"}}},
    {"name": "x", "schemas": {"prize": {"description": "x" * 20_000}}},
]


async def test_a_manifest_that_is_none_is_refused(platform):
    """What is no JSON schema, refers elsewhere, or cannot be kept: 422, and there is no such app."""
    developer = await platform.person("dora", roles=["app-developer"])

    refused = [await developer.refused("PUT", "/apps/raffle", manifest) for manifest in NO_MANIFESTS]

    assert refused == [422] * len(NO_MANIFESTS)
    assert await developer.get("/apps") == []


async def test_an_app_with_open_rooms_stays(platform):
    """It is removed when they are over, its rooms are kept, and nobody else takes its name."""
    developer = await platform.app()
    olivia = await platform.person("olivia")
    room = await platform.draft(olivia)
    early = await developer.refused("DELETE", "/apps/raffle")
    await olivia.do("PUT", f"{room}/status", {"status": "CANCELLED"}, status=200)
    await developer.do("DELETE", "/apps/raffle", status=204)

    assert early == 409
    assert await developer.refused("DELETE", "/apps/raffle") == 404
    assert await developer.refused("PUT", "/apps/raffle", {"name": "Again"}) == 409
    assert (await olivia.get(room))["status"] == "CANCELLED"
    assert await olivia.refused("POST", "/rooms", {"app_id": "raffle", "title": "x"}) == 404


NO_BODIES = [
    '{"title": NaN}',
    '{"\\ud800": 1}',
    '{"title": "\\u0000"}',
    "[" * 2000,
    '{"app_settings": {"a": 1e999}}',
]


async def test_what_json_cannot_write_is_refused_in_words(platform):
    """The answers are 4xx that repeat nothing of it."""
    await platform.app()
    olivia = await platform.person("olivia")
    headers = olivia.signed_in.headers | {"Content-Type": "application/json"}
    answers = [await platform.client.post("/rooms", content=body, headers=headers) for body in NO_BODIES]

    assert all(400 <= answer.status_code < 500 for answer in answers)
    assert not any(word in answer.text for answer in answers for word in ("NaN", "ud800"))
