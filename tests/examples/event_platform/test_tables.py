"""The tables: what goes with what, what stays, which indexes there are, and that lists use them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.compiler import compiles
from tests.examples.event_platform.people import module

from ostiary.foundation.storage import Query
from ostiary.schema import TypedId, include_object

pytestmark = pytest.mark.anyio

TABLES = ("apps", "rooms", "participants", "prizes", "winners")
INDEXES = {
    "apps": {("app_id",), ("deleted_at",)},
    "rooms": {("app_id",), ("status",), ("is_public",), ("deleted_at",), ("status", "is_public", "app_id")},
    "participants": {
        *(("user_id",), ("room_id",), ("role",), ("deleted_at",)),
        *(("user_id", "room_id"), ("room_id", "role")),
    },
    "prizes": {("room_id",), ("deleted_at",)},
    "winners": {
        *(("room_id",), ("prize_id",), ("participant_id",), ("deleted_at",)),
        *(("room_id", "prize_id"), ("prize_id", "draw")),
    },
}
UNIQUE = {
    "apps": {("app_id",)},
    "rooms": set(),
    "participants": {("user_id", "room_id")},
    "prizes": set(),
    "winners": {("prize_id", "draw")},
}


class Filled:
    """A platform with one of everything: Ada has won the bicycle in Olivia's room."""

    def __init__(self, platform, ada, winner):
        self.platform, self.ada, self.winner = platform, ada, winner

    async def delete(self, table):
        return await self.platform.execute(f"DELETE FROM {table}")

    async def left(self):
        return {table: await self.platform.count(table) for table in TABLES}


@pytest.fixture
async def filled(platform):
    olivia, ada = await platform.people("olivia", "ada")
    _, prize = await platform.raffle(olivia, [ada])
    winner = await olivia.do("POST", f"{prize}/draws", {})
    return Filled(platform, ada, winner)


async def test_deleting_a_user_deletes_their_sessions(filled):
    """User → Session: CASCADE."""
    database = filled.platform.running.auth.services.database
    sessions = Query("SELECT count(*) FROM ostiary.sessions WHERE identity_id = $1", into=int)
    ada = TypedId("idn").uuid(filled.ada.id)
    before = await database.fetch_one(sessions, ada)
    await database.execute(Query("DELETE FROM ostiary.identities WHERE id = $1"), ada)

    assert (before, await database.fetch_one(sessions, ada)) == (1, 0)


async def test_deleting_a_user_deletes_their_participation(filled):
    """User → Participant: CASCADE, and with it Participant → Winner; everybody else stays."""
    ada = TypedId("idn").uuid(filled.ada.id)
    await filled.platform.running.auth.services.database.execute(
        Query("DELETE FROM ostiary.identities WHERE id = $1"), ada
    )

    assert await filled.left() == {"apps": 1, "rooms": 1, "participants": 1, "prizes": 1, "winners": 0}


async def test_an_app_with_rooms_cannot_be_deleted(filled):
    """App → Room: RESTRICT."""
    with pytest.raises(IntegrityError):
        await filled.delete("apps")

    assert await filled.left() == {"apps": 1, "rooms": 1, "participants": 2, "prizes": 1, "winners": 1}


async def test_deleting_a_room_deletes_all_that_is_in_it(filled):
    """Room → Participant, Room → Prize, Room → Winner: CASCADE, also where its prizes have winners."""
    await filled.delete("rooms")

    assert await filled.left() == {"apps": 1, "rooms": 0, "participants": 0, "prizes": 0, "winners": 0}


async def test_deleting_participants_deletes_what_they_won(filled):
    """Participant → Winner: CASCADE."""
    await filled.delete("participants")

    assert await filled.left() == {"apps": 1, "rooms": 1, "participants": 0, "prizes": 1, "winners": 0}


async def test_a_prize_with_winners_cannot_be_deleted(filled):
    """Prize → Winner: RESTRICT; one without goes."""
    with pytest.raises(IntegrityError):
        await filled.delete("prizes")
    kept = await filled.left()
    await filled.delete("winners")
    await filled.delete("prizes")

    assert (kept["prizes"], kept["winners"]) == (1, 1)
    assert (await filled.left())["prizes"] == 0


async def test_the_database_has_the_enums_indexes_and_constraints(platform):
    """Every index and unique constraint is there, and a status or role that there is none of is refused."""

    def look(connection):
        inspector = sa.inspect(connection)
        indexes, unique = {}, {}
        for table in TABLES:
            found = [(tuple(one["column_names"]), one["unique"]) for one in inspector.get_indexes(table)]
            constraints = [tuple(one["column_names"]) for one in inspector.get_unique_constraints(table)]
            indexes[table] = {columns for columns, _ in found} | set(constraints)
            unique[table] = {columns for columns, is_unique in found if is_unique} | set(constraints)
        return indexes, unique

    async with module("database").engine.connect() as connection:
        indexes, unique = await connection.run_sync(look)
    await platform.raffle(await platform.person("olivia"))

    assert (indexes, unique) == (INDEXES, UNIQUE)
    for wrong in ("UPDATE rooms SET status = 'LOST'", "UPDATE participants SET role = 'KING'"):
        with pytest.raises(sa.exc.DBAPIError):
            await platform.execute(wrong)


async def test_the_migrations_make_what_the_models_say(platform):
    """Alembic finds nothing to add, neither of ours nor of Ostiary's, and another migration changes nothing."""

    def differences(connection):
        options = {"include_object": include_object, "include_schemas": True}
        options["version_table"] = "event_platform_alembic_version"
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, module("tables").Base.metadata)

    await module("database").migrate()
    async with module("database").engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_migrations_go_back(platform):
    """Nothing of ours is left but the history, Ostiary's tables stay, and forward again it is as before."""

    def step(goal):
        def run(connection):
            database = module("database")
            config = Config(
                Path(database.__file__).with_name("alembic.ini"), attributes={"connection": connection}
            )
            goal(config)
            return {*sa.inspect(connection).get_table_names()} & {*TABLES}

        return run

    async with module("database").engine.begin() as connection:
        back = await connection.run_sync(step(lambda config: command.downgrade(config, "base")))
        forth = await connection.run_sync(step(lambda config: command.upgrade(config, "head")))

    assert (back, forth) == (set(), {*TABLES})
    assert await platform.running.signed_in("ada")


class Explain(sa.Executable, sa.ClauseElement):
    """The plan of a statement, instead of its answer."""

    inherit_cache = False

    def __init__(self, statement):
        self.statement = statement


@compiles(Explain)
def _explain(element, compiler, **options):
    return f"EXPLAIN {compiler.process(element.statement, **options)}"


# Forty apps, four thousand rooms, three hundred people who were in the first of them, and winners in twenty.
FILL = """
INSERT INTO apps (id, app_id, manifest, created_at)
SELECT gen_random_uuid(), 'app-' || n, '{}', now() FROM generate_series(0, 39) n;
INSERT INTO rooms (id, app_id, title, status, is_public, app_settings, created_at)
SELECT gen_random_uuid(), 'app-' || n % 40, 'Room ' || n, (ARRAY['DRAFT', 'ACTIVE', 'COMPLETED', 'CANCELLED'])
  [1 + n / 40 % 4]::room_status, n % 3 = 0, '{}', now() FROM generate_series(1, 4000) n;
INSERT INTO participants (id, user_id, room_id, role, metadata, created_at)
SELECT gen_random_uuid(), (SELECT id FROM ostiary.identities LIMIT 1), id,
  (ARRAY['ORGANIZER', 'PARTICIPANT', 'VIEWER'])[1 + row_number() OVER () % 3]::participant_role, '{}', now() FROM rooms;
INSERT INTO participants (id, user_id, room_id, role, metadata, created_at, deleted_at)
SELECT gen_random_uuid(), (SELECT id FROM ostiary.identities LIMIT 1), (SELECT id FROM rooms WHERE title = 'Room 1'),
  (ARRAY['ORGANIZER', 'PARTICIPANT', 'VIEWER'])[1 + n % 3]::participant_role, '{}', now(), now()
  FROM generate_series(1, 300) n;
INSERT INTO prizes (id, room_id, title, quantity, unique_winners, draws, metadata, created_at)
SELECT gen_random_uuid(), id, title, 100, true, 0, '{}', now() FROM rooms ORDER BY title LIMIT 20;
INSERT INTO winners (id, room_id, participant_id, prize_id, draw, metadata, created_at)
SELECT gen_random_uuid(), p.room_id, (SELECT id FROM participants LIMIT 1), p.id, n, '{}', now()
  FROM prizes p, generate_series(1, 200) n;
ANALYZE apps, rooms, participants, prizes, winners
"""


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_lists_use_the_composite_indexes(platform):
    """With some thousand rows PostgreSQL answers the filtered lists by the indexes that are there for them."""
    await platform.person("olivia")
    for statement in FILL.split(";"):
        await platform.execute(statement)
    tables = module("tables")
    async with module("database").sessions() as session:
        room = await session.scalar(sa.select(tables.Room.id).where(tables.Room.title == "Room 1"))
        prize = (await session.scalars(sa.select(tables.Prize).limit(1))).one()
        lists = {
            "ix_rooms_status_is_public_app_id": module("rooms").listed(
                "app-5", tables.RoomStatus.ACTIVE, None, 50
            ),
            "ix_participants_room_id_role": module("participants").listed(
                room, tables.ParticipantRole.ORGANIZER, None, 50
            ),
            "ix_winners_room_id_prize_id": module("winners").listed(prize.room_id, prize.id),
        }
        plans = {
            name: "\n".join((await session.scalars(Explain(wanted))).all()) for name, wanted in lists.items()
        }

    assert [name for name, plan in plans.items() if name not in plan] == [], plans
