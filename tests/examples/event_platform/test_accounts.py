"""Who somebody is: sign-in by password and by Google, and what becomes of their rooms when their account changes."""

from __future__ import annotations

import pytest
from tests.examples.event_platform.people import ORIGIN

from ostiary import Query
from ostiary.schema import TypedId

pytestmark = pytest.mark.anyio

ACCOUNT = {"email": "zoe@example.org", "password": "a phrase that only Zoe knows"}


async def test_somebody_registers_signs_in_and_leaves(platform):
    """With a password, as everywhere in Ostiary; a session that ended opens no room any more."""
    registered = await platform.client.post("/auth/v1/register", json=ACCOUNT)
    login = {"identifier": ACCOUNT["email"], "password": ACCOUNT["password"]}
    tokens = (await platform.client.post("/auth/v1/login", json=login)).json()["tokens"]
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    before = await platform.client.get("/rooms/mine", headers=headers)
    await platform.client.post("/auth/v1/logout", headers=headers)
    after = await platform.client.get("/rooms/mine", headers=headers)

    assert (registered.status_code, before.status_code, before.json()) == (201, 200, [])
    assert (after.status_code, (await platform.client.get("/rooms/mine")).status_code) == (401, 401)


async def test_somebody_comes_from_google(platform_with_google, google):
    """The browser goes there and comes back, and a room is joined with nothing but its cookies."""
    platform = platform_with_google
    olivia = await platform.person("olivia")
    room, _ = await platform.raffle(olivia)
    (offered,) = (await platform.client.get("/auth/v1/providers")).json()
    left = await platform.client.get(offered["start"], params={"return_to": "/"})
    came = await platform.client.get(
        "/auth/v1/providers/google/callback", params=google.approve(left.headers["location"])
    )
    joined = await platform.client.post(f"{room}/join", json={}, headers={"Origin": ORIGIN})
    elsewhere = await platform.client.post(f"{room}/leave", headers={"Origin": "https://evil.example"})

    assert (offered["label"], left.status_code, came.headers["location"]) == (
        "Google",
        303,
        f"{ORIGIN}/",
    )
    assert (joined.status_code, elsewhere.status_code) == (201, 403)


async def test_only_developers_register_apps(platform):
    """The permission is asked for, at every route that changes apps; everybody may see them."""
    await platform.app()
    ada = await platform.person("ada")

    assert await ada.refused("PUT", "/apps/quiz", {"name": "Quiz"}) == 403
    assert await ada.refused("DELETE", "/apps/raffle") == 403
    assert [app["app_id"] for app in await ada.get("/apps")] == ["raffle"]


async def test_what_somebody_exports_names_their_rooms(platform):
    """The platform's part is in Ostiary's document."""
    olivia = await platform.person("olivia")
    await platform.raffle(olivia)
    exported = await olivia.get("/auth/v1/me/export")

    assert "A raffle" in str(exported)


async def test_two_accounts_of_one_person_become_one(platform):
    """Their rooms are the survivor's, and a room both were in has them once; what was won stays won."""
    olivia, ada, other = await platform.people("olivia", "ada", "other")
    room, prize = await platform.raffle(olivia, [other])
    winner = await olivia.do("POST", f"{prize}/draws", {})
    alone = await platform.draft(other, title="Other's own")
    await ada.do("POST", f"{room}/join", {"role": "VIEWER"})
    await other.do("POST", f"{alone}/participants", {"user_id": ada.id, "role": "VIEWER"})
    proof = await other.do("POST", "/auth/v1/me/merge-proof", {})
    await ada.do("POST", "/auth/v1/me/merge", {"proof": proof["proof"]}, status=200)
    present = await olivia.get(f"{room}/participants")

    assert {one["user_id"] for one in present} == {olivia.id, ada.id}
    assert len(present) == 2
    assert [one["role"] for one in await ada.get(f"{alone}/participants")] == ["ADMIN"]
    assert await olivia.get(f"{room}/winners") == [winner]


async def test_whoever_is_gone_changes_nothing(platform):
    """A token that outlived its account, which somebody deleted by hand, is answered 409, and not by an error."""
    await platform.app()
    ada = await platform.person("ada")
    row = TypedId("idn").uuid(ada.id)
    await platform.running.auth.services.database.execute(
        Query("DELETE FROM ostiary.identities WHERE id = $1"), row
    )

    assert await ada.refused("POST", "/rooms", {"app_id": "raffle", "title": "x"}) == 409
    assert await platform.count("rooms") == 0


async def test_whoever_is_erased_leaves_their_rooms(platform):
    """From then on they win nothing; when their time of grace is over their stays are gone, and the room lives on."""
    olivia, ada = await platform.people("olivia", "ada")
    room, prize = await platform.raffle(olivia, [ada])
    await ada.do("DELETE", "/auth/v1/me", status=202)
    nobody = await olivia.refused("POST", f"{prize}/draws", {})
    platform.running.move(days=31)
    await platform.running.auth.services.maintenance.run("erasures", now=platform.running.clock.now())
    again = await platform.person("olivia")

    assert nobody == 409
    assert [one["user_id"] for one in await again.get(f"{room}/participants")] == [olivia.id]
