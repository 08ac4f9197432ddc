"""F08: the disk is full. What cannot be written whole is refused with 503, nothing is half done, and room is enough to go on."""

from __future__ import annotations

import httpx2
import pytest
from tests.factories import ORIGIN, count, registered

from ostiary.features.profiles import ProfileChange
from ostiary.features.sessions import Caller
from ostiary.foundation.errors import Unavailable
from ostiary.foundation.storage import Query
from ostiary.testing.auth import PASSWORD

pytestmark = pytest.mark.anyio

EMAIL = "ada@example.org"
# Every table a registration, a sign-in, a refresh or a password change writes to.
WRITTEN = (
    *("identities", "users", "sessions", "refresh_tokens", "audit_events", "login_history", "revocations"),
    *("audit_keys",),
)
STARTED = "action = 'identity:session:started'"
NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$
"""


class FullDisk:
    """Room for nothing more: on SQLite the file may not grow, on PostgreSQL a table cannot."""

    def __init__(self, database) -> None:
        self._database = database

    async def fill(self, table: str) -> None:
        if self._database.dialect == "sqlite":
            await self._database.fetch_one(Query("PRAGMA max_page_count = 1", into=int))
            return
        await self._database.execute(Query(NO_ROOM))
        await self._database.execute(
            Query(
                f"CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON ostiary.{table} EXECUTE FUNCTION no_room()"
            )
        )

    async def clear(self, table: str) -> None:
        if self._database.dialect == "sqlite":
            await self._database.fetch_one(Query("PRAGMA max_page_count = 1073741823", into=int))
            return
        await self._database.execute(Query(f"DROP TRIGGER no_room ON ostiary.{table}"))
        await self._database.execute(Query("DROP FUNCTION no_room"))


@pytest.fixture
def disk(auth):
    """The disk the database is on."""
    return FullDisk(auth.services.database)


async def rows(auth) -> dict[str, int]:
    return {table: await count(auth, table) for table in WRITTEN}


async def until_full(auth) -> int:
    """Register people until there is no room, and return how many that were."""
    made = 0
    while True:
        try:
            await registered(auth, f"person{made}@full.example.org")
        except Unavailable:
            return made
        made += 1


@pytest.mark.parametrize("table", WRITTEN[:-2])
async def test_f08_a_registration_without_room_leaves_nothing(auth, disk, dialect, table):
    """Identity, profile, session, history and audit exist together or not at all, and room is all it takes to go on."""
    await disk.fill(table)
    before = await rows(auth)

    made = await until_full(auth)

    after = await rows(auth)
    for name in ("identities", "users", "sessions", "refresh_tokens", "login_history"):
        assert after[name] == before[name] + made, name
    assert await count(auth, "audit_events", "action = 'identity:account:registered'") == made
    await disk.clear(table)
    await registered(auth, "later@example.org")


async def test_f08_nobody_signs_in_without_a_record_of_it(auth, client, disk, running):
    """Over HTTP it is 503 with Retry-After; whoever is signed in stays so, and nothing that was ended lives."""
    ada = await running.signed_in("ada")
    body = {"identifier": EMAIL, "password": PASSWORD}
    await disk.fill("audit_events")
    await until_full(auth)
    before = await count(auth, "audit_events", STARTED)

    answers = [await client.post("/v1/login", json=body) for _ in range(8)]

    full = [answer for answer in answers if answer.status_code == 503]
    assert full
    assert all(answer.headers["Retry-After"] for answer in full)
    started = sum(answer.status_code == 200 for answer in answers)
    assert await count(auth, "audit_events", STARTED) == before + started
    assert (await client.get("/v1/me", headers=ada.headers)).status_code == 200
    await disk.clear("audit_events")
    assert (await client.post("/v1/login", json=body)).status_code == 200


async def test_f08_a_change_without_room_ends_nothing_and_changes_nothing(auth, disk, running):
    """A change that cannot be recorded did not happen, and whoever is signed in goes on."""
    ada = await running.signed_in("ada")
    caller = Caller.of(ada.principal, ORIGIN)
    await disk.fill("audit_events")
    await until_full(auth)
    before = await rows(auth)

    with pytest.raises(Unavailable):
        await _grow(auth, caller)

    transport = httpx2.ASGITransport(app=auth)
    async with httpx2.AsyncClient(transport=transport, base_url=auth.settings.public_url) as client:
        refreshed = await client.get("/v1/me", headers=ada.headers)
    assert refreshed.status_code == 200
    after = await rows(auth)
    assert {name: after[name] for name in ("identities", "sessions", "revocations")} == {
        name: before[name] for name in ("identities", "sessions", "revocations")
    }


async def _grow(auth, caller):
    """Change the profile until there is no room."""
    while True:
        note = ProfileChange(metadata={"note": "x" * 8000})
        await auth.services.account.change_profile(caller, note, now=auth.clock.now())
